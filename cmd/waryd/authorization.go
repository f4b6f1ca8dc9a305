package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/authz/ceremony"
	"github.com/waryauth/wary/authz/fapi"
	"github.com/waryauth/wary/authz/resource"
	"github.com/waryauth/wary/internal/store"
	"github.com/waryauth/wary/internal/store/bolt"
	"github.com/waryauth/wary/internal/store/redis"
	"github.com/waryauth/wary/signals"
)

// keysEvery is how often signing keys are looked at: other nodes may have changed them.
const keysEvery = 5 * time.Minute

// learnEvery is how often what clients use of their grants is counted.
const learnEvery = 5 * time.Second

// loginPath is where the authorization endpoint sends people, behind the issuer.
const loginPath = "/login"

// authorization is the authorization server of a daemon.
type authorization struct {
	authority   *authz.Authority
	pages       *ceremony.Server
	keys        *authz.Keys
	store       store.Store
	server      *http.Server
	certificate atomic.Pointer[tls.Certificate]
	claimNames  atomic.Pointer[[]string] // of the accounts in force
	addr        net.Addr                 // where it listens, port 0 resolved
}

// authorizationParts are what its configuration names, read and checked.
type authorizationParts struct {
	clients     *authz.Clients
	accounts    *ceremony.Accounts
	bank        *ceremony.Bank // the bank's own login, or nil
	clientCAs   *x509.CertPool
	certificate *tls.Certificate // nil: one is made
}

// validateAuthorization checks what the authorization server's configuration says by itself.
func (c *Config) validateAuthorization(fail func(format string, args ...any)) {
	a := &c.Authorization
	if a.Listen == "" {
		return
	}
	if _, _, err := net.SplitHostPort(a.Listen); err != nil {
		fail("authorization.listen: %q is no host:port", a.Listen)
	}
	if (a.Certificate == "") != (a.Key == "") {
		fail("authorization: certificate and key go together")
	}
	if a.Rotate < 2*time.Hour {
		fail("authorization.rotate: %v is less than 2h, which a key is published before and after it signs", a.Rotate)
	}
	if a.Deadline < time.Millisecond || a.Deadline > 5*time.Second {
		fail("authorization.deadline: %v is not in 1ms..5s", a.Deadline)
	}
	if a.StatusTTL < time.Second || a.StatusTTL > time.Minute || a.StatusTTL%time.Second != 0 {
		fail("authorization.status_ttl: %v is not in 1s..60s, in whole seconds", a.StatusTTL)
	}
	if a.MaxConnections < 1 {
		fail("authorization.max_connections: %d is less than 1", a.MaxConnections)
	}
	if a.Session < 0 {
		fail("authorization.session: is negative")
	}
	if loopback(a.Listen) {
		return
	}
	for _, n := range [...]struct{ path, value string }{{"issuer", a.Issuer}, {"certificate", a.Certificate}, {"clients", a.Clients}} {
		if n.value == "" {
			fail("authorization.listen: %s is not loopback: refused without authorization.%s", a.Listen, n.path)
		}
	}
	if a.Demo {
		fail("authorization.demo: stays on loopback")
	}
}

func readAuthorization(c *Config) (p authorizationParts, err error) {
	a := &c.Authorization
	if a.Listen == "" {
		return p, nil
	}
	var wrong [5]error
	p.clients, wrong[0] = readClients(a.Clients)
	p.accounts, wrong[3] = readAccounts(a.Accounts)
	p.bank, wrong[4] = readLogin(&a.Login)
	if a.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(a.Certificate, a.Key)
		if err != nil {
			wrong[1] = fmt.Errorf("authorization.certificate: %w", err)
		}
		p.certificate = &pair
	}
	if a.ClientCA != "" {
		pem, err := os.ReadFile(a.ClientCA)
		p.clientCAs = x509.NewCertPool()
		if err == nil && !p.clientCAs.AppendCertsFromPEM(pem) {
			err = errors.New("holds no certificate")
		}
		if err != nil {
			wrong[2] = fmt.Errorf("authorization.client_ca: %s: %w", a.ClientCA, err)
		}
	}
	return p, errors.Join(wrong[:]...)
}

func readClients(path string) (*authz.Clients, error) {
	if path == "" {
		return authz.ParseClients(nil)
	}
	return parsed("authorization.clients", path, authz.ParseClients)
}

func readAccounts(path string) (*ceremony.Accounts, error) {
	if path == "" {
		return ceremony.ParseAccounts(nil)
	}
	return parsed("authorization.accounts", path, ceremony.ParseAccounts)
}

// openStore opens the file, or the server, where what is taken once lies, and reports
// whether other nodes share it.
func openStore(ctx context.Context, c *Config) (s store.Store, shared bool, err error) {
	at := c.Authorization.Store
	if at == "" {
		at = filepath.Join(c.Data, "authorization.db")
	}
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "redis" && u.Scheme != "rediss" {
		s, err := bolt.Open(at, bolt.Options{})
		return s, false, err
	}
	o := redis.Options{Addresses: strings.Split(u.Host, ","), Username: u.User.Username()}
	o.Password, _ = u.User.Password()
	if u.Scheme == "rediss" {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: u.Hostname()}
	}
	s, err = redis.Open(ctx, o)
	return s, true, err
}

// readAuthorizationSecret returns the secret that seals the signing keys; that of the
// data folder is made at the first start.
func readAuthorizationSecret(c *Config) ([32]byte, error) {
	if c.Authorization.Secret == "" {
		return secretAt(filepath.Join(c.Data, "authorization.secret"))
	}
	text, err := os.ReadFile(c.Authorization.Secret)
	if err != nil {
		return [32]byte{}, err
	}
	raw, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(raw) != 32 {
		return [32]byte{}, fmt.Errorf("%s: is not 64 hexadecimal digits", c.Authorization.Secret)
	}
	return [32]byte(raw), nil
}

// startAuthorization opens the store and the signing keys and listens. Nothing is
// left open on an error.
func (d *daemon) startAuthorization(p *authorizationParts) (err error) {
	c := &d.c.Authorization
	if c.Listen == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	a := &authorization{}
	secret, err := readAuthorizationSecret(d.c)
	if err != nil {
		return fmt.Errorf("authorization.secret: %w", err)
	}
	s, shared, err := openStore(ctx, d.c)
	if err != nil {
		return fmt.Errorf("authorization.store: %w", err)
	}
	a.store = s
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if a.keys, err = authz.OpenKeys(ctx, authz.KeyOptions{Store: s, Secret: secret, Every: c.Rotate}); err != nil {
		return fmt.Errorf("authorization: %w", err)
	}
	if p.certificate == nil {
		if p.certificate, err = ownCertificate(d.c.Data, time.Now()); err != nil {
			return fmt.Errorf("authorization.certificate: %w", err)
		}
	}
	a.certificate.Store(p.certificate)
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("authorization.listen: %w", err)
	}
	a.addr = l.Addr()
	handler, err := a.routes(d, p, secret, shared)
	if err != nil {
		return errors.Join(fmt.Errorf("authorization: %w", err), l.Close())
	}
	if err := a.settle(ctx); err != nil {
		return errors.Join(fmt.Errorf("authorization.accounts: %w", err), l.Close())
	}
	a.serve(limit(l, c.MaxConnections), handler, a.browsersHost(c.MTLSURL), d.log, d.failed)
	d.authorization = a
	d.log.Info("authorization server", "listen", a.addr.String(), "issuer", a.authority.Issuer(), "clients", p.clients.Len())
	return nil
}

// nameClaims has the metadata name the claims of the accounts in force.
func (a *authorization) nameClaims(accounts *ceremony.Accounts) {
	names := accounts.ClaimNames()
	a.claimNames.Store(&names)
}

// routes joins the authority, its endpoints, the pages where people log in and the
// demonstration's bank, which know nothing of each other.
func (a *authorization) routes(d *daemon, p *authorizationParts, secret [32]byte, shared bool) (http.Handler, error) {
	c := &d.c.Authorization
	issuer := c.Issuer
	if issuer == "" {
		_, port, _ := net.SplitHostPort(a.addr.String())
		issuer = "https://localhost:" + port
	}
	a.nameClaims(p.accounts)
	var err error
	a.authority, err = authz.New(authz.Options{
		Issuer: issuer, ACRs: c.Login.classes().Ordered(), Clients: p.clients, Keys: a.keys, Store: a.store, Score: d.engine.Score, Policy: d.engine.Policy, Tell: d.engine.Feedback, Deadline: c.Deadline,
		Record: d.engine.Event, StatusTTL: c.StatusTTL,
		Claims:     func(ctx context.Context, subject string) (map[string]any, error) { return a.pages.Claims(ctx, subject) },
		ClaimNames: func() []string { return *a.claimNames.Load() }, SharedReplay: shared, Secret: secret, Log: d.log,
	})
	if err != nil {
		return nil, err
	}
	wire, err := fapi.New(fapi.Options{
		Authority: a.authority, Ceremony: loginPath, MTLS: c.MTLSURL, ClientCAs: p.clientCAs, Log: d.log,
		ErrorPage: func(w http.ResponseWriter, r *http.Request, status int, code string) {
			a.pages.ErrorPage(w, r, status, code)
		},
		Logout: func(w http.ResponseWriter, r *http.Request, l fapi.Logout) {
			a.pages.SignedOut(w, r, l.Subject, l.Redirect)
		},
	})
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(issuer)
	if err != nil {
		return nil, err
	}
	login := base.Path + loginPath
	a.pages, err = ceremony.New(ceremony.Options{
		Authority: a.authority, Accounts: p.accounts, Store: a.store, Secret: secret, Finish: wire.Finish, Headers: fapi.Page, Origin: fapi.Origin,
		Path: login, Proxies: d.proxies, Session: c.Session, Log: d.log, Classes: c.Login.classes(), Bank: p.bank, Collector: c.Login.Collector,
		Recovery: c.Login.Recovery, Event: func(e *signals.Event) error { return d.engine.Event(e, time.Now()) },
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", wire.Handler())
	mux.Handle(login, a.pages.Handler())
	mux.Handle(login+"/", a.pages.Handler())
	return mux, a.resources(mux, base.Path, wire, c.Demo, c.MTLSURL, d.log)
}

// resources puts what takes access tokens behind a verifier: userinfo, and the bank.
func (a *authorization) resources(mux *http.ServeMux, path string, wire *fapi.Server, demo bool, mtls string, log *slog.Logger) error {
	o := resource.Options{URL: a.authority.Issuer(), Audience: a.authority.Audience(), Find: a.authority.Introspect, Proofs: a.authority.Proofs(), ACRs: a.authority.ACRs(), Used: a.authority.Used, Log: log}
	if mtls != "" {
		o.Aliases = []string{mtls}
	}
	guard, err := resource.New(o)
	if err != nil {
		return err
	}
	openid := func(h http.Handler) http.Handler { return guard.Protect(resource.Needs{Scopes: []string{"openid"}}, h) }
	mux.Handle(path+fapi.UserInfoPath, wire.UserInfo(openid, resource.Token))
	if demo {
		mux.Handle("/bank/", bank(guard, ceremony.PossessionACR))
	}
	return nil
}

// browsersHost returns the host of the issuer where mutual TLS has another one.
func (a *authorization) browsersHost(mtls string) string {
	issuer, err1 := url.Parse(a.authority.Issuer())
	other, err2 := url.Parse(mtls)
	if err1 != nil || err2 != nil || other.Hostname() == "" || strings.EqualFold(issuer.Hostname(), other.Hostname()) {
		return ""
	}
	return issuer.Hostname()
}

// serve answers on a listener until it is shut down. At the host name browsers, where
// it is not "", nobody is asked for a certificate.
func (a *authorization) serve(l net.Listener, h http.Handler, browsers string, log *slog.Logger, failed chan<- error) {
	config := fapi.TLS()
	config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return a.certificate.Load(), nil }
	if browsers != "" {
		plain := config.Clone()
		plain.ClientAuth = tls.NoClientCert
		config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			if strings.EqualFold(hello.ServerName, browsers) {
				return plain, nil
			}
			return nil, nil
		}
	}
	a.server = &http.Server{
		Handler: h, TLSConfig: config, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	go func() {
		if err := a.server.ServeTLS(l, "", ""); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	}()
}

// stopAuthorization lets open requests end and closes the store.
func (d *daemon) stopAuthorization() error {
	a := d.authorization
	if a == nil {
		return nil
	}
	drain, done := context.WithTimeout(context.Background(), drainTimeout)
	defer done()
	err := a.server.Shutdown(drain)
	if err != nil {
		err = errors.Join(err, a.server.Close())
	}
	a.authority.Report(drain)
	a.authority.Learn(drain)
	err = errors.Join(err, a.authority.KeepStatus(drain, true))
	return errors.Join(err, a.store.Close())
}

// readAuthorizationAgain puts the clients, the accounts and the certificate of the
// files in force, all or none of them. What was granted by people who are gone, or
// whose password changed, is revoked (RFC 9700, section 4.14.2).
func (d *daemon) readAuthorizationAgain() error {
	a := d.authorization
	if a == nil {
		return nil
	}
	p, err := readAuthorization(d.c)
	if err == nil {
		err = a.pages.SetAccounts(p.accounts)
	}
	if err != nil {
		return err
	}
	a.authority.SetClients(p.clients)
	a.nameClaims(p.accounts)
	if p.certificate != nil {
		a.certificate.Store(p.certificate)
	}
	return a.settle(context.Background())
}

// statusEvery is how often what was issued is told to the other nodes, for the status
// lists that they publish.
const statusEvery = 200 * time.Millisecond

func (d *daemon) keepStatus(ctx context.Context) {
	if err := d.authorization.authority.KeepStatus(ctx, false); err != nil && ctx.Err() == nil {
		d.log.Error("status lists not kept; tried again soon", "why", err)
	}
}

// settle revokes what was granted by people whose account is gone, disabled or has
// another password than the last time, be that before the daemon started.
func (a *authorization) settle(ctx context.Context) error {
	return a.pages.Settle(ctx, func(subject string) error {
		return a.authority.Revoke(ctx, authz.Target{Holder: authz.Holder{Subject: subject}}, "server", "the account is gone, or its password was changed")
	})
}

// renewSigningKeys rotates the signing keys when it is time, and learns what other
// nodes did with them.
func (d *daemon) renewSigningKeys(ctx context.Context) {
	if err := d.authorization.keys.Refresh(ctx); err != nil {
		d.log.Error("signing keys not looked at; those in force stay", "why", err)
	}
}

// rotate makes the next signing key current.
func (d *daemon) rotate(ctx context.Context) {
	if d.authorization == nil {
		d.log.Warn("there is no authorization server whose keys could be rotated")
		return
	}
	if err := d.authorization.keys.Rotate(ctx); err != nil {
		d.log.Error("signing keys not rotated", "why", err)
		return
	}
	for _, k := range d.authorization.keys.List() {
		d.log.Info("signing key", "kid", k.ID, "state", k.State, "since", k.Since)
	}
}
