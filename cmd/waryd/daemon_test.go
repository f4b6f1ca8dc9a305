package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/engine/scoreapi"
)

// lines holds what a daemon logs.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// await waits until a text was logged n times.
func (l *lines) await(t *testing.T, text string, n int) {
	t.Helper()
	until(t, fmt.Sprintf("%q logged %d times", text, n), func() bool { return strings.Count(l.String(), text) >= n })
}

func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 2000 {
		if is() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("never came: %s", what)
}

// running is a daemon in this process.
type running struct {
	*daemon
	t      *testing.T
	log    *lines
	client *http.Client
	scheme string
	key    string
	cancel context.CancelFunc
	again  chan os.Signal
	ended  chan error
	once   sync.Once
	err    error
}

// configure returns the configuration of a test's daemon: free ports, a folder
// without geo files.
func configure(t *testing.T, data string, args ...string) *Config {
	t.Helper()
	// on a busy machine the engine is not answered for, but waited for
	all := append([]string{"-data", data, "-authorization.deadline=5s", "-geo.dir", filepath.Join(data, "none"), "-score.listen=127.0.0.1:0", "-operators.listen=127.0.0.1:0"}, args...)
	c, _, err := load(all, noEnv, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func boot(t *testing.T, data string, args ...string) *running {
	t.Helper()
	r := &running{t: t, log: &lines{}, scheme: "http", again: make(chan os.Signal, 1), ended: make(chan error, 1)}
	r.client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{}}
	d, err := start(configure(t, data, args...), slog.New(slog.NewTextHandler(r.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	r.daemon = d
	var stop context.Context
	stop, r.cancel = context.WithCancel(context.Background())
	go func() { r.ended <- d.run(stop, r.again) }()
	for !serving() && len(r.ended) == 0 { // until it has started all that it starts: what leaks is told by the goroutines before
		time.Sleep(time.Millisecond)
	}
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return r
}

// serving reports whether a daemon of this process has come to wait for its end.
func serving() bool {
	stacks := make([]byte, 1<<20)
	return bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte("(*daemon).serve("))
}

// stop stops the daemon as SIGTERM does and returns how run ended.
func (r *running) stop() error {
	r.once.Do(func() {
		r.cancel()
		r.client.CloseIdleConnections()
		select {
		case r.err = <-r.ended:
		case <-time.After(30 * time.Second):
			r.err = fmt.Errorf("it did not stop:\n%s", r.log)
		}
	})
	return r.err
}

// ask sends a request to the score API.
func (r *running) ask(method, path, body string) (int, string) {
	r.t.Helper()
	status, answer, err := ask(r.client, r.key, method, r.scheme+"://"+loopbackOf(r.score)+path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	return status, answer
}

// loopbackOf returns how a listener is reached from here.
func loopbackOf(a net.Addr) string {
	return fmt.Sprintf("127.0.0.1:%d", a.(*net.TCPAddr).Port)
}

func ask(c *http.Client, key, method, url, body string) (int, string, error) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := c.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	return res.StatusCode, string(answer), err
}

// operator asks the operators' listener.
func (r *running) operator(path string) (int, string) {
	r.t.Helper()
	status, body, err := ask(r.client, "", http.MethodGet, "http://"+r.operators.String()+path, "")
	if err != nil {
		r.t.Fatal(err)
	}
	return status, body
}

// login is an attempt of a person at home, some time ago.
func login(id, subject string, ago time.Duration) string {
	at := time.Now().Add(-ago).UTC().Format(time.RFC3339)
	return fmt.Sprintf(`{"attempt_id":%q,"time":%q,"action":"login","subject":%q,"user_present":true,
"client":{"id":"budget-app","auth_method":"private_key_jwt"},"network":{"ip":"81.152.10.20"},
"headers":{"user_agent":"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1","accept_language":"en-GB,en;q=0.9"},
"device":{"id":"phone-%s","timezone":"Europe/London","key_bound":true},"session":{"auth_time":%q,"amr":["pwd"]},
"authentication":{"result":"success","method":"pwd"},"intent":{"scopes":["openid","accounts"]}}`, id, at, subject, subject, at)
}

type verdict struct {
	DecisionID string   `json:"decision_id"`
	Decision   string   `json:"decision"`
	Degraded   []string `json:"degraded"`
	History    struct{ Successes int }
	Policy     struct{ Version int }
}

func (r *running) post(path, body string) verdict {
	r.t.Helper()
	status, answer := r.ask(http.MethodPost, path, body)
	var v verdict
	if err := json.Unmarshal([]byte(answer), &v); err != nil || status != 200 {
		r.t.Fatalf("%s: %d %s", path, status, answer)
	}
	return v
}

// settle lets a user log in from home on many days, passing every challenge.
func (r *running) settle(subject string, days int) {
	r.t.Helper()
	for d := days; d >= 1; d-- {
		id := fmt.Sprintf("settle-%s-%d", subject, d)
		v := r.post("/v1/score", login(id, subject, time.Duration(d)*24*time.Hour))
		if v.Decision != "step_up" {
			continue
		}
		body := fmt.Sprintf(`{"feedback_id":"passed-%s","decision_id":%q,"kind":"outcome","value":"step_up_passed","source":"challenge"}`, id, v.DecisionID)
		if status, answer := r.ask(http.MethodPost, "/v1/feedback", body); status != 202 {
			r.t.Fatalf("feedback: %d %s", status, answer)
		}
	}
}

func TestOperatorsAreAnswered(t *testing.T) {
	r := boot(t, t.TempDir())
	for i := range 40 { // every sixteenth has its steps timed
		v := r.post("/v1/score", login(fmt.Sprint("op-", i), "anna", 0))
		if !slices.Contains(v.Degraded, "geo") {
			t.Fatalf("degraded %v without a geo file, want geo", v.Degraded)
		}
	}
	f := func(path string, want ...string) {
		t.Helper()
		status, body := r.operator(path)
		if status != 200 {
			t.Errorf("%s: %d", path, status)
		}
		for _, w := range want {
			if !strings.Contains(body, w) {
				t.Errorf("%s: no %s in\n%s", path, w, body)
			}
		}
	}
	f("/livez", "ok")
	f("/readyz", "ready")
	f("/version", `"version"`, `"schema"`, engine.DefaultPolicy().Digest, r.engine.Model().Digest())
	f("/metrics", `wary_decisions_total{decision="`, `wary_stage_seconds_bucket{stage="append",le="`, `wary_request_seconds_bucket{le="`,
		`wary_degraded_total{fault="geo"}`, "wary_journal_records_total", "wary_policy_version 1", "go_goroutines")
	if status, _ := r.operator("/v1/score"); status != 404 {
		t.Errorf("the operators' listener answers /v1/score with %d", status)
	}
	if status, _ := r.ask(http.MethodGet, "/metrics", ""); status != 404 {
		t.Errorf("the score API answers /metrics with %d", status)
	}
	if strings.Contains(r.log.String(), "81.152") || strings.Contains(r.log.String(), "anna") {
		t.Errorf("personal data in the log:\n%s", r.log)
	}
}

func TestRestartForgetsNothing(t *testing.T) {
	data := t.TempDir()
	first := boot(t, data)
	first.settle("anna", 7)
	before := first.post("/v1/evaluate", login("look", "anna", 0))
	if before.History.Successes != 7 {
		t.Fatalf("%d successes after 7", before.History.Successes)
	}
	attempt := login("retried", "anna", 0)
	_, answer := first.ask(http.MethodPost, "/v1/score", attempt)
	known := first.post("/v1/evaluate", login("look", "anna", 0)).History.Successes
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(data, "state.snapshot")); err != nil {
		t.Errorf("no snapshot after a clean stop: %v", err)
	}
	second := boot(t, data)
	if after := second.post("/v1/evaluate", login("look", "anna", 0)); after.History.Successes != known {
		t.Errorf("%d successes after the restart, %d before", after.History.Successes, known)
	}
	if _, again := second.ask(http.MethodPost, "/v1/score", attempt); again != answer {
		t.Errorf("the retry across the restart differs:\n%s\n%s", answer, again)
	}
	if control := boot(t, t.TempDir()).post("/v1/evaluate", login("look", "anna", 0)); control.History.Successes != 0 {
		t.Errorf("control: another folder knows %d successes", control.History.Successes)
	}
}

// TestDrain stops the daemon between the head and the body of a request.
func TestDrain(t *testing.T) {
	r := boot(t, t.TempDir())
	addr := r.score.String()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	body := login("in-flight", "anna", 0)
	fmt.Fprintf(c, "POST /v1/score HTTP/1.1\r\nHost: wary\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(body))
	answer := bufio.NewReader(c)
	if line, err := answer.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := answer.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	r.cancel()
	until(t, "the port is closed", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	if status, _ := r.operator("/readyz"); status != 503 {
		t.Errorf("/readyz says %d while stopping", status)
	}
	if _, err := io.WriteString(c, body); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(answer, nil)
	if err != nil {
		t.Fatalf("the request in flight was not answered: %v", err)
	}
	defer res.Body.Close()
	var v verdict
	if err := json.NewDecoder(res.Body).Decode(&v); err != nil || res.StatusCode != 200 || v.DecisionID == "" {
		t.Errorf("%d %+v %v", res.StatusCode, v, err)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	again := boot(t, r.c.Data)
	if status, _ := again.ask(http.MethodGet, "/v1/decisions/"+v.DecisionID, ""); status != 200 {
		t.Errorf("the decision answered while stopping has no receipt: %d", status)
	}
}

// TestStopAtOnce stops the daemon before its listener may have begun to serve.
func TestStopAtOnce(t *testing.T) {
	for range 2 {
		r := boot(t, t.TempDir())
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		if c, err := net.Dial("tcp", r.score.String()); err == nil {
			c.Close()
			t.Fatal("the port is still open")
		}
	}
}

// leaks compares the goroutines at the end with those at the beginning.
func leaks(t *testing.T) func() {
	before := goleak.IgnoreCurrent()
	return func() {
		t.Helper()
		// These of fasthttp outlive a server: one tells the time, one ends after a sleep of 10 s.
		clock := goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1")
		sleeper := goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2")
		if err := goleak.Find(before, clock, sleeper); err != nil {
			t.Error(err)
		}
	}
}

func TestNothingIsLeftRunning(t *testing.T) {
	check := leaks(t)
	r := boot(t, t.TempDir())
	r.post("/v1/score", login("a", "anna", 0))
	r.operator("/livez")
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	check()
}

func TestPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	data := t.TempDir()
	f := func(setting string) {
		t.Helper()
		defer leaks(t)()
		d, err := start(configure(t, data, "-"+setting, taken.Addr().String()), slog.New(slog.DiscardHandler))
		if d != nil || err == nil || !strings.HasPrefix(err.Error(), setting+":") || !strings.Contains(err.Error(), "address already in use") {
			t.Errorf("%s: %v, %v", setting, d, err)
		}
	}
	f("score.listen")
	f("operators.listen")
	boot(t, data) // the folder is free again
}

func TestOneDaemonForAFolder(t *testing.T) {
	data := t.TempDir()
	first := boot(t, data)
	first.post("/v1/score", login("a", "anna", 0))
	check := leaks(t)
	d, err := start(configure(t, data), slog.New(slog.DiscardHandler))
	if d != nil || err == nil || !strings.Contains(err.Error(), "in use by another process") || !strings.Contains(err.Error(), data) {
		t.Errorf("second daemon: %v, %v", d, err)
	}
	check()
	first.post("/v1/score", login("b", "anna", 0))
}

func TestReload(t *testing.T) {
	data := t.TempDir()
	policy, keys := filepath.Join(data, "policy.yaml"), filepath.Join(data, "keys.yaml")
	text := string(engine.DefaultPolicy().Text)
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	newKey := func(name string) (string, string) {
		t.Helper()
		key, row, err := scoreapi.NewKey(name, []string{"score"})
		if err != nil {
			t.Fatal(err)
		}
		return key, row
	}
	oldKey, oldRow := newKey("old")
	newerKey, newerRow := newKey("newer")
	write(policy, text)
	write(keys, oldRow)
	r := boot(t, data, "-policy", policy, "-score.keys", keys)
	times := 0
	reload := func() {
		t.Helper()
		times++
		r.again <- syscall.SIGHUP
		r.log.await(t, "read again", times)
	}
	status := func(key string) int {
		t.Helper()
		r.key = key
		status, _ := r.ask(http.MethodPost, "/v1/evaluate", login("a", "anna", 0))
		return status
	}
	version := func() int {
		t.Helper()
		r.key = oldKey
		return r.post("/v1/evaluate", login("a", "anna", 0)).Policy.Version
	}

	write(policy, strings.Replace(text, "version: 1\n", "version: 2\n", 1))
	if got := version(); got != 1 {
		t.Fatalf("policy version %d before the reload", got)
	}
	reload()
	if got := version(); got != 2 {
		t.Errorf("policy version %d after the reload, want 2", got)
	}
	write(policy, "version: 3\nnonsense: true\n")
	reload()
	if got := version(); got != 2 {
		t.Errorf("policy version %d after a broken file, want 2", got)
	}
	if log := r.log.String(); !strings.Contains(log, "policy not changed") || !strings.Contains(log, "nonsense") || !strings.Contains(log, "[2:1]") {
		t.Errorf("the refusal does not name the line:\n%s", log)
	}

	write(keys, oldRow+newerRow)
	if got := status(newerKey); got != 401 {
		t.Errorf("new key before the reload: %d", got)
	}
	reload()
	if got := status(newerKey); got != 200 {
		t.Errorf("new key after the reload: %d", got)
	}
	for _, broken := range []string{"", "[]\n", "- name: x\n  rights: [everything]\n"} {
		write(keys, broken)
		reload()
		if old, stranger := status(oldKey), status("wary_000000000000_x"); old != 200 || stranger != 401 {
			t.Errorf("keys %q: old key %d, stranger %d", broken, old, stranger)
		}
	}
	if log := r.log.String(); strings.Count(log, "keys not changed") != 3 || !strings.Contains(log, "everything") {
		t.Errorf("the refusals of the keys are not told:\n%s", log)
	}
	write(keys, newerRow)
	reload()
	if old := status(oldKey); old != 401 {
		t.Errorf("a key that was taken out: %d", old)
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	var out bytes.Buffer
	args := []string{"-check", "-data", data, "-geo.dir", dir}
	if err := run(args, noEnv, &out, io.Discard); err != nil || !strings.Contains(out.String(), "the configuration is good") || !strings.Contains(out.String(), "degraded: geo") {
		t.Errorf("%v\n%s", err, out.String())
	}
	if _, err := os.Stat(data); err == nil {
		t.Error("a check made the data folder")
	}
	broken := filepath.Join(dir, "GeoLite2-City.mmdb")
	if err := os.WriteFile(broken, []byte("no geo file"), 0o600); err != nil {
		t.Fatal(err)
	}
	args = append(args, "-policy=no-policy", "-score.keys=no-keys", "-tls.certificate=no-cert", "-tls.key=no-key", "-model=no-model", "-proxies=here")
	err := run(args, noEnv, &out, io.Discard)
	for _, want := range []string{"no-policy", "no-keys", "no-cert", "no-model", "here", broken} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}
