package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/authz/resource"
	"github.com/waryauth/wary/internal/jose"
)

// counter is the bank with a token that tests change, held by a certificate.
type counter struct {
	t     *testing.T
	bank  http.Handler
	token authz.Token
	cert  *x509.Certificate
}

const strong, weak = "strong", "weak"

func detail(amount, currency, payee string) authz.Detail {
	text, _ := json.Marshal(map[string]any{"type": paymentType, "instructedAmount": map[string]string{"amount": amount, "currency": currency}, "creditorName": payee})
	return authz.Detail{Type: paymentType, Raw: text}
}

func newCounter(t *testing.T) *counter {
	t.Helper()
	own, err := ownCertificate(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	c := &counter{t: t}
	if c.cert, err = x509.ParseCertificate(own.Certificate[0]); err != nil {
		t.Fatal(err)
	}
	c.token = authz.Token{
		ID: "grant.decision", ClientID: "budget", Subject: "alice", Audience: []string{"https://bank.example"}, Scopes: []string{"accounts", "payments"},
		Details: []authz.Detail{detail("25.00", "GBP", "Green Grocers")}, ACR: strong, AuthTime: time.Now(), Expires: time.Now().Add(time.Hour),
		Bound: authz.Possession{X5T: jose.CertificateThumbprint(c.cert)},
	}
	guard, err := resource.New(resource.Options{URL: "https://bank.example", Audience: "https://bank.example", Proofs: authz.NewProofs(time.Now),
		Find: func(context.Context, string) (*authz.Token, error) { token := c.token; return &token, nil }})
	if err != nil {
		t.Fatal(err)
	}
	c.bank = bank(guard, strong)
	return c
}

func (c *counter) pay(body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "https://bank.example/bank/payments", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer token")
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{c.cert}}
	w := httptest.NewRecorder()
	c.bank.ServeHTTP(w, r)
	return w
}

func (c *counter) pays(body string, status int, word string) {
	c.t.Helper()
	if w := c.pay(body); w.Code != status || !strings.Contains(w.Body.String(), word) {
		c.t.Errorf("%.80s: %d %s, want %d %s", body, w.Code, w.Body, status, word)
	}
}

const groceries = `{"payment_id":"p-1","amount":"25.00","currency":"GBP","payee":"Green Grocers"}`

// TestPayments: one payment, changed in one way each time. The unchanged one is the control.
func TestPayments(t *testing.T) {
	newCounter(t).pays(groceries, 201, `"status":"done"`)
	for name, f := range map[string]struct {
		change func(*counter)
		body   string
		status int
		word   string
	}{
		"another amount":         {nil, strings.Replace(groceries, "25.00", "250.00", 1), 403, "not_authorized"},
		"a penny more":           {nil, strings.Replace(groceries, "25.00", "25.01", 1), 403, "not_authorized"},
		"another currency":       {nil, strings.Replace(groceries, "GBP", "EUR", 1), 403, "not_authorized"},
		"another payee":          {nil, strings.Replace(groceries, "Green", "Mean", 1), 403, "not_authorized"},
		"the same, shorter":      {nil, strings.Replace(groceries, "25.00", "25", 1), 201, "done"},
		"no scope":               {func(c *counter) { c.token.Scopes = []string{"accounts"} }, groceries, 403, "insufficient_scope"},
		"no detail":              {func(c *counter) { c.token.Details = nil }, groceries, 403, "insufficient_scope"},
		"detail of another type": {func(c *counter) { c.token.Details[0].Type = "account_information" }, groceries, 403, "insufficient_scope"},
		"password alone":         {func(c *counter) { c.token.ACR = weak }, groceries, 401, "insufficient_user_authentication"},
		"ten minutes ago":        {func(c *counter) { c.token.AuthTime = time.Now().Add(-10 * time.Minute) }, groceries, 401, "insufficient_user_authentication"},
		"nothing":                {nil, strings.Replace(groceries, "25.00", "0.00", 1), 400, "invalid_request"},
		"less than nothing":      {nil, strings.Replace(groceries, "25.00", "-25.00", 1), 400, "invalid_request"},
		"a number":               {nil, strings.Replace(groceries, `"25.00"`, "25.00", 1), 400, "invalid_request"},
		"a member twice":         {nil, strings.Replace(groceries, `{`, `{"amount":"1.00",`, 1), 400, "invalid_request"},
		"a member more":          {nil, strings.Replace(groceries, `{`, `{"fee":"1.00",`, 1), 400, "invalid_request"},
		"no payee":               {nil, strings.Replace(groceries, "Green Grocers", "", 1), 400, "invalid_request"},
		"no id":                  {nil, strings.Replace(groceries, "p-1", "", 1), 400, "invalid_request"},
		"too long":               {nil, groceries + strings.Repeat(" ", maxPayment), 400, "invalid_request"},
		"no JSON":                {nil, "payment", 400, "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCounter(t)
			if f.change != nil {
				f.change(c)
			}
			c.pays(f.body, f.status, f.word)
		})
	}
}

// TestAStepUpForAPayment: the challenge says what is wanted (RFC 9470, section 3), and
// with it the same payment is made.
func TestAStepUpForAPayment(t *testing.T) {
	c := newCounter(t)
	c.token.ACR = weak
	got := c.pay(groceries).Header().Get("WWW-Authenticate")
	if !strings.Contains(got, `error="insufficient_user_authentication"`) || !strings.Contains(got, `acr_values="strong", max_age="300"`) {
		t.Errorf("WWW-Authenticate: %s", got)
	}
	c.token.ACR = strong
	c.pays(groceries, 201, "done")
}

// TestPaymentsAreMadeOnce: the same again is the same payment; a detail pays once.
func TestPaymentsAreMadeOnce(t *testing.T) {
	c := newCounter(t)
	c.pays(groceries, 201, "done")
	c.pays(groceries, 200, "done")
	c.pays(strings.Replace(groceries, "p-1", "p-2", 1), 403, "already_paid")
	c.token.ID = "grant.another decision" // refreshed
	c.pays(strings.Replace(groceries, "p-1", "p-2", 1), 403, "already_paid")
	c.token.Details = append(c.token.Details, detail("5.00", "GBP", "Green Grocers"))
	c.pays(strings.Replace(groceries, "25.00", "5.00", 1), 409, "payment_id_reused")
	c.pays(`{"payment_id":"p-3","amount":"5.00","currency":"GBP","payee":"Green Grocers"}`, 201, "done")
	c.token.Subject = "bob" // whose payment p-1 is another
	c.token.ID = "bobs.decision"
	c.pays(groceries, 201, "done")
}
