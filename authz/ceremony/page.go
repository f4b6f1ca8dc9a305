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

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/internal/jose"
)

//go:embed web
var web embed.FS

// pages are the templates and the stylesheet.
type pages struct {
	templates map[string]*template.Template
	style     []byte
	stylePath string // changes with the stylesheet, so that it may be cached
}

func newPages(path string) (*pages, error) {
	p := &pages{templates: map[string]*template.Template{}}
	for _, name := range [...]string{"password", "code", "stuck", "consent", "message", "logout"} {
		t, err := template.ParseFS(web, "web/page.html", "web/"+name+".html")
		if err != nil {
			return nil, err
		}
		p.templates[name] = t
	}
	var err error
	if p.style, err = web.ReadFile("web/style.css"); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(p.style)
	p.stylePath = path + "/style-" + base64.RawURLEncoding.EncodeToString(sum[:6]) + ".css"
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

	SignedInAs string
	Offer      string // what the consent is for
	Offered    []permission
	Withheld   []permission

	Message  message
	Redirect string // after signing out
}

// stepTemplates names the template of each step that has a page.
var stepTemplates = [...]string{proveKnowledge: "password", provePossession: "code", cannotProve: "stuck", giveConsent: "consent"}

func (s *Server) page(w http.ResponseWriter, r *http.Request, in *authz.Interaction, at step, p problem) {
	s.o.Headers(w.Header(), in.Request.RedirectURI)
	v := view{
		T: &english, Path: s.o.Path, Interaction: in.ID, Token: s.formToken(in.ID, browser(r)), Client: printable(in.Client.Name),
		Title: [...]string{english.SignIn, english.Code, english.Stuck, english.Consent}[at], Problem: p.text(at),
	}
	if known := s.accounts.Load().bySubject[in.Person.Subject]; known != nil {
		v.SignedInAs = known.name
	}
	switch at {
	case proveKnowledge:
		v.Hint = printable(in.Request.LoginHint)
	case giveConsent:
		v.Offer = offerOf(in)
		v.Offered, v.Withheld = describe(in.Offer)
	}
	s.write(w, http.StatusOK, stepTemplates[at], &v)
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
	v.Style = s.pages.stylePath
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

func (s *Server) style(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age=86400, immutable")
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	_, _ = w.Write(s.pages.style)
}
