package main

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// daemonProgram builds waryd, once, and returns its path or how that failed.
var daemonProgram = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "waryd") // TestMain ends by os.Exit: it is small and the system's to remove
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "waryd")
	build := exec.Command("go", "build", "-o", path, "github.com/waryauth/wary/cmd/waryd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	if err != nil {
		return string(out), err
	}
	return path, nil
})

// daemon DATA [careless] starts waryd with its bank on the files that wary tour
// --prepare wrote, and puts its addresses into $WARY_SERVER, $OPERATORS and $ISSUER. A
// careless one has a bank that asks for no token.
func startDaemon(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: daemon DATA [careless]")
	}
	program, err := daemonProgram()
	if err != nil {
		ts.Fatalf("build waryd: %v\n%s", err, program)
	}
	data := ts.MkAbs(args[0])
	tourFiles(ts)
	front, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	_, port, err := net.SplitHostPort(front.Addr().String())
	ts.Check(err)
	issuer := "https://localhost:" + port

	log, err := os.Create(filepath.Join(ts.Getenv("WORK"), "waryd.log"))
	ts.Check(err)
	tour := filepath.Join(data, "tour")
	cmd := exec.Command(program, "-data", data, "-geo.dir", ts.MkAbs("geo"), "-score.listen", "127.0.0.1:0", "-operators.listen", "127.0.0.1:0",
		"-authorization.listen", "127.0.0.1:0", "-authorization.issuer", issuer, "-authorization.demo", "-proxies", "127.0.0.1/32",
		"-authorization.clients", filepath.Join(tour, "clients.yaml"), "-authorization.accounts", filepath.Join(tour, "accounts.yaml"))
	cmd.Stdout, cmd.Stderr = log, log
	ts.Check(cmd.Start())
	ts.Defer(func() {
		front.Close()
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			ts.Logf("waryd: %v", err)
		}
		log.Close()
	})
	at := addresses(ts, log.Name())
	ts.Setenv("WARY_SERVER", "http://"+at["score"])
	ts.Setenv("OPERATORS", "http://"+at["operators"])
	ts.Setenv("ISSUER", issuer)
	certificate, err := tls.LoadX509KeyPair(filepath.Join(data, "authorization.crt"), filepath.Join(data, "authorization.key"))
	ts.Check(err)
	bank := inFront(at["listen"], len(args) > 1 && args[1] == "careless")
	go func() {
		_ = http.Serve(tls.NewListener(front, &tls.Config{Certificates: []tls.Certificate{certificate}}), bank) // ends with the listener
	}()
}

// inFront passes requests on to a daemon as a proxy does that adds nothing; a careless
// one answers for the bank itself.
func inFront(daemon string, careless bool) http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "https", Host: daemon})
			r.Out.Host = r.In.Host
			r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
		},
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, // of this test's own daemon
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if careless && strings.HasPrefix(r.URL.Path, "/bank/") {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"accounts":[{"name":"Everyday account"}],"status":"done"}`)) // the client went away
			return
		}
		proxy.ServeHTTP(w, r)
	})
}

// addresses waits until a daemon is ready and returns where its log says it listens.
func addresses(ts *testscript.TestScript, path string) map[string]string {
	at := map[string]string{}
	for range 3000 {
		text, err := os.ReadFile(path)
		ts.Check(err)
		if strings.Contains(string(text), "msg=ready") {
			for _, m := range regexp.MustCompile(`(listen|score|operators)=(127\.0\.0\.1:\d+)`).FindAllStringSubmatch(string(text), -1) {
				at[m[1]] = m[2]
			}
			return at
		}
		time.Sleep(20 * time.Millisecond)
	}
	ts.Fatalf("the daemon does not become ready: %s", ts.ReadFile(path))
	return nil
}
