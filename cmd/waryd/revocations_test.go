package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/signals"
)

// TestRevocations ends a token by the operators' API; the bank refuses it at once, and
// the log has who and why.
func TestRevocations(t *testing.T) {
	clients := filepath.Join(t.TempDir(), "clients.yaml")
	c := newThirdParty(t)
	c.file(clients, "app")
	r := boot(t, t.TempDir(), "-authorization.listen=127.0.0.1:0", "-authorization.demo", "-authorization.clients="+clients)
	c.reach(r)
	_, body := c.token("app")
	token, _ := body["access_token"].(string)
	if status, _ := c.do("GET", "/bank/accounts", token, nil); status != 200 {
		t.Fatalf("the control: %d", status)
	}
	post := func(change func(*http.Request), document string) int {
		t.Helper()
		req := httptest.NewRequest("POST", "http://127.0.0.1:8081/v1/revocations", strings.NewReader(document))
		req.Header.Set("Content-Type", "application/json")
		if change != nil {
			change(req)
		}
		w := httptest.NewRecorder()
		r.revoke(w, req)
		return w.Code
	}
	good := `{"client":"app","because":"its key leaked","by":"security"}`
	for name, f := range map[string]struct {
		change func(*http.Request)
		text   string
		status int
	}{
		"a page of the web":    {func(q *http.Request) { q.Header.Set("Origin", "https://evil.example") }, good, 403},
		"a browser":            {func(q *http.Request) { q.Header.Set("Sec-Fetch-Site", "same-origin") }, good, 403},
		"a name that leads in": {func(q *http.Request) { q.Host = "evil.example:8081" }, good, 403},
		"a form":               {func(q *http.Request) { q.Header.Set("Content-Type", "application/x-www-form-urlencoded") }, good, 415},
		"nobody":               {nil, `{"because":"x"}`, 400},
		"two":                  {nil, `{"client":"app","subject":"alice","because":"x"}`, 400},
		"no reason":            {nil, `{"client":"app"}`, 400},
		"a line break":         {nil, `{"client":"app","because":"a\nb"}`, 400},
		"too long a reason":    {nil, `{"client":"app","because":"` + strings.Repeat("x", maxBecause+1) + `"}`, 400},
		"twice":                {nil, `{"client":"other","client":"app","because":"x"}`, 400},
		"another name":         {nil, `{"Client":"app","because":"x"}`, 400},
		"no JSON":              {nil, `client=app`, 400},
		"too long":             {nil, good + strings.Repeat(" ", maxRevocation), 400},
	} {
		if got := post(f.change, f.text); got != f.status {
			t.Errorf("%s: %d, want %d", name, got, f.status)
		}
	}
	if status, _ := c.do("GET", "/bank/accounts", token, nil); status != 200 {
		t.Fatalf("what was refused revoked: %d", status)
	}
	facts := r.engine.Follow(r.engine.End())
	defer facts.Close()
	begun := time.Now()
	status, _, err := ask(r.client, "", "POST", "http://"+loopbackOf(r.operators)+"/v1/revocations", good)
	if err != nil || status != 204 {
		t.Fatalf("%d %v", status, err)
	}
	if status, _ := c.do("GET", "/bank/accounts", token, nil); status != 401 {
		t.Errorf("revoked, and the bank answers %d", status)
	}
	t.Logf("from the request to the refusal: %v", time.Since(begun))
	if _, metrics := get(t, r, "/metrics"); !strings.Contains(metrics, `wary_authz_revocations_total{of="client"} `) {
		t.Error("revocations are not counted")
	}
	for said := false; !said; {
		f, err := facts.Next()
		if err != nil {
			t.Fatalf("the log does not have it: %v", err)
		}
		said = f.Event != nil && f.Event.Type == signals.ClientChanged && f.Event.By == "security" && f.Event.Because == "its key leaked" && f.Event.Kind == "client"
	}
	if status, _ := c.token("app"); status != 200 {
		t.Errorf("a client that was revoked gets a new token: %d", status) // its file still names it
	}
}

// FuzzParseRevocation: what is taken names one thing and a reason.
func FuzzParseRevocation(f *testing.F) {
	for _, s := range []string{`{"client":"app","because":"its key leaked","by":"security"}`, `{"subject":"alice","because":"x"}`, `{"token":"a.b","because":"x"}`, `{}`, `[]`, `null`, `{"client":1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parseRevocation(text)
		if err != nil {
			return
		}
		h := r.target
		set := 0
		for _, s := range []string{h.Subject, h.Session, h.Client, h.Grant, h.Token} {
			if s != "" {
				set++
			}
		}
		if set != 1 || r.because == "" || r.by == "" || len(r.because) > maxBecause || len(r.by) > maxBy {
			t.Errorf("%+v", r)
		}
	})
}

// TestRevocationsByKafka: what is no revocation can never be taken; where nothing is
// granted a revocation is for other nodes.
func TestRevocationsByKafka(t *testing.T) {
	r := boot(t, t.TempDir())
	if err := r.revokeTold(t.Context(), []byte(`{"subject":"alice"}`)); !errors.As(err, new(*engine.InputError)) {
		t.Errorf("without a reason: %v", err)
	}
	good := []byte(`{"subject":"alice","because":"her account was closed"}`)
	if err := r.revokeTold(t.Context(), good); err != nil {
		t.Errorf("without an authorization server: %v", err)
	}
	r.ready.Store(false)
	if err := r.revokeTold(t.Context(), good); err == nil || errors.As(err, new(*engine.InputError)) {
		t.Errorf("while starting: %v", err)
	}
}
