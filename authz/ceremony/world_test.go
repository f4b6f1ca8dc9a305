package ceremony

import (
	"fmt"
	"html"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/authz/fapi"
	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/internal/store/bolt"
	"github.com/waryauth/wary/signals"
)

const (
	callback = "https://client.example/cb"
	secretOf = "correct horse 1"
)

// publicKey is the example of RFC 7517, appendix A.1: of a client that signs nothing here.
const publicKey = `{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"sig","kid":"1"}`

// world is a running server with the pages of this package, people, and a clock that
// tests move.
type world struct {
	t         testing.TB
	server    *httptest.Server
	authority *authz.Authority
	pages     *Server
	store     *bolt.Store
	ahead     atomic.Int64 // of the real clock, nanoseconds
	appSecret string       // of alice's app

	mu     sync.Mutex
	decide func(*engine.Assessment) // the engine; nil: allow all
	change engine.Outcome           // to changes of credentials; 0: allow
	seen   []signals.Attempt
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

func (w *world) sleep(d time.Duration) { w.ahead.Add(int64(d)) }

func (w *world) score(x *engine.Assessment, _ time.Time) error {
	w.mu.Lock()
	decide, change := w.decide, w.change
	seen := x.Attempt
	seen.Session.AMR = slices.Clone(seen.Session.AMR) // the engine's memory is used again
	w.seen = append(w.seen, seen)
	w.mu.Unlock()
	g := engine.Grant{Scopes: slices.Clone(x.Attempt.Intent.Scopes), TTLSeconds: 300}
	for i := range x.Attempt.Intent.Details {
		g.Details[i] = true
	}
	x.Decision = engine.Decision{Outcome: engine.Allow, Probability: 0.001, Grant: g}
	if decide != nil && x.Attempt.Action == signals.Authorize {
		decide(x)
	}
	if change != 0 && x.Attempt.Action == signals.AccountChange {
		x.Decision.Outcome = change
	}
	return nil
}

// attempts returns what the engine was asked about people since the last call.
func (w *world) attempts() (of []signals.Attempt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.seen {
		if a.Action == signals.Authorize {
			of = append(of, a)
		}
	}
	w.seen = nil
	return of
}

func (w *world) decides(f func(*engine.Assessment)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.decide = f
}

func newWorld(t testing.TB, options ...func(*Options)) *world {
	t.Helper()
	w := &world{t: t}
	mux := http.NewServeMux()
	w.server = httptest.NewUnstartedServer(mux)
	w.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	const issuer = "https://example.com" // what the test server's certificate is for, and passkeys take no address
	var err error
	if w.store, err = bolt.Open(filepath.Join(t.TempDir(), "store"), bolt.Options{NoSync: true, Now: w.now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.store.Close() })
	keys, err := authz.OpenKeys(t.Context(), authz.KeyOptions{Store: w.store, Secret: worldSecret, Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	clients, err := authz.ParseClients([]byte(fmt.Sprintf(`clients: [{client_id: client-one, client_name: "Ledger <b>Lens</b>", redirect_uris: [%q], token_endpoint_auth_method: private_key_jwt,
		jwks: {keys: [%s]}, scope: openid profile accounts payments other, authorization_details_types: [payment_initiation, custom]}]`, callback, publicKey)))
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	w.authority, err = authz.New(authz.Options{Issuer: issuer, ACRs: ACRs(), Clients: clients, Keys: keys, Store: w.store, Score: w.score, Now: w.now,
		Deadline: 10 * time.Second, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	f, err := fapi.New(fapi.Options{Authority: w.authority, Ceremony: "/login", Log: quiet,
		ErrorPage: func(rw http.ResponseWriter, r *http.Request, status int, code string) {
			w.pages.ErrorPage(rw, r, status, code)
		},
		Logout: func(rw http.ResponseWriter, r *http.Request, l fapi.Logout) {
			w.pages.SignedOut(rw, r, l.Subject, l.Redirect)
		}})
	if err != nil {
		t.Fatal(err)
	}
	document, app := people()
	w.appSecret = app
	accounts, err := ParseAccounts([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Authority: w.authority, Accounts: accounts, Store: w.store, Secret: worldSecret, Finish: f.Finish, Headers: fapi.Page, Origin: fapi.Origin,
		Now: w.now, Log: quiet}
	for _, option := range options {
		option(&o)
	}
	if w.pages, err = New(o); err != nil {
		t.Fatal(err)
	}
	mux.Handle("/", f.Handler())
	mux.Handle("/login", w.pages.Handler())
	mux.Handle("/login/", w.pages.Handler())
	w.server.TLS = fapi.TLS()
	w.server.StartTLS()
	w.server.URL = issuer // its own client finds it by that name
	t.Cleanup(w.server.Close)
	return w
}

// worldSecret seals the secrets of people's apps.
var worldSecret = [32]byte{1}

// people are alice, who has an app, bob, who has none, and eve, who is disabled; and the
// secret of alice's app. They are made once, for their hashes take long.
var people = sync.OnceValues(newPeople)

func newPeople() (document, app string) {
	document = "accounts:\n"
	for _, name := range [...]string{"alice", "bob", "eve"} {
		row, link, err := NewAccount(name, secretOf, "Bank", worldSecret, name == "alice")
		if err != nil {
			panic(err)
		}
		document += row
		if u, err := url.Parse(link); err == nil && link != "" {
			app = u.Query().Get("secret")
		}
	}
	return document + "  disabled: true\n", app
}

// otp returns the code that alice's app shows, some steps from now.
func (w *world) otp(steps int) string {
	w.t.Helper()
	code, err := totp.GenerateCode(w.appSecret, w.now().Add(time.Duration(steps)*30*time.Second))
	if err != nil {
		w.t.Fatal(err)
	}
	return code
}

// tab is a browser before the pages of one interaction.
type tab struct {
	w      *world
	client *http.Client
	page   string // the text of the last page
	where  *url.URL
	status int
	header http.Header
}

func (w *world) browser() *tab {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &tab{w: w, client: &http.Client{Jar: jar, Transport: w.server.Client().Transport, CheckRedirect: stay}}
}

// request is what a client asks for; Challenge is that of RFC 7636, appendix B.
func request(change func(*authz.Request)) *authz.Request {
	r := &authz.Request{ClientID: "client-one", RedirectURI: callback, Scopes: []string{"openid", "accounts"}, State: "st", Challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}
	if change != nil {
		change(r)
	}
	return r
}

// come has the browser follow a client's request to the first page, or back.
func (b *tab) come(change func(*authz.Request)) *tab {
	b.w.t.Helper()
	a := b.w.authority
	uri, _, err := a.Push(b.w.t.Context(), a.Clients().Find("client-one"), request(change), &authz.Origin{})
	if err != nil {
		b.w.t.Fatal(err)
	}
	return b.get(b.w.server.URL + "/authorize?" + url.Values{"client_id": {"client-one"}, "request_uri": {uri}}.Encode())
}

func (b *tab) get(u string) *tab {
	b.w.t.Helper()
	r, err := http.NewRequest("GET", u, nil)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return b.send(r)
}

// send sends a request and follows redirects within the server, each with a GET.
func (b *tab) send(r *http.Request) *tab {
	b.w.t.Helper()
	if r.Header.Get("User-Agent") == "" {
		r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	}
	answer, err := b.client.Do(r)
	if err != nil {
		b.w.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	b.page, b.where, b.status, b.header = string(text), r.URL, answer.StatusCode, answer.Header
	if to := answer.Header.Get("Location"); to != "" {
		if answer.StatusCode != http.StatusSeeOther {
			b.w.t.Fatalf("redirect with %d, want 303", answer.StatusCode)
		}
		next, err := r.URL.Parse(to)
		if err != nil {
			b.w.t.Fatal(err)
		}
		if next.Host != r.URL.Host {
			b.where = next
			return b
		}
		return b.get(next.String())
	}
	return b
}

var (
	formsOf  = regexp.MustCompile(`(?s)<form method="post" action="([^"]*)"[^>]*>(.*?)</form>`)
	inputsOf = regexp.MustCompile(`<input[^>]* name="([^"]*)"[^>]*>`)
	valueOf  = regexp.MustCompile(` value="([^"]*)"`)
)

// form returns where a form of the page goes, and its fields.
func (b *tab) form(step string) (action string, fields url.Values) {
	b.w.t.Helper()
	for _, f := range formsOf.FindAllStringSubmatch(b.page, -1) {
		if !strings.HasSuffix(f[1], "/"+step) {
			continue
		}
		fields = url.Values{}
		for _, input := range inputsOf.FindAllStringSubmatch(f[2], -1) {
			fields.Set(input[1], "")
			if v := valueOf.FindStringSubmatch(input[0]); v != nil {
				fields.Set(input[1], html.UnescapeString(v[1]))
			}
		}
		return f[1], fields
	}
	b.w.t.Fatalf("status %d: no form to %q on the page:\n%s", b.status, step, b.page)
	return "", nil
}

// submit fills in a form of the page and sends it. Values are name and value in turn.
func (b *tab) submit(step string, values ...string) *tab {
	b.w.t.Helper()
	action, fields := b.form(step)
	for i := 0; i < len(values); i += 2 {
		fields.Set(values[i], values[i+1])
	}
	return b.post(action, fields.Encode())
}

func (b *tab) post(action, body string) *tab {
	b.w.t.Helper()
	r, err := http.NewRequest("POST", b.w.server.URL+action, strings.NewReader(body))
	if err != nil {
		b.w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.send(r)
}

func (b *tab) logIn(name string) *tab {
	b.w.t.Helper()
	return b.submit("password", "username", name, "password", secretOf)
}

// shows checks the page's title and that it has some texts.
func (b *tab) shows(title string, texts ...string) *tab {
	b.w.t.Helper()
	if !strings.Contains(b.page, "<h1>"+html.EscapeString(title)+"</h1>") {
		b.w.t.Fatalf("status %d at %s: want the page %q, got:\n%s", b.status, b.where, title, b.page)
	}
	for _, text := range texts {
		if !strings.Contains(b.page, html.EscapeString(text)) {
			b.w.t.Fatalf("want %q on the page:\n%s", text, b.page)
		}
	}
	return b
}

// returned checks that the browser was sent back to the client and returns how.
func (b *tab) returned() url.Values {
	b.w.t.Helper()
	if b.where.Host != "client.example" {
		b.w.t.Fatalf("status %d at %s: want the client's redirect URI, got:\n%s", b.status, b.where, b.page)
	}
	return b.where.Query()
}

func (b *tab) fails(code authz.ErrorCode) {
	b.w.t.Helper()
	if q := b.returned(); q.Get("error") != string(code) || q.Get("code") != "" || q.Get("iss") != b.w.server.URL {
		b.w.t.Fatalf("got %v, want the error %s", q, code)
	}
}

func (b *tab) succeeds() {
	b.w.t.Helper()
	if q := b.returned(); len(q.Get("code")) < 22 || q.Get("error") != "" || q.Get("iss") != b.w.server.URL || q.Get("state") != "st" {
		b.w.t.Fatalf("got %v, want a code", q)
	}
}

// stepUp is an engine that wants possession of everyone.
func stepUp(x *engine.Assessment) {
	if x.Attempt.Session.ACR != PossessionACR {
		x.Decision.Outcome, x.Decision.Challenge = engine.StepUp, engine.Challenge{ACRValues: []string{PossessionACR}}
	}
}
