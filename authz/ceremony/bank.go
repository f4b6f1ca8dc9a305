package ceremony

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/internal/jose"
	"github.com/waryauth/wary/internal/store"
	"github.com/waryauth/wary/signals"
)

// Bank is a bank's own login, which takes the place of the passwords of this package:
// just one of Header and Provider. Whom it names, and nothing else, it is believed:
// classes and methods only as they stand in lists.
type Bank struct {
	Header   *Header
	Provider *Provider
	ACRs     []ACR    // the weakest first; another class of the bank's counts as none
	AMRs     []string // of RFC 8176, that are passed on
}

// ACR is an authentication context class of the bank's, and the one here that it reaches.
type ACR struct{ Theirs, Ours string }

// ParseACRs reads classes as they are configured: theirs=ours, separated by commas, the
// weakest first.
func ParseACRs(text string) (acrs []ACR, err error) {
	for entry := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(text) == "" {
			return nil, nil
		}
		theirs, ours, ok := strings.Cut(strings.TrimSpace(entry), "=")
		if !ok || theirs == "" || ours == "" || strings.Contains(ours, "=") || strings.ContainsAny(entry, "\"\\") {
			return nil, fmt.Errorf("%q is not THEIRS=OURS", entry)
		}
		if slices.ContainsFunc(acrs, func(a ACR) bool { return a.Theirs == theirs }) {
			return nil, fmt.Errorf("%q stands twice", theirs)
		}
		acrs = append(acrs, ACR{theirs, ours})
	}
	return acrs, nil
}

// bankPath is where people go to the bank's own login, below Path.
const bankPath = "/bank"

// Limits of what a bank says.
const (
	maxSubject = 200
	maxMethods = 16
)

// bankPrefix begins the subject of everybody whom a bank names: no client's id and no
// account here begins so (RFC 9700, section 4.15).
const bankPrefix = "u-"

func (b *Bank) path() string { return bankPath }

func (b *Bank) knows(subject string) bool { return strings.HasPrefix(subject, bankPrefix) }

func (b *Bank) check() error {
	if (b.Header == nil) == (b.Provider == nil) {
		return errors.New("a bank's login is a signed header or a provider")
	}
	return nil
}

// said is what a bank says of a person.
type said struct {
	Subject  string   `json:"sub"`
	ACR      string   `json:"acr"`
	AMR      []string `json:"amr"`
	AuthTime float64  `json:"auth_time"`
}

var errBank = errors.New("the bank's login says nothing that may be believed")

// person returns the person whom a bank names, with what of it is believed. A time that
// is missing is that of the bank's word; one from the future is no time.
func (b *Bank) person(t *said, word, now time.Time) (authz.Person, error) {
	p := authz.Person{Subject: bankPrefix + t.Subject, AuthTime: word, Session: newSessionID()}
	if t.Subject == "" || len(t.Subject) > maxSubject || strings.ContainsFunc(t.Subject, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return p, fmt.Errorf("%w: sub is not 1 to %d printable ASCII characters", errBank, maxSubject)
	}
	if t.AuthTime != 0 {
		p.AuthTime = time.Unix(int64(t.AuthTime), 0)
	}
	if t.AuthTime < 0 || p.AuthTime.After(now.Add(time.Minute)) || len(t.AMR) > maxMethods {
		return p, fmt.Errorf("%w: auth_time or amr is out of range", errBank)
	}
	if p.AuthTime.After(now) {
		p.AuthTime = now
	}
	if i := slices.IndexFunc(b.ACRs, func(a ACR) bool { return a.Theirs == t.ACR }); i >= 0 {
		p.ACR = b.ACRs[i].Ours
	}
	for _, m := range t.AMR {
		if slices.Contains(b.AMRs, m) && !slices.Contains(p.AMR, m) {
			p.AMR = append(p.AMR, m)
		}
	}
	return p, nil
}

// classes returns those of the bank's classes that would be what an interaction asks for.
func (b *Bank) classes(in *authz.Interaction, a *authz.Authority) (theirs []string) {
	p := in.Person
	p.AuthTime = a.Now()
	for _, acr := range b.ACRs {
		if p.ACR = acr.Ours; answers(in.Challenge, &p, b.AMRs) && a.Satisfies(in, &p) {
			theirs = append(theirs, acr.Theirs)
		}
	}
	return theirs
}

// asking is what the bank's login is to ask of a person.
type asking struct {
	acrs  []string
	again bool // whatever session there is
}

func (s *Server) asking(in *authz.Interaction) (q asking) {
	r := &in.Request
	q.again = in.Person.Subject != "" || r.Prompts("login")
	if q.again || len(r.ACRValues)+len(r.EssentialACR) > 0 {
		q.acrs = s.bank.classes(in, s.a)
	}
	return q
}

// bankURL returns where a person goes to the bank's login.
func (s *Server) bankURL(in *authz.Interaction) string {
	q, v := s.asking(in), url.Values{"interaction": {in.ID}}
	if s.bank.Header != nil { // whoever stands in front of the path reads what it is to ask
		if len(q.acrs) > 0 {
			v.Set("acr_values", strings.Join(q.acrs, " "))
		}
		if q.again {
			v.Set("prompt", "login")
		}
		if s := in.Request.LoginHint; s != "" && isField(s, maxField) {
			v.Set("login_hint", s)
		}
	}
	return s.o.Path + s.bank.path() + "?" + v.Encode()
}

// atBank reports whether an interaction is where the bank's login has a say.
func (s *Server) atBank(r *http.Request, in *authz.Interaction) (bool, error) {
	at, err := s.next(r.Context(), in)
	return err == nil && !in.Request.Prompts("none") && (at.at == proveKnowledge || at.at == proveMore && slices.Contains(at.ways, byBank)), err
}

// goToBank sends a person to the bank's provider, or takes the word of the proxy that let
// them through to here.
func (s *Server) goToBank(w http.ResponseWriter, r *http.Request) {
	_, in := s.asked(w, r)
	if in == nil {
		return
	}
	switch welcome, err := s.atBank(r, in); {
	case err != nil:
		s.failed(w, r, "find the next step", err)
		return
	case !welcome:
		s.onward(w, in, "")
		return
	}
	if s.bank.Header != nil {
		t, word, err := s.bank.Header.read(r, s.o.Store, s.a.Issuer(), s.o.Now())
		s.taken(w, r, in, t, word, err)
		return
	}
	to, err := s.bank.Provider.begin(r.Context(), s, in)
	if err != nil {
		s.o.Log.Error("ceremony: send a person to the bank's provider", "error", err)
		s.ErrorPage(w, r, http.StatusServiceUnavailable, string(authz.TemporarilyUnavailable))
		return
	}
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// taken goes on with a person whom the bank named at a moment.
func (s *Server) taken(w http.ResponseWriter, r *http.Request, in *authz.Interaction, t *said, word time.Time, err error) {
	var p authz.Person
	if err == nil {
		p, err = s.bank.person(t, word, s.o.Now())
	}
	first := in.Person.Subject == ""
	if err == nil && !first && p.Subject != in.Person.Subject {
		err = fmt.Errorf("%w: it named another person", errBank)
	}
	switch {
	case errors.Is(err, errBank):
		checked("bank", "refused")
		s.o.Log.Warn("ceremony: the bank's login was not believed", "why", err)
		s.ErrorPage(w, r, http.StatusForbidden, "bank")
		return
	case err != nil:
		s.failed(w, r, "take the word of the bank's login", err)
		return
	}
	checked("bank", "success")
	if !first { // asked for more: once
		p.Session = in.Person.Session
		if err := s.askedBank(r, in); err != nil {
			s.failed(w, r, "remember what the bank was asked", err)
			return
		}
	}
	f := &submission{w: w, r: r, in: in}
	login := &authz.Login{Person: p, Known: true, Result: signals.Success, Method: signals.Federated, Origin: s.o.Origin(r)}
	s.prove(f, login)
	if !first && in.Challenge == nil {
		s.met(r.Context(), p.Subject)
	}
}

func askedKey(in *authz.Interaction) string { return "bank-asked:" + jose.Digest(in.ID) }

// askedBank remembers that the bank's login was asked for more in an interaction: what
// it answered was all it has.
func (s *Server) askedBank(r *http.Request, in *authz.Interaction) error {
	until := store.Until(s.o.Now().Add(time.Hour)) // no interaction lives longer
	return store.Update(r.Context(), s.o.Store, askedKey(in), func(store.Value) ([]byte, store.Deadline, error) { return []byte{1}, until, nil })
}
