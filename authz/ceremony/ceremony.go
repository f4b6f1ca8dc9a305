// Package ceremony answers: how does a person prove who they are?
//
// [New] makes a [Server] of the pages that a person meets between a client's request
// and its answer: a password or a passkey, a code from an authenticator app or a passkey
// where the engine or the client asks for more, and consent to what is asked. They are
// plain HTML forms, a file per step, and need no script but for passkeys; every text
// stands in text.go. The accounts are those of a file ([ParseAccounts], [NewAccount]), or
// a bank's own login takes the place of passwords ([Bank]).
//
// One path shows every step: which, follows from where the interaction is, so that a
// page can be loaded again and going back leads to where things are. Each form is
// bound to its interaction and to the browser that began it.
//
// Whether an account exists is told by nothing: not by the answer, not by the
// limits, and not by the time, for a password is hashed in any case and the engine is
// asked in any case. What was typed is neither kept nor logged.
package ceremony

import (
	"context"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/internal/store"
	"github.com/waryauth/wary/signals"
)

// Options of the pages.
type Options struct {
	Authority *authz.Authority
	Accounts  *Accounts
	Store     store.Store // limits, used codes and login sessions
	Secret    [32]byte    // seals the accounts' secrets and signs forms; the same on every node

	Finish  func(http.ResponseWriter, *http.Request, *authz.Interaction, authz.Answer) // sends the browser back to the client
	Headers func(h http.Header, redirect string)                                       // of a page that may lead to a redirect URI
	Origin  func(*http.Request) authz.Origin                                           // what a request shows of itself

	Classes   Classes                    // what each way to prove oneself reaches
	Bank      *Bank                      // the bank's own login, in place of passwords; nil: there is none
	Collector bool                       // people are asked whether they may be measured (signals/collector)
	Recovery  time.Duration              // until passkeys may be changed without one; default [DefaultRecovery]
	Event     func(*signals.Event) error // has the engine learn of changes of credentials; nil: it does not

	Path    string          // of the pages, the issuer's own path included; default "/login"
	Proxies signals.Proxies // whose word counts for a person's address
	Session time.Duration   // how long a login stands for the next in the same browser; zero: it does not
	Now     func() time.Time
	Log     *slog.Logger
}

// Server serves the pages.
type Server struct {
	o        Options
	a        *authz.Authority
	accounts atomic.Pointer[Accounts]
	seal     cipher.AEAD
	formKey  []byte // of the tokens in forms
	nameKey  []byte // of what stands for a typed name
	hasher   *hasher
	pages    *pages
	party    *webauthn.WebAuthn // nil where passkeys cannot be had
	bank     *Bank
	mux      *http.ServeMux
}

// New returns the pages.
func New(o Options) (*Server, error) {
	if o.Path == "" {
		o.Path = "/login"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Authority == nil || o.Accounts == nil || o.Store == nil || o.Finish == nil || o.Headers == nil || o.Origin == nil {
		return nil, errors.New("ceremony: authority, accounts, store, Finish, Headers and Origin are required")
	}
	if o.Bank != nil {
		if err := o.Bank.check(); err != nil {
			return nil, fmt.Errorf("ceremony: %w", err)
		}
	}
	o.Classes.defaults()
	if err := o.Classes.Check(); err != nil {
		return nil, fmt.Errorf("ceremony: %w", err)
	}
	if o.Recovery == 0 {
		o.Recovery = DefaultRecovery
	}
	s := &Server{o: o, bank: o.Bank, a: o.Authority, hasher: newHasher(), mux: http.NewServeMux()}
	var err error
	if s.seal, err = newSeal(o.Secret); err != nil {
		return nil, err
	}
	if s.formKey, err = hkdf.Key(sha256.New, o.Secret[:], nil, "wary ceremony forms", 32); err != nil {
		return nil, err
	}
	if s.nameKey, err = hkdf.Key(sha256.New, o.Secret[:], nil, "wary ceremony names", 32); err != nil {
		return nil, err
	}
	if s.pages, err = newPages(o.Path); err != nil {
		return nil, err
	}
	if s.party, err = newRelyingParty(o.Authority.Issuer()); err != nil {
		return nil, fmt.Errorf("ceremony: passkeys: %w", err)
	}
	if err := s.SetAccounts(o.Accounts); err != nil {
		return nil, err
	}
	s.route()
	return s, nil
}

// SetAccounts puts accounts in force. The error names those whose app's secret was
// sealed with another key; then the accounts before stay.
func (s *Server) SetAccounts(a *Accounts) error {
	if err := a.check(s.seal); err != nil {
		return err
	}
	s.accounts.Store(a)
	return nil
}

// Claims returns the identity claims of a subject; sub is not among them.
func (s *Server) Claims(ctx context.Context, subject string) (map[string]any, error) {
	return s.accounts.Load().Claims(ctx, subject)
}

// Handler returns the handler of all pages, to be mounted at Path and below it.
func (s *Server) Handler() http.Handler { return s.mux }

func (s *Server) route() {
	post := func(step string, serve func(*submission)) {
		s.mux.Handle(s.o.Path+"/"+step, s.guard(func(w http.ResponseWriter, r *http.Request) {
			if sub := s.submitted(w, r); sub != nil {
				serve(sub)
			}
		}, http.MethodPost))
	}
	s.mux.Handle(s.o.Path, s.guard(s.show, http.MethodGet, http.MethodHead))
	s.mux.Handle(s.o.Path+"/", s.guard(s.missing, http.MethodGet, http.MethodHead))
	for path := range s.pages.files {
		s.mux.Handle(path, s.guard(s.file, http.MethodGet, http.MethodHead))
	}
	s.mux.Handle(s.o.Path+keysPath, s.guard(s.keys, http.MethodGet, http.MethodHead))
	if s.bank != nil {
		s.mux.Handle(s.o.Path+bankPath, s.guard(s.goToBank, http.MethodGet))
		s.mux.Handle(s.o.Path+bankPath+"/callback", s.guard(s.fromBank, http.MethodGet))
	}
	post("password", s.password)
	post("code", s.code)
	post("passkey", s.passkey)
	post("passkeys/add", s.addKey)
	post("passkeys/remove", s.removeKey)
	post("passkeys/recover", s.recover)
	post("passkeys/keep", s.keep)
	post("consent", s.consent)
	post("leave", s.leave)
	s.mux.Handle(s.o.Path+"/logout", s.guard(s.signOut, http.MethodPost))
}

// guard checks the method, sets the headers of pages and turns a panic into a page.
func (s *Server) guard(serve http.HandlerFunc, methods ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if fault := recover(); fault != nil {
				if err, ok := fault.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(fault)
				}
				s.o.Log.Error("ceremony: a request failed", "path", r.URL.Path, "fault", fault, "stack", string(debug.Stack()))
				s.ErrorPage(w, r, http.StatusInternalServerError, string(authz.ServerError))
			}
		}()
		s.o.Headers(w.Header(), "")
		for _, m := range methods {
			if r.Method == m {
				serve(w, r)
				return
			}
		}
		for _, m := range methods {
			w.Header().Add("Allow", m)
		}
		s.ErrorPage(w, r, http.StatusMethodNotAllowed, string(authz.InvalidRequest))
	})
}

func (s *Server) missing(w http.ResponseWriter, r *http.Request) {
	s.ErrorPage(w, r, http.StatusNotFound, "not_found")
}

// browser returns the secret of the browser's cookie, "" where there is none.
func browser(r *http.Request) string {
	if c, err := r.Cookie(authz.BrowserCookie); err == nil {
		return c.Value
	}
	return ""
}

// place returns what counts as the place of a request, where tries are limited.
func (s *Server) place(o *authz.Origin) string {
	if at, err := s.o.Proxies.Client(o.Network.IP, o.Network.ForwardedFor); err == nil && at.IP.IsValid() {
		return placeOf(at.IP)
	}
	return placeOf(netip.Addr{})
}
