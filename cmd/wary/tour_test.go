package main

import (
	"context"
	"encoding/pem"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/authz/ceremony"
	"github.com/waryauth/wary/authz/fapi"
	"github.com/waryauth/wary/authz/resource"
	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/internal/store/bolt"
	"github.com/waryauth/wary/models"
)

// authorize DATA [careless] starts an authorization server with a bank on the files
// that wary tour --prepare wrote, and puts its address into $ISSUER. A careless bank
// asks for no token.
func authorize(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: authorize DATA [careless]")
	}
	data := ts.MkAbs(args[0])
	clients, err := authz.ParseClients([]byte(ts.ReadFile(filepath.Join(data, "tour", "clients.yaml"))))
	ts.Check(err)
	accounts, err := ceremony.ParseAccounts([]byte(ts.ReadFile(filepath.Join(data, "tour", "accounts.yaml"))))
	ts.Check(err)
	secret, err := readHexSecret(filepath.Join(data, "authorization.secret"))
	ts.Check(err)
	model, err := models.Baseline()
	ts.Check(err)
	e, err := engine.Open(filepath.Join(data, "engine"), engine.Options{Secret: secret, Model: model})
	ts.Check(err)
	s, err := bolt.Open(filepath.Join(data, "authorization.db"), bolt.Options{})
	ts.Check(err)
	keys, err := authz.OpenKeys(context.Background(), authz.KeyOptions{Store: s, Secret: secret})
	ts.Check(err)

	mux := http.NewServeMux()
	server := httptest.NewUnstartedServer(mux)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	server.TLS = fapi.TLS()
	server.StartTLS()
	ts.Defer(func() {
		server.Close()
		_ = errors.Join(e.Close(), s.Close()) // the script has read what it wanted
	})
	ts.Check(os.WriteFile(filepath.Join(data, "authorization.crt"),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	ts.Setenv("ISSUER", server.URL)
	o := authz.Options{Issuer: server.URL, ACRs: ceremony.ACRs(), Clients: clients, Keys: keys, Store: s, Score: e.Score, Secret: secret, Log: slog.New(slog.DiscardHandler)}
	bank := joinPages(ts, mux, o, accounts)
	if len(args) > 1 && args[1] == "careless" {
		bank = http.HandlerFunc(madeUpAccounts)
	}
	mux.Handle("/bank/accounts", bank)
}

// joinPages joins the endpoints and the pages as the daemon does, and returns the bank.
func joinPages(ts *testscript.TestScript, mux *http.ServeMux, o authz.Options, accounts *ceremony.Accounts) http.Handler {
	authority, err := authz.New(o)
	ts.Check(err)
	wire, err := fapi.New(fapi.Options{Authority: authority, Ceremony: "/login", Log: o.Log})
	ts.Check(err)
	pages, err := ceremony.New(ceremony.Options{
		Authority: authority, Accounts: accounts, Store: o.Store, Secret: o.Secret, Finish: wire.Finish, Headers: fapi.Page, Origin: fapi.Origin, Path: "/login", Log: o.Log,
	})
	ts.Check(err)
	guard, err := resource.New(resource.Options{URL: o.Issuer, Audience: authority.Audience(), Find: authority.Introspect, Proofs: authority.Proofs(), Log: o.Log})
	ts.Check(err)
	mux.Handle("/", wire.Handler())
	mux.Handle("/login", pages.Handler())
	mux.Handle("/login/", pages.Handler())
	return guard.Protect(resource.Needs{Scopes: []string{"accounts"}}, http.HandlerFunc(madeUpAccounts))
}

func madeUpAccounts(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"accounts":[{"name":"Everyday account"}]}`)) // the client went away
}
