// Package fapi answers: how is a token asked for over HTTP?
//
// It is the wire of an [authz.Authority]: OAuth 2.0 and OpenID Connect to the FAPI 2.0
// Security Profile and Message Signing, a file per endpoint. [New] makes a [Server],
// whose Handler serves the endpoints; [TLS] is how to listen for it. What is
// decided lies in authz; here are the ways of asking and the answers.
//
// The authorization endpoint hands the person over to a ceremony by a redirect, and
// the ceremony hands them back by calling [Server.Finish].
package fapi

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/signals"
)

// Paths of the endpoints, behind the issuer.
const (
	discoveryPath     = "/.well-known/openid-configuration"
	oauthPath         = "/.well-known/oauth-authorization-server"
	jwksPath          = "/jwks"
	parPath           = "/par"
	authorizePath     = "/authorize"
	tokenPath         = "/token"
	introspectionPath = "/introspect"
	revocationPath    = "/revoke"
	logoutPath        = "/logout"
)

// Options of a server.
type Options struct {
	Authority *authz.Authority
	Ceremony  string         // path of the page that a person is sent to, "?interaction=" and an id behind it
	MTLS      string         // base URL of a second listener for mutual TLS; default the issuer, where one listener does both
	ClientCAs *x509.CertPool // that certify tls_client_auth clients; nil: none is let in

	// ErrorPage shows a person what went wrong at the authorization endpoint. Nil: a line of text.
	ErrorPage func(w http.ResponseWriter, r *http.Request, status int, code string)
	// Logout ends the login session of a browser. Nil: there are none to end.
	Logout func(w http.ResponseWriter, r *http.Request, l Logout)

	PushesPerSecond float64 // of one client; default 50
	Log             *slog.Logger
}

// Server answers the endpoints.
type Server struct {
	o      Options
	a      *authz.Authority
	base   *url.URL // the issuer
	mtls   *url.URL
	mux    *http.ServeMux
	limits sync.Map // of clients: id to *rate.Limiter; as many as there are clients
}

// New returns a server; nothing is listened to yet.
func New(o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.PushesPerSecond == 0 {
		o.PushesPerSecond = 50
	}
	if o.Authority == nil || !strings.HasPrefix(o.Ceremony, "/") {
		return nil, errors.New("fapi: an authority and the path of a ceremony are required")
	}
	if o.MTLS == "" {
		o.MTLS = o.Authority.Issuer()
	}
	s := &Server{o: o, a: o.Authority, mux: http.NewServeMux()}
	var err error
	if s.base, err = url.Parse(s.a.Issuer()); err != nil {
		return nil, err
	}
	if s.mtls, err = url.Parse(strings.TrimSuffix(o.MTLS, "/")); err != nil || s.mtls.Scheme != "https" || s.mtls.Host == "" {
		return nil, errors.New("fapi: the base of mutual TLS is no https URL")
	}
	for _, e := range endpoints {
		path := s.base.Path + e.path
		if e.path == oauthPath {
			path = oauthPath + s.base.Path // RFC 8414, section 3.1
		}
		s.mux.Handle(path, s.guard(e))
	}
	return s, nil
}

// endpoint is one row of the routes.
type endpoint struct {
	path    string
	methods []string
	serve   func(*Server, http.ResponseWriter, *http.Request)
}

var endpoints = [...]endpoint{
	{discoveryPath, []string{"GET", "HEAD"}, (*Server).serveMetadata},
	{oauthPath, []string{"GET", "HEAD"}, (*Server).serveMetadata},
	{jwksPath, []string{"GET", "HEAD"}, (*Server).serveKeys},
	{parPath, []string{"POST"}, (*Server).push},
	{authorizePath, []string{"GET", "POST"}, (*Server).authorize},
	{tokenPath, []string{"POST"}, (*Server).token},
	{introspectionPath, []string{"POST"}, (*Server).introspect},
	{revocationPath, []string{"POST"}, (*Server).revoke},
	{authz.StatusPath, []string{"GET", "HEAD"}, (*Server).statusLists},
	{authz.StatusPath + "/{id}", []string{"GET", "HEAD"}, (*Server).statusList},
	{logoutPath, []string{"GET", "POST"}, (*Server).logout},
}

// Handler returns the handler of all endpoints. The ceremony's paths are not among them.
func (s *Server) Handler() http.Handler { return s.mux }

// guard checks the method and turns a panic into server_error.
func (s *Server) guard(e endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if fault := recover(); fault != nil {
				if err, ok := fault.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(fault)
				}
				s.o.Log.Error("fapi: a request failed", "path", e.path, "fault", fault, "stack", string(debug.Stack()))
				s.fail(w, r, &authz.Error{Code: authz.ServerError, Description: "the request failed"})
			}
		}()
		secure(w.Header())
		for _, m := range e.methods {
			if r.Method == m {
				e.serve(s, w, r)
				return
			}
		}
		w.Header().Set("Allow", strings.Join(e.methods, ", "))
		s.answer(w, http.StatusMethodNotAllowed, errorBody{Error: authz.InvalidRequest, Description: "the method is not one of this endpoint's"})
	})
}

// url returns the configured URL of an endpoint as the client reached it: the
// issuer's, or that of the listener for mutual TLS.
func (s *Server) url(r *http.Request, path string) string {
	if s.mtls.Host != s.base.Host && strings.EqualFold(r.Host, s.mtls.Host) {
		return s.mtls.String() + path
	}
	return s.base.String() + path
}

// allow reports whether a client may push another request now.
func (s *Server) allow(c *authz.Client) bool {
	l, ok := s.limits.Load(c.ID)
	if !ok {
		l, _ = s.limits.LoadOrStore(c.ID, rate.NewLimiter(rate.Limit(s.o.PushesPerSecond), max(1, int(2*s.o.PushesPerSecond))))
	}
	return l.(*rate.Limiter).Allow()
}

// TLS returns how to listen (FAPI 2.0, section 5.2): TLS 1.3, or 1.2 with the suites
// that BCP 195 recommends. A client certificate is asked for and not required: what
// it is worth is the client's matter.
func TLS(certificates ...tls.Certificate) *tls.Config {
	return &tls.Config{
		Certificates: certificates,
		MinVersion:   tls.VersionTLS12,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		},
		ClientAuth: tls.RequestClientCert,
		NextProtos: []string{"h2", "http/1.1"},
	}
}

// HTTP returns the server of a handler: [Server.Handler] with the ceremony's paths
// beside it. Its limits of time and size keep slow and large requests from holding it.
func HTTP(h http.Handler, certificates ...tls.Certificate) *http.Server {
	return &http.Server{
		Handler: h, TLSConfig: TLS(certificates...), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: maxHeader,
	}
}

// maxHeader bounds the headers of a request, the query among them.
const maxHeader = 48 << 10

// Origin returns where a request came from, for the engine. Its strings are the
// request's.
func Origin(r *http.Request) authz.Origin {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	h := r.Header
	return authz.Origin{
		Network: signals.NetworkPeer{IP: host, ForwardedFor: h.Values("X-Forwarded-For"), HTTPVersion: strings.TrimSuffix(strings.TrimPrefix(r.Proto, "HTTP/"), ".0")},
		Headers: signals.Headers{
			UserAgent: h.Get("User-Agent"), AcceptLanguage: h.Get("Accept-Language"), SecCHUA: h.Get("Sec-Ch-Ua"),
			SecCHUAPlatform: h.Get("Sec-Ch-Ua-Platform"), SecCHUAMobile: h.Get("Sec-Ch-Ua-Mobile"), Referer: h.Get("Referer"),
		},
	}
}
