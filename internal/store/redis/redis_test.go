package redis

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/internal/store"
	"github.com/waryauth/wary/internal/store/storetest"
)

// server is a redis-server of a test's own, on a Unix socket.
type server struct {
	dir     string
	args    []string
	process *exec.Cmd
}

// startServer starts one that keeps its data as the package comment asks, unless
// args say otherwise, and ends it with the test.
func startServer(t testing.TB, args ...string) *server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed; apt-get install redis-server, or scripts/deps.sh redis, brings it")
	}
	dir, err := os.MkdirTemp("", "wary") // a socket's path has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	s := &server{dir: dir, args: args}
	t.Cleanup(func() {
		s.kill()
		_ = os.RemoveAll(dir)
	})
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *server) socket() string { return filepath.Join(s.dir, "socket") }

func (s *server) start() error {
	args := append([]string{
		"--port", "0", "--unixsocket", s.socket(), "--dir", s.dir, "--save", "",
		"--appendonly", "yes", "--appendfsync", "always", "--daemonize", "no", "--loglevel", "warning",
	}, s.args...)
	s.process = exec.Command("redis-server", args...)
	if err := s.process.Start(); err != nil {
		return err
	}
	for begun := time.Now(); time.Since(begun) < time.Minute; time.Sleep(5 * time.Millisecond) {
		if s.answers() {
			return nil
		}
	}
	return errors.New("redis-server does not answer")
}

// answers reports whether the server has loaded its data.
func (s *server) answers() bool {
	c, err := net.Dial("unix", s.socket())
	if err != nil {
		return false
	}
	defer c.Close()
	if _, err := io.WriteString(c, "PING\r\n"); err != nil {
		return false
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	return err == nil && (line == "+PONG\r\n" || strings.HasPrefix(line, "-NOAUTH"))
}

// kill ends the server as a crash would.
func (s *server) kill() {
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
}

func (s *server) open(t testing.TB, o Options) *Store {
	t.Helper()
	o.Addresses = []string{s.socket()}
	st, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

func TestStore(t *testing.T) {
	startServer(t).kill() // skips here, once, where there is none
	storetest.Run(t, func(t *testing.T) storetest.Subject {
		srv := startServer(t)
		return storetest.Subject{Store: srv.open(t, Options{}), Reopen: func() (store.Store, error) {
			srv.kill()
			if err := srv.start(); err != nil {
				return nil, err
			}
			return srv.open(t, Options{}), nil
		}}
	})
}

// TestRestartForgetsWithoutLog is the control of "a restart keeps": the same kill
// of a server without its log forgets what was taken.
func TestRestartForgetsWithoutLog(t *testing.T) {
	srv := startServer(t, "--appendonly", "no")
	st := srv.open(t, Options{Volatile: true})
	put := func(s store.Store) error {
		return store.PutNew(t.Context(), s, "jti", []byte("v"), store.Until(time.Now().Add(time.Hour)))
	}
	if err := put(st); err != nil {
		t.Fatal(err)
	}
	if err := put(st); !errors.Is(err, store.ErrConflict) {
		t.Fatalf("put again: %v", err)
	}
	srv.kill()
	if err := srv.start(); err != nil {
		t.Fatal(err)
	}
	if err := put(srv.open(t, Options{Volatile: true})); err != nil {
		t.Errorf("put again after a restart that forgets: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	srv := startServer(t)
	forgetful := startServer(t, "--appendonly", "no")
	evicts := startServer(t, "--maxmemory", "100mb", "--maxmemory-policy", "volatile-lru")
	locked := startServer(t, "--requirepass", "secret")
	for _, c := range []struct {
		name string
		o    Options
		says string
	}{
		{"no address", Options{}, ""},
		{"nobody there", Options{Addresses: []string{filepath.Join(srv.dir, "none")}, Timeout: time.Second}, ""},
		{"a prefix without a tag", Options{Addresses: []string{srv.socket()}, Prefix: "wary:"}, "hash tag"},
		{"an empty tag", Options{Addresses: []string{srv.socket()}, Prefix: "{}wary:"}, "hash tag"},
		{"a server that forgets", Options{Addresses: []string{forgetful.socket()}}, "appendonly"},
		{"a server that evicts", Options{Addresses: []string{evicts.socket()}}, "noeviction"},
		{"no password", Options{Addresses: []string{locked.socket()}}, ""},
	} {
		st, err := Open(t.Context(), c.o)
		if err == nil {
			t.Errorf("%s: opened", c.name)
			_ = st.Close()
		} else if !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want a word of %q", c.name, err, c.says)
		}
	}
	locked.open(t, Options{Password: "secret"})
}

// TestPrefixesAreApart: two prefixes on one server share nothing.
func TestPrefixesAreApart(t *testing.T) {
	srv := startServer(t)
	one, two := srv.open(t, Options{Prefix: "{one}"}), srv.open(t, Options{Prefix: "{two}"})
	d := store.Until(time.Now().Add(time.Hour))
	if err := store.PutNew(t.Context(), one, "k", []byte("v"), d); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Take(t.Context(), two, "k"); !errors.Is(err, store.ErrAbsent) {
		t.Errorf("taken through the other prefix: %v", err)
	}
}

// TestHungServer: a server that does not answer costs no more than the timeout,
// and what becomes of the change is not claimed to be known.
func TestHungServer(t *testing.T) {
	path := filepath.Join(startServer(t).dir, "hung")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := Open(ctx, Options{Addresses: []string{path}, Timeout: 50 * time.Millisecond})
		done <- err
	}()
	select {
	case err := <-done:
		if err == nil {
			t.Error("opened a server that says nothing")
		}
	case <-ctx.Done():
		t.Error("waits for a server that says nothing")
	}
}

// TestDeadServer: when the server dies every call fails, and none with an error
// that promises that nothing changed.
func TestDeadServer(t *testing.T) {
	srv := startServer(t)
	st := srv.open(t, Options{Timeout: 200 * time.Millisecond})
	srv.kill()
	_, get := st.Get(t.Context(), "k")
	put := store.PutNew(t.Context(), st, "k", []byte("v"), store.Forever)
	for what, err := range map[string]error{"get": get, "put": put} {
		if err == nil || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestDialTLS: with a TLS configuration nothing is said to a server that the
// configuration does not trust.
func TestDialTLS(t *testing.T) {
	srv := httptest.NewUnstartedServer(nil)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshakes that we break off
	srv.StartTLS()
	defer srv.Close()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	for name, c := range map[string]struct {
		config *tls.Config
		ok     bool
	}{
		"trusted":         {&tls.Config{RootCAs: roots}, true},
		"not trusted":     {&tls.Config{}, false},
		"of another name": {&tls.Config{RootCAs: roots, ServerName: "other.example"}, false},
	} {
		conn, err := dial(t.Context(), srv.Listener.Addr().String(), &net.Dialer{}, c.config)
		if (err == nil) != c.ok {
			t.Errorf("a server that is %s: %v", name, err)
		}
		if err == nil {
			_ = conn.Close()
		}
	}
}

// TestForeignValue: what another program wrote under our prefix is an error, not
// a value.
func TestForeignValue(t *testing.T) {
	st := startServer(t).open(t, Options{})
	c := st.client
	if err := c.Do(t.Context(), c.B().Set().Key(st.prefix+"k").Value("short").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	if err := c.Do(t.Context(), c.B().Hset().Key(st.prefix+"h").FieldValue().FieldValue("a", "b").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	if v, err := st.Get(t.Context(), "k"); err == nil {
		t.Errorf("read as %v", v)
	}
	if err := store.PutNew(t.Context(), st, "h", []byte("v"), store.Forever); err == nil || errors.Is(err, store.ErrConflict) {
		t.Errorf("put where a hash is: %v", err)
	}
}
