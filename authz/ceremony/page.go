package ceremony

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/internal/jose"
	"github.com/waryauth/wary/signals/collector"
)

//go:embed web
var web embed.FS

// pages are the templates and the files that pages load.
type pages struct {
	templates map[string]*template.Template
	files     map[string]file // by path
	style     string          // path of the stylesheet
	script    string          // path of the pages' own script
	collector string          // path of the collector
}

// file is what a page loads. Its path changes with it, so that it may be cached.
type file struct {
	mediaType string
	data      []byte
}

func newPages(path string) (*pages, error) {
	p := &pages{templates: map[string]*template.Template{}, files: map[string]file{}}
	for _, name := range [...]string{"password", "more", "stuck", "paused", "consent", "passkeys", "message", "logout"} {
		t, err := template.ParseFS(web, "web/page.html", "web/"+name+".html")
		if err != nil {
			return nil, err
		}
		p.templates[name] = t
	}
	style, err := web.ReadFile("web/style.css")
	if err != nil {
		return nil, err
	}
	script, err := web.ReadFile("web/ceremony.js")
	if err != nil {
		return nil, err
	}
	add := func(name, end, mediaType string, data []byte) string {
		sum := sha256.Sum256(data)
		at := path + "/" + name + "-" + base64.RawURLEncoding.EncodeToString(sum[:6]) + end
		p.files[at] = file{mediaType, data}
		return at
	}
	p.style = add("style", ".css", "text/css; charset=utf-8", style)
	p.script = add("ceremony", ".js", "text/javascript; charset=utf-8", script)
	p.collector = add("collector", ".js", "text/javascript; charset=utf-8", collector.Script)
	return p, nil
}

// view is what a template shows.
type view struct {
	T     *texts
	Style string
	Host  string // of this server
	Title string

	Path        string // of the forms, before the step
	Interaction string
	Token       string
	Client      string
	Problem     string
	Hint        string // the name that the client expects

	Script    string // path of the pages' own script, "" where the page needs none
	Scripted  bool   // the page needs it
	Collector string // path of the collector, "" where nothing is measured
	Agreed    bool   // to be measured

	Options string // of navigator.credentials.get; "" where no passkey is asked for
	Code    bool   // a code is asked for
	Bank    string // where the bank's own login asks for more
	Then    string // where a form that proves more leads
	Until   string // when a pause ends
	Keys    string // path of the person's passkeys
	Notice  string // of a recovery that was begun
	Ring    *ring

	SignedInAs string
	Offer      string // what the consent is for
	Offered    []permission
	Withheld   []permission

	Message  message
	Redirect string // after signing out
}

// stepTemplates names the template of each step that has a page.
var stepTemplates = [...]string{proveKnowledge: "password", proveMore: "more", cannotProve: "stuck", paused: "paused", giveConsent: "consent"}

// view returns what every page of an interaction shows.
func (s *Server) view(w http.ResponseWriter, r *http.Request, in *authz.Interaction, at step, p problem) *view {
	s.o.Headers(w.Header(), in.Request.RedirectURI)
	v := &view{T: &english, Path: s.o.Path, Interaction: in.ID, Token: s.formToken(in.ID, browser(r)), Client: printable(in.Client.Name), Problem: p.text(at)}
	v.Title = [stepCount]string{english.SignIn, english.More, english.Stuck, english.Paused, english.Consent, "", english.Passkeys}[at]
	if in.Person.Subject != "" {
		v.SignedInAs = s.nameOf(in.Person.Subject)
	}
	return v
}

func (s *Server) page(w http.ResponseWriter, r *http.Request, in *authz.Interaction, at position, p problem) {
	v := s.view(w, r, in, at.at, p)
	if s.o.Collector && (at.at == proveKnowledge || at.at == proveMore) {
		v.Collector, v.Agreed, v.Scripted = s.pages.collector, s.agreed(r), true
	}
	var err error
	switch at.at {
	case proveKnowledge:
		v.Hint = printable(in.Request.LoginHint)
		if s.party != nil {
			v.Options, err = s.asks(r.Context(), in.ID, "")
		}
	case proveMore:
		v.Code = slices.Contains(at.ways, byCode)
		if slices.Contains(at.ways, byPasskey) {
			v.Options, err = s.asks(r.Context(), in.ID, in.Person.Subject)
		}
		if slices.Contains(at.ways, byBank) {
			v.Bank = s.bankURL(in)
		}
	case paused:
		v.Until = at.until.UTC().Format(english.TimeFormat)
	case giveConsent:
		v.Offer = offerOf(in)
		v.Offered, v.Withheld = describe(in.Offer)
		if s.party != nil {
			v.Keys = s.o.Path + keysPath + "?" + url.Values{"interaction": {in.ID}}.Encode()
		}
		if !at.held.Recovery.IsZero() {
			v.Notice = at.held.Recovery.UTC().Format(english.TimeFormat)
		}
	}
	if err != nil {
		s.failed(w, r, "make a challenge", err)
		return
	}
	v.Scripted = v.Scripted || v.Options != ""
	s.write(w, http.StatusOK, stepTemplates[at.at], v)
}

// ring is what a person sees of their passkeys.
type ring struct {
	Keys    []ringKey
	Options string // of navigator.credentials.create; "" where none may be added
	Change  bool
	Ask     bool
	Waiting string // until when, where a recovery was begun
	Days    int    // that one takes
}

type ringKey struct {
	ID, Name, Added, Used string
	Copied                bool
}

func (s *Server) ringOf(held *holdings, st *standing) *ring {
	r := &ring{Change: st.change, Ask: st.ask, Days: int((s.o.Recovery + 24*time.Hour - 1) / (24 * time.Hour))}
	for _, k := range held.Passkeys {
		shown := ringKey{ID: base64.RawURLEncoding.EncodeToString(k.ID), Name: printable(k.Name), Added: k.Added.UTC().Format(english.DateFormat), Copied: k.Copied}
		if !k.Used.IsZero() {
			shown.Used = k.Used.UTC().Format(english.DateFormat)
		}
		r.Keys = append(r.Keys, shown)
	}
	if !held.Recovery.IsZero() && !st.change {
		r.Waiting = held.Recovery.UTC().Format(english.TimeFormat)
	}
	return r
}

// offerOf returns what stands for the person and the offer that a page shows.
func offerOf(in *authz.Interaction) string {
	text, err := json.Marshal(struct {
		Subject string
		Offer   *authz.Offer
	}{in.Person.Subject, in.Offer})
	if err != nil {
		return "" // of raw JSON that is none: authz lets none in
	}
	return jose.Digest(string(text))
}

// ErrorPage shows a person what went wrong, by the code of an OAuth error.
func (s *Server) ErrorPage(w http.ResponseWriter, _ *http.Request, status int, code string) {
	s.o.Headers(w.Header(), "")
	s.message(w, status, errorMessage(code))
}

func (s *Server) message(w http.ResponseWriter, status int, m message) {
	s.write(w, status, "message", &view{T: &english, Title: m.Title, Message: m})
}

func (s *Server) write(w http.ResponseWriter, status int, name string, v *view) {
	v.Style = s.pages.style
	if v.Scripted {
		v.Script = s.pages.script
		h := w.Header()
		h.Set("Content-Security-Policy", h.Get("Content-Security-Policy")+"; script-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'")
	}
	if u, err := url.Parse(s.a.Issuer()); err == nil {
		v.Host = u.Host
	}
	var b bytes.Buffer
	if err := s.pages.templates[name].ExecuteTemplate(&b, "page.html", v); err != nil {
		s.o.Log.Error("ceremony: write a page", "page", name, "error", err)
		http.Error(w, english.Errors[len(english.Errors)-1].Text, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a browser that has gone is no fault
}

// file sends what pages load.
func (s *Server) file(w http.ResponseWriter, r *http.Request) {
	f := s.pages.files[r.URL.Path]
	w.Header().Set("Cache-Control", "public, max-age=86400, immutable")
	w.Header().Set("Content-Type", f.mediaType)
	_, _ = w.Write(f.data)
}
