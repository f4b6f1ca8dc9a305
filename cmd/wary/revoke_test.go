package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestRevoke: what the command line says is what the operators' listener is told.
func TestRevoke(t *testing.T) {
	var told, path, contentType string
	status := http.StatusNoContent
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		told, path, contentType = string(body), r.Method+" "+r.URL.Path, r.Header.Get("Content-Type")
		w.WriteHeader(status)
		if status != http.StatusNoContent {
			_, _ = io.WriteString(w, `{"title":"Bad Request","status":400,"detail":"/because: say why"}`)
		}
	}))
	defer server.Close()
	t.Setenv("WARY_OPERATORS", server.URL)
	run := func(stdin string, args ...string) error {
		c := root()
		c.SetArgs(append([]string{"revoke"}, args...))
		c.SetIn(strings.NewReader(stdin))
		told = ""
		return c.ExecuteContext(t.Context())
	}
	f := func(want, stdin string, args ...string) {
		t.Helper()
		if err := run(stdin, args...); err != nil || told != want || path != "POST /v1/revocations" || contentType != "application/json" {
			t.Errorf("%v: %v; told %s %s %s", args, err, path, contentType, told)
		}
	}
	f(`{"because":"lost her phone","subject":"alice"}`, "", "--subject", "alice", "--because", "lost her phone")
	f(`{"because":"key leaked","by":"security","client":"budget"}`, "", "--client", "budget", "--because", "key leaked", "--by", "security")
	f(`{"because":"seen in a log","token":"a.b.c"}`, "a.b.c\n", "--token", "-", "--because", "seen in a log")
	refused := func(want, stdin string, args ...string) {
		t.Helper()
		if err := run(stdin, args...); err == nil || !strings.Contains(err.Error(), want) || status == http.StatusNoContent && told != "" {
			t.Errorf("%v: %v; told %s", args, err, told)
		}
	}
	refused("--because is missing", "", "--subject", "alice")
	refused("from standard input", "", "--token", "a.b.c", "--because", "x")
	refused("unexpected argument", "", "alice", "--because", "x")
	status = http.StatusBadRequest
	refused("say why", "", "--subject", "alice", "--because", "x")
}
