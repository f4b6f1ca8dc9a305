package resource_test

import (
	"bytes"
	"context"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/authz/resource"
)

// newShop returns the resource server of docs/resource.md: at url, for tokens of an
// issuer that runs elsewhere and are for audience.
func newShop(ctx context.Context, issuer resource.RemoteOptions, url, audience string) (http.Handler, error) {
	remote, err := resource.NewRemote(ctx, issuer)
	if err != nil {
		return nil, err
	}
	guard, err := resource.New(resource.Options{
		URL: url, Audience: audience, Find: remote.Find, Proofs: authz.NewProofs(time.Now),
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /orders", guard.Protect(resource.Needs{Scopes: []string{"accounts"}}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "orders of %s\n", resource.Token(r).Subject)
	})))
	mux.Handle("POST /orders", guard.Protect(resource.Needs{
		Scopes: []string{"accounts"}, ACRs: []string{"urn:wary:acr:possession"}, MaxAge: 5 * time.Minute,
	}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusCreated) })))
	return mux, nil
}

// ExampleVerifier_Protect asks a resource server for something without a token, and is
// told how to bring one.
func ExampleVerifier_Protect() {
	guard, err := resource.New(resource.Options{
		URL: "https://shop.example", Audience: "https://as.example", Proofs: authz.NewProofs(time.Now),
		Find: func(context.Context, string) (*authz.Token, error) { return nil, authz.ErrInactive }, // authz.Authority.Introspect, or Remote.Find
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	orders := guard.Protect(resource.Needs{Scopes: []string{"orders"}}, http.NotFoundHandler())
	w := httptest.NewRecorder()
	orders.ServeHTTP(w, httptest.NewRequest("GET", "https://shop.example/orders", nil))
	fmt.Println(w.Code)
	for _, challenge := range w.Header()["Www-Authenticate"] {
		fmt.Println(challenge)
	}
	// Output:
	// 401
	// DPoP algs="ES256 PS256 EdDSA"
	// Bearer
}

// TestTheServerOfTheDocs runs it against an issuer: a client reads, and is challenged
// where more is wanted; revoked, it is refused.
func TestTheServerOfTheDocs(t *testing.T) {
	r := newRemote(t)
	shop, err := newShop(t.Context(), resource.RemoteOptions{
		Issuer: r.issuer, ClientID: "bank", Key: r.key, KeyID: "k1", HTTP: r.server.Client(), Now: r.now, StatusLists: true,
	}, "https://shop.example", base)
	if err != nil {
		t.Fatal(err)
	}
	held := r.token("proving", "accounts")
	nonce := ""
	ask := func(method string) *httptest.ResponseRecorder {
		var w *httptest.ResponseRecorder
		for range 2 { // the second time with the nonce
			q := httptest.NewRequest(method, "https://shop.example/orders", nil)
			q.Header.Set("Authorization", "DPoP "+held)
			q.Header.Set("DPoP", r.proof(held, object{"htm": method, "htu": "https://shop.example/orders", "nonce": nonce}))
			w = httptest.NewRecorder()
			shop.ServeHTTP(w, q)
			if nonce = w.Header().Get("DPoP-Nonce"); !strings.Contains(w.Body.String(), "use_dpop_nonce") {
				break
			}
		}
		return w
	}
	if w := ask("GET"); w.Code != 200 || !strings.Contains(w.Body.String(), "orders of proving") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := ask("POST"); w.Code != 401 || !strings.Contains(w.Header().Get("WWW-Authenticate"), `acr_values="urn:wary:acr:possession", max_age="300"`) {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if err := r.authority.Revoke(t.Context(), authz.Target{Token: held}, "test", "because"); err != nil {
		t.Fatal(err)
	}
	r.sleep(500 * time.Millisecond)
	if w := ask("GET"); w.Code != 401 || !strings.Contains(w.Body.String(), "invalid_token") {
		t.Errorf("revoked: %d %s", w.Code, w.Body)
	}
}

// TestTheDocsShowThisServer: the function in docs/resource.md is the one that is tested
// here, to the letter.
func TestTheDocsShowThisServer(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "resource.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```go\n")
	shown, _, ok := strings.Cut(rest, "```\n")
	if !ok {
		t.Fatal("docs/resource.md shows no server")
	}
	own, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := function(t, shown), function(t, string(own)); got != want {
		t.Errorf("docs/resource.md shows\n%s\nand this is tested:\n%s", got, want)
	}
}

// function returns newShop of a source file, formatted.
func function(t *testing.T, source string) string {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == "newShop" {
			var b bytes.Buffer
			if err := format.Node(&b, fset, fn); err != nil {
				t.Fatal(err)
			}
			return b.String()
		}
	}
	t.Fatal("there is no newShop")
	return ""
}
