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
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/engine/scoreapi"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/signals"
	"github.com/waryauth/wary/signals/geoip"
)

// drainTimeout is how long open requests may take to end at a stop.
const drainTimeout = 10 * time.Second

// daemon is a running waryd.
type daemon struct {
	c      *Config
	log    *slog.Logger
	geo    *geoip.Database
	engine *engine.Engine
	api    *scoreapi.Server
	ops    *http.Server
	ready  atomic.Bool
	failed chan error
}

// parts are what the configuration names, read and checked.
type parts struct {
	policy  *engine.Policy
	model   *models.Model
	keys    *scoreapi.Keys
	proxies signals.Proxies
	geo     *geoip.Database
	tls     *tls.Config
}

// read reads all parts and joins what is wrong with them.
func read(c *Config) (p parts, err error) {
	var wrong [5]error
	p.policy, wrong[0] = readPolicy(c.Policy)
	p.model, wrong[1] = readModel(c.Model)
	p.keys, wrong[2] = readKeys(c.Score.Keys)
	p.proxies, wrong[3] = signals.ParseProxies(split(c.Proxies))
	p.tls, wrong[4] = readTLS(c)
	if err = errors.Join(wrong[:]...); err != nil {
		return p, err
	}
	p.geo, err = geoip.Open(geoip.Find(c.Geo.Dir))
	return p, err
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
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	p, err := engine.ParsePolicy(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

func readModel(dir string) (*models.Model, error) {
	if dir == "" {
		return models.Baseline()
	}
	m, err := models.LoadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	return m, nil
}

func readKeys(path string) (*scoreapi.Keys, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	k, err := scoreapi.ParseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
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
func readSecret(dir string) (out [32]byte, err error) {
	path := filepath.Join(dir, "secret")
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

func writeSecret(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, text)
	return errors.Join(err, f.Sync(), f.Close())
}

// check reads everything that a start would and says what it found.
func check(c *Config, w io.Writer) error {
	p, err := read(c)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "policy   version %d, %s\nmodel    %s, %s\n", p.policy.Version, p.policy.Digest, p.model.Version(), p.model.Digest())
	for _, f := range p.geo.Describe() {
		fmt.Fprintf(w, "geo      %s: %s\n", f.Path, f.Type)
	}
	fmt.Fprintln(w, "the configuration is good")
	return nil
}

// start starts everything in order; what was started is stopped on an error.
func start(c *Config, log *slog.Logger) (d *daemon, err error) {
	d = &daemon{c: c, log: log, failed: make(chan error, 2)}
	p, err := read(c)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, err
	}
	secret, err := readSecret(c.Data)
	if err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	if err := d.startOperators(); err != nil {
		return nil, err
	}
	d.geo = p.geo
	if len(p.geo.Describe()) == 0 {
		log.Warn("no geo files: decisions say degraded: geo", "dir", c.Geo.Dir)
	}
	d.engine, err = engine.Open(c.Data, engine.Options{
		Secret: secret, Node: uint16(c.Node), Locator: p.geo, Proxies: p.proxies, Model: p.model, Policy: p.policy,
		RetryWindow: c.Attempts.RetryWindow, RetryEntries: c.Attempts.RetryEntries, GreatestAge: c.Attempts.GreatestAge, MaxEntities: c.State.MaxEntities,
		Journal: journalOptions(c),
	})
	if err != nil {
		return nil, errors.Join(err, d.ops.Close())
	}
	d.engine.Metrics(metrics.GetDefaultSet())
	if err := d.startAPI(&p); err != nil {
		return nil, errors.Join(err, d.engine.Close(), d.ops.Close())
	}
	d.ready.Store(true)
	log.Info("ready", "score", c.Score.Listen, "operators", c.Operators.Listen, "model", p.model.Version(), "policy", p.policy.Version, "version", version)
	return d, nil
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
	if p.tls != nil {
		l = tls.NewListener(l, p.tls)
	}
	d.api = scoreapi.New(scoreapi.Options{Engine: d.engine, Keys: p.keys, Log: d.log, MaxConnections: d.c.Score.MaxConnections})
	go func() { d.failed <- d.api.Serve(l) }()
	return nil
}

// run serves until it is told to stop, then stops in reverse order: open
// requests end, memory is written to disk, the log is closed.
func (d *daemon) run(stop context.Context) error {
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	defer signal.Stop(again)
	background, cancel := context.WithCancel(stop)
	defer cancel()
	go d.geo.Watch(background, d.c.Geo.Every, d.log)
	go d.keep(background)
	var err error
loop:
	for {
		select {
		case <-stop.Done():
			break loop
		case err = <-d.failed:
			break loop
		case <-again:
			d.reload()
		}
	}
	d.ready.Store(false)
	d.log.Info("stopping")
	drain, done := context.WithTimeout(context.Background(), drainTimeout)
	defer done()
	err = errors.Join(err, d.api.Shutdown(drain))
	err = errors.Join(err, d.engine.Close())
	err = errors.Join(err, d.ops.Close())
	d.log.Info("stopped")
	return err
}

// keep writes snapshots and removes what retention no longer keeps.
func (d *daemon) keep(ctx context.Context) {
	tick := time.NewTicker(d.c.State.SnapshotEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := d.engine.Snapshot(); err != nil {
			d.log.Error("snapshot failed; the log still has everything", "why", err)
		}
		if n, err := d.engine.Retire(); err != nil {
			d.log.Error("retention failed", "why", err)
		} else if n > 0 {
			d.log.Info("log files removed", "files", n)
		}
	}
}

// reload reads policy and keys again; what is wrong is said and the old ones stay.
func (d *daemon) reload() {
	p, err := readPolicy(d.c.Policy)
	if err == nil && p.Digest != d.engine.Policy().Digest {
		err = d.engine.SetPolicy(p)
	}
	if err != nil {
		d.log.Error("policy not changed", "why", err)
	}
	k, err := readKeys(d.c.Score.Keys)
	if err != nil {
		d.log.Error("keys not changed", "why", err)
		return
	}
	d.api.SetKeys(k)
	d.log.Info("read again", "policy", d.engine.Policy().Version)
}
