package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/engine/exchange"
	"github.com/waryauth/wary/engine/scoreapi"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/signals"
	"github.com/waryauth/wary/signals/geoip"
	"github.com/waryauth/wary/signals/typing"
)

// drainTimeout is how long open requests may take to end at a stop.
const drainTimeout = 10 * time.Second

// daemon is a running waryd.
type daemon struct {
	c             *Config
	log           *slog.Logger
	geo           *geoip.Database
	engine        *engine.Engine
	registry      *models.Registry // nil where one model is pinned
	swapping      sync.Mutex       // one look at the registry, or at the typing table, at a time
	told          string           // the refusal that was told last
	typing        rhythms
	proxies       signals.Proxies
	gauges        *metrics.Set   // of this engine; counters are the process's
	authorization *authorization // nil: there is none
	kafka         *kafka         // nil: there is none
	api           *scoreapi.Server
	listener      net.Listener // of api
	tls           atomic.Pointer[tls.Config]
	ops           *http.Server
	ready         atomic.Bool
	failed        chan error

	score, operators net.Addr // where it listens, port 0 resolved
}

// parts are what the configuration names, read and checked.
type parts struct {
	policy        *engine.Policy
	models        shelf
	keys          *scoreapi.Keys
	proxies       signals.Proxies
	geo           *geoip.Database
	tls           *tls.Config
	typing        *typing.Table
	typed         []byte // the file of typing
	authorization authorizationParts
	kafka         *exchange.Settings // nil where no broker is named
}

// read reads all parts and joins what is wrong with them.
func read(c *Config) (p parts, err error) {
	var wrong [9]error
	p.policy, wrong[0] = readPolicy(c.Policy)
	p.models, wrong[1] = readModels(c)
	p.keys, wrong[2] = readKeys(c.Score.Keys)
	p.proxies, wrong[3] = signals.ParseProxies(split(c.Proxies))
	p.tls, wrong[4] = readTLS(c)
	p.geo, wrong[5] = geoip.Open(geoip.Find(c.Geo.Dir))
	p.typing, p.typed, wrong[6] = readTyping(c.Typing.Table)
	p.authorization, wrong[7] = readAuthorization(c)
	p.kafka, wrong[8] = readKafka(c)
	return p, errors.Join(wrong[:]...)
}

func split(list string) []string {
	var out []string
	for s := range strings.SplitSeq(list, ",") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

func readPolicy(path string) (*engine.Policy, error) {
	if path == "" {
		return engine.DefaultPolicy(), nil
	}
	return parsed("policy", path, engine.ParsePolicy)
}

// parsed reads the file that a setting names. The error names the setting where it
// cannot be read, the file where it does not hold what it should.
func parsed[T any](setting, path string, parse func([]byte) (*T, error)) (*T, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	v, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}

func readKeys(path string) (*scoreapi.Keys, error) {
	if path == "" {
		return nil, nil
	}
	k, err := parsed("keys", path, scoreapi.ParseKeys)
	if err != nil {
		return nil, err
	}
	if k.Empty() {
		return nil, fmt.Errorf("%s: holds no caller", path)
	}
	return k, nil
}

func readTLS(c *Config) (*tls.Config, error) {
	if c.TLS.Certificate == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(c.TLS.Certificate, c.TLS.Key)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	// A certificate without a CA is known by its fingerprint (RFC 8705, 2.2).
	out := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert}
	if c.TLS.ClientCA == "" {
		return out, nil
	}
	pem, err := os.ReadFile(c.TLS.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("tls.client_ca: %w", err)
	}
	out.ClientCAs, out.ClientAuth = x509.NewCertPool(), tls.VerifyClientCertIfGiven
	if !out.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("tls.client_ca: %s holds no certificate", c.TLS.ClientCA)
	}
	return out, nil
}

// readSecret returns the secret of the data folder, made at the first start.
func readSecret(dir string) (out [32]byte, err error) { return secretAt(filepath.Join(dir, "secret")) }

// secretAt returns the secret of a file, made where there is none.
func secretAt(path string) (out [32]byte, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		_, _ = rand.Read(out[:]) // never fails (crypto/rand)
		return out, writeSecret(path, hex.EncodeToString(out[:])+"\n")
	}
	if err != nil {
		return out, err
	}
	raw, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(raw) != len(out) {
		return out, fmt.Errorf("%s: is not 64 hexadecimal digits; without the right one nobody is known again", path)
	}
	return [32]byte(raw), nil
}

// writeSecret writes the secret whole or not at all, and never over another one:
// with a secret cut short by a crash, nobody would be known again.
func writeSecret(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), "secret.*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = io.WriteString(f, text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}

// check reads everything that a start would and says what it found.
func check(c *Config, w io.Writer) error {
	p, err := read(c)
	if _, missing := os.Stat(filepath.Join(c.Data, "secret")); missing == nil {
		_, bad := readSecret(c.Data)
		err = errors.Join(err, bad)
	}
	if err = errors.Join(err, p.models.refused); err != nil {
		return err
	}
	fmt.Fprintf(w, "policy   version %d, %s\n", p.policy.Version, p.policy.Digest)
	p.models.print(w)
	if p.typing != nil {
		fmt.Fprintf(w, "typing   table %d, %s, of %d accounts\n", p.typing.ID(), p.typing.Digest(), p.typing.Accounts)
	}
	for _, f := range p.geo.Describe() {
		fmt.Fprintf(w, "geo      %s: %s\n", f.Path, f.Type)
	}
	if len(p.geo.Describe()) == 0 {
		fmt.Fprintf(w, "geo      no files in %s: decisions say degraded: geo\n", c.Geo.Dir)
	}
	if p.kafka != nil {
		fmt.Fprintf(w, "kafka    %s, not asked\n", strings.Join(p.kafka.Brokers, " "))
	}
	if p.authorization.clients != nil {
		fmt.Fprintf(w, "clients  %d in %s\n", p.authorization.clients.Len(), c.Authorization.Clients)
	}
	fmt.Fprintln(w, "the configuration is good")
	return nil
}

// start starts everything in order; what was started is stopped on an error.
func start(c *Config, log *slog.Logger) (_ *daemon, err error) {
	d := &daemon{c: c, log: log, gauges: metrics.NewSet(), failed: make(chan error, 3)}
	log.Info("starting", "version", version, "data", c.Data)
	if err := d.startOperators(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.ops.Close())
		}
	}()
	p, err := read(c)
	if err != nil {
		return nil, err
	}
	d.geo, d.registry, d.typing.held, d.proxies = p.geo, p.models.registry, p.typed, p.proxies
	d.tellModels(p.models.refused)
	if len(p.geo.Describe()) == 0 {
		log.Warn("no geo files: decisions say degraded: geo", "dir", c.Geo.Dir)
	}
	if err := d.openEngine(&p); err != nil {
		return nil, err
	}
	if err := d.startKafka(p.kafka); err != nil {
		return nil, errors.Join(err, d.engine.Close())
	}
	if err := d.startAuthorization(&p.authorization); err != nil {
		d.stopKafka()
		return nil, errors.Join(err, d.engine.Close())
	}
	if err := d.startAPI(&p); err != nil {
		err = errors.Join(err, d.stopAuthorization())
		d.stopKafka()
		return nil, errors.Join(err, d.engine.Close())
	}
	d.ready.Store(true)
	log.Info("ready", "score", d.score.String(), "operators", d.operators.String(), "model", d.engine.Model().Version(), "policy", p.policy.Version)
	return d, nil
}

func (d *daemon) openEngine(p *parts) error {
	c := d.c
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	secret, err := readSecret(c.Data)
	if err != nil {
		return fmt.Errorf("secret: %w", err)
	}
	d.engine, err = engine.Open(c.Data, engine.Options{
		Secret: secret, Node: uint16(c.Node), Locator: p.geo, Proxies: p.proxies,
		Model: p.models.serving.Champion, Challenger: p.models.serving.Challenger, Policy: p.policy, Typing: p.typing,
		RetryWindow: c.Attempts.RetryWindow, RetryEntries: c.Attempts.RetryEntries, GreatestAge: c.Attempts.GreatestAge, MaxEntities: c.State.MaxEntities,
		Journal: journalOptions(c),
	})
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	d.engine.Metrics(d.gauges)
	return nil
}

func journalOptions(c *Config) journal.Options {
	o := journal.Options{SegmentBytes: int64(c.Journal.SegmentMiB) << 20, RetainAge: c.Journal.Retain, RetainBytes: int64(c.Journal.RetainGiB) << 30}
	if c.Journal.Sync == "group" {
		o.Sync = journal.SyncGroup
	}
	return o
}

func (d *daemon) startAPI(p *parts) error {
	l, err := net.Listen("tcp", d.c.Score.Listen)
	if err != nil {
		return fmt.Errorf("score.listen: %w", err)
	}
	d.score = l.Addr()
	if p.tls != nil {
		d.tls.Store(p.tls)
		l = tls.NewListener(l, &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return d.tls.Load(), nil }})
	}
	d.listener = l
	d.api = scoreapi.New(scoreapi.Options{Engine: d.engine, Keys: p.keys, Log: d.log, MaxConnections: d.c.Score.MaxConnections})
	go func() { d.failed <- d.api.Serve(l) }()
	return nil
}

// run serves until it is told to stop, then stops in reverse order: open
// requests end, memory is written to disk, the log is closed. SIGUSR1 through again
// makes it rotate the signing keys, anything else makes it read policy, models, typing
// table, keys, clients and certificates again.
func (d *daemon) run(stop context.Context, again <-chan os.Signal) error {
	background, cancel := context.WithCancel(stop)
	defer cancel()
	var working sync.WaitGroup
	working.Go(func() { d.geo.Watch(background, d.c.Geo.Every, d.log) })
	working.Go(func() { every(background, d.c.Models.Every, d.lookAtModels) })
	working.Go(func() { every(background, d.c.Typing.Every, func() { d.swapTyping(false) }) })
	working.Go(func() { every(background, d.c.State.SnapshotEvery, d.keep) })
	if d.authorization != nil {
		working.Go(func() { every(background, keysEvery, func() { d.renewSigningKeys(background) }) })
		working.Go(func() { every(background, time.Second, func() { d.authorization.authority.Report(background) }) })
		working.Go(func() { every(background, learnEvery, func() { d.authorization.authority.Learn(background) }) })
		working.Go(func() { every(background, statusEvery, func() { d.keepStatus(background) }) })
	}
	err := d.serve(stop, again)
	d.ready.Store(false)
	d.log.Info("stopping")
	cancel()
	drain, done := context.WithTimeout(context.Background(), drainTimeout)
	defer done()
	err = errors.Join(err, d.api.Shutdown(drain))
	_ = d.listener.Close() // closed by now, unless the stop came before Serve began
	working.Wait()
	err = errors.Join(err, d.stopAuthorization())
	d.stopKafka()
	err = errors.Join(err, d.engine.Close())
	err = errors.Join(err, d.ops.Close())
	d.log.Info("stopped")
	return err
}

// serve waits for the stop, or for a listener that failed.
func (d *daemon) serve(stop context.Context, again <-chan os.Signal) error {
	for {
		select {
		case <-stop.Done():
			return nil
		case err := <-d.failed:
			return err
		case sig := <-again:
			if sig == syscall.SIGUSR1 {
				d.rotate(stop)
			} else {
				d.reload()
			}
		}
	}
}

// keep writes a snapshot and removes what retention no longer keeps.
func (d *daemon) keep() {
	if err := d.engine.Snapshot(); err != nil {
		d.log.Error("snapshot failed; the log still has everything", "why", err)
	}
	if n, err := d.engine.Retire(); err != nil {
		d.log.Error("retention failed", "why", err)
	} else if n > 0 {
		d.log.Info("log files removed", "files", n)
	}
}

// every calls do at every interval until ctx is done.
func every(ctx context.Context, interval time.Duration, do func()) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			do()
		}
	}
}

// reload reads policy, models, typing table, keys and certificates again. Each is swapped on its own;
// of one that is wrong it is said why, and the old one stays.
func (d *daemon) reload() {
	said := func(what string, err error) {
		if err != nil {
			d.log.Error(what+" not changed", "why", err)
		}
	}
	p, err := readPolicy(d.c.Policy)
	if err == nil && p.Digest != d.engine.Policy().Digest {
		err = d.engine.SetPolicy(p)
	}
	said("policy", err)
	d.readModelsAgain()
	d.swapTyping(true)
	k, err := readKeys(d.c.Score.Keys)
	if err == nil {
		d.api.SetKeys(k)
	}
	said("keys", err)
	c, err := readTLS(d.c)
	if err == nil && c != nil {
		d.tls.Store(c)
	}
	said("certificates", err)
	said("clients of the authorization server, or its certificate,", d.readAuthorizationAgain())
	d.log.Info("read again", "policy", d.engine.Policy().Version, "digest", d.engine.Policy().Digest, "model", d.engine.Model().Version())
}
