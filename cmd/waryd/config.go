package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// Config is the whole configuration of the daemon. A value comes from its flag,
// else its environment variable, else the file, else its default. Policy is not
// configuration: it is a document of its own.
type Config struct {
	Data string `yaml:"data" default:"run/data" doc:"Folder of the log, snapshots and the secret. One daemon at a time."`
	Node int    `yaml:"node" default:"0" doc:"Number of this scorer among several, 0 to 65535. Part of every decision id."`

	Score struct {
		Listen         string `yaml:"listen" default:"127.0.0.1:8080" doc:"Address of the score API. Anything but loopback needs keys and TLS."`
		Keys           string `yaml:"keys" default:"" doc:"File of callers, made with 'wary key new'. Without it everyone on loopback may call. Read again on SIGHUP."`
		MaxConnections int    `yaml:"max_connections" default:"16384" doc:"Connections open at once."`
		TLSEndsInFront bool   `yaml:"tls_ends_in_front" default:"false" doc:"States that TLS ends in a proxy in front, so that a listener off loopback may speak plain HTTP."`
	} `yaml:"score"`

	TLS struct {
		Certificate string `yaml:"certificate" default:"" doc:"PEM file of the score API's certificate chain. Read again on SIGHUP, with its key and client_ca."`
		Key         string `yaml:"key" default:"" doc:"PEM file of its private key."`
		ClientCA    string `yaml:"client_ca" default:"" doc:"PEM file of the authorities of client certificates. A client certificate is known by its fingerprint in score.keys; with this it must also be signed by one of these."`
	} `yaml:"tls"`

	Authorization struct {
		Listen         string        `yaml:"listen" default:"" doc:"Address of the authorization server, always HTTPS. Without it there is none. Off loopback it needs issuer, certificate and clients."`
		Issuer         string        `yaml:"issuer" default:"" doc:"Issuer identifier: the https URL that clients know the server by. Without it https://localhost and the port of listen."`
		Certificate    string        `yaml:"certificate" default:"" doc:"PEM file of its certificate chain. Read again on SIGHUP. Without it, on loopback alone, one is made in the data folder: authorization.crt."`
		Key            string        `yaml:"key" default:"" doc:"PEM file of its private key."`
		MTLSURL        string        `yaml:"mtls_url" default:"" doc:"Base URL of the same listener for mutual TLS, by another host name (mtls_endpoint_aliases): then browsers, at the issuer, are not asked for a certificate. Without it both are the issuer."`
		ClientCA       string        `yaml:"client_ca" default:"" doc:"PEM file of the authorities of tls_client_auth clients. Without it none of those is let in."`
		Clients        string        `yaml:"clients" default:"" doc:"File of clients, see docs/quickstart-oauth.md; 'wary client check' checks it. Read again on SIGHUP."`
		Accounts       string        `yaml:"accounts" default:"" doc:"File of people who log in here, rows of 'wary account add'. Without it nobody can. Read again on SIGHUP; what was granted by people who are gone, or whose password changed, is revoked then, or at the next start."`
		Session        time.Duration `yaml:"session" default:"0s" doc:"How long a login stands for the next one in the same browser; 0: it does not."`
		Login          LoginConfig   `yaml:"login"`
		Store          string        `yaml:"store" default:"" doc:"Where codes, tokens and grants lie: a file, or redis://USER:PASSWORD@HOST:PORT (rediss for TLS) where several nodes share one. Without it DATA/authorization.db."`
		Secret         string        `yaml:"secret" default:"" doc:"File of 64 hexadecimal digits that seal the signing keys, the same on every node. Without it DATA/authorization.secret, made at the first start."`
		Deadline       time.Duration `yaml:"deadline" default:"50ms" doc:"How long the engine may take to answer a question of the authorization server, 1ms to 5s; afterwards the policy's section faults answers."`
		StatusTTL      time.Duration `yaml:"status_ttl" default:"1s" doc:"How long a copy of a status list may be used, 1s to 60s: a resource server that looks there sees a revocation within half of it. See docs/resource.md."`
		Rotate         time.Duration `yaml:"rotate" default:"720h" doc:"How long a signing key signs. SIGUSR1 rotates at once."`
		MaxConnections int           `yaml:"max_connections" default:"4096" doc:"Connections open at once; further ones wait."`
		Demo           bool          `yaml:"demo" default:"false" doc:"Serves a bank of made-up accounts at /bank behind bound tokens. Loopback only."`
	} `yaml:"authorization"`

	Operators struct {
		Listen string `yaml:"listen" default:"127.0.0.1:8081" doc:"Address of /livez, /readyz, /version, /metrics and /v1/revocations. Loopback only."`
	} `yaml:"operators"`

	Geo struct {
		Dir   string        `yaml:"dir" default:"data/geo" doc:"Folder of MaxMind-format files. Where there are none, decisions say degraded: geo."`
		Every time.Duration `yaml:"every" default:"30s" doc:"How often changed files are looked for."`
	} `yaml:"geo"`

	Proxies string `yaml:"proxies" default:"" doc:"Trusted proxies in CIDR notation, separated by commas. Only behind these is network.forwarded_for believed."`
	Model   string `yaml:"model" default:"" doc:"Folder of one model (model.txt, card.json) that serves until the next start, whatever models.dir names."`
	Policy  string `yaml:"policy" default:"" doc:"File of the policy. Without it the embedded default. Read again on SIGHUP."`

	Models struct {
		Dir   string        `yaml:"dir" default:"" doc:"Folder of models, of which serving.json names champion and challenger: see docs/models.md. Without it DATA/models. Where nobody is named, the embedded baseline decides."`
		Keys  string        `yaml:"keys" default:"" doc:"Public keys that sign models, made with 'wary key model', separated by commas. With any, a model that none of them signed is refused."`
		Every time.Duration `yaml:"every" default:"10s" doc:"How often the folder is looked at for a change. It is also read again on SIGHUP."`
	} `yaml:"models"`

	Typing struct {
		Table string        `yaml:"table" default:"" doc:"Typing table, made with 'wary typing train': see docs/typing.md. Without it nothing is known of how people type."`
		Every time.Duration `yaml:"every" default:"10s" doc:"How often the file is looked at for a change; it is also read again on SIGHUP. A table that is refused leaves the one in force."`
	} `yaml:"typing"`

	Journal struct {
		SegmentMiB int           `yaml:"segment_mib" default:"64" doc:"Size of a file of the log."`
		Sync       string        `yaml:"sync" default:"none" doc:"none: a fact is with the operating system before its answer leaves (survives a kill). group: it is on disk (survives power loss)."`
		Retain     time.Duration `yaml:"retain" default:"0s" doc:"Age after which files of the log are removed; 0 keeps them."`
		RetainGiB  int           `yaml:"retain_gib" default:"0" doc:"Size above which the oldest files are removed; 0 keeps them."`
	} `yaml:"journal"`

	Kafka struct {
		Brokers        string        `yaml:"brokers" default:"" doc:"Some of the brokers, HOST:PORT, separated by commas. Without them nothing is published or read: see docs/data.md."`
		ClientID       string        `yaml:"client_id" default:"wary" doc:"Name by which brokers know this daemon in quotas and logs."`
		Topics         string        `yaml:"topics" default:"wary" doc:"What the topics' names begin with, before the dot."`
		Group          string        `yaml:"group" default:"" doc:"Group of consumers that reads feedback. Without it wary-node- and the node's number; nodes must not share one."`
		Replicate      bool          `yaml:"replicate" default:"true" doc:"Tells the other scorers what was seen here, and learns what they saw: see docs/scaling.md."`
		Compression    string        `yaml:"compression" default:"lz4" doc:"Of what is published: none, gzip, snappy, lz4 or zstd."`
		Timeout        time.Duration `yaml:"timeout" default:"10s" doc:"Of a connection or request. No answer waits for it."`
		HoldGiB        int           `yaml:"hold_gib" default:"16" doc:"Size of the log up to which facts that are not yet published are kept from retention; 0 is no bound. What goes all the same is counted in wary_journal_released_total."`
		Percent        int           `yaml:"percent" default:"0" doc:"Most of all processors' time that publishing takes, in percent; what is above waits in the log. 0 is no bound: it keeps up with what is scored. See docs/scaling.md."`
		TLS            bool          `yaml:"tls" default:"false" doc:"Speaks TLS to the brokers. Off loopback they need it, or kafka.trusted_network."`
		CA             string        `yaml:"ca" default:"" doc:"PEM file of the authorities of brokers' certificates. Without it the system's."`
		Certificate    string        `yaml:"certificate" default:"" doc:"PEM file of the daemon's certificate, where brokers ask for one."`
		Key            string        `yaml:"key" default:"" doc:"PEM file of its private key."`
		SASL           string        `yaml:"sasl" default:"" doc:"PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. Without it there is no login."`
		User           string        `yaml:"user" default:"" doc:"User to log in as."`
		PasswordFile   string        `yaml:"password_file" default:"" doc:"File whose first line is the password."`
		TrustedNetwork bool          `yaml:"trusted_network" default:"false" doc:"States that the network may carry facts without TLS to brokers off loopback."`
	} `yaml:"kafka"`

	State struct {
		MaxEntities   int           `yaml:"max_entities" default:"0" doc:"Bound of the entities in memory; 0 is the built-in bound."`
		SnapshotEvery time.Duration `yaml:"snapshot_every" default:"15m" doc:"How often memory is written to disk; scoring goes on meanwhile. One is always written at a clean stop."`
	} `yaml:"state"`

	Attempts struct {
		RetryWindow  time.Duration `yaml:"retry_window" default:"5m" doc:"How long the same attempt id gets the same answer."`
		RetryEntries int           `yaml:"retry_entries" default:"1048576" doc:"How many attempt ids are remembered for that, about 40 bytes each: requests a second times the window."`
		GreatestAge  time.Duration `yaml:"greatest_age" default:"0s" doc:"Oldest time of an attempt that is accepted; 0 is any."`
	} `yaml:"attempts"`

	Log struct {
		Level  string `yaml:"level" default:"info" doc:"debug, info, warn or error."`
		Format string `yaml:"format" default:"text" doc:"text or json."`
	} `yaml:"log"`
}

// setting is one leaf of Config.
type setting struct {
	path  string // "score.listen"
	env   string // "WARY_SCORE_LISTEN"
	def   string
	doc   string
	value reflect.Value
}

// settings lists the leaves of a configuration, in order.
func settings(c *Config) []setting {
	return leaves(reflect.ValueOf(c).Elem(), "")
}

func leaves(v reflect.Value, prefix string) []setting {
	var out []setting
	for i := range v.NumField() {
		f := v.Type().Field(i)
		path := prefix + f.Tag.Get("yaml")
		if f.Type.Kind() == reflect.Struct {
			out = append(out, leaves(v.Field(i), path+".")...)
			continue
		}
		env := "WARY_" + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
		out = append(out, setting{path, env, f.Tag.Get("default"), f.Tag.Get("doc"), v.Field(i)})
	}
	return out
}

// set gives a setting the value of a text.
func (s *setting) set(text string) error {
	var err error
	want := "text"
	switch s.value.Interface().(type) {
	case string:
		s.value.SetString(text)
	case bool:
		var b bool
		b, err = strconv.ParseBool(text)
		want = "true or false"
		s.value.SetBool(b)
	case int:
		var n int
		n, err = strconv.Atoi(text)
		want = "a whole number"
		s.value.SetInt(int64(n))
	case time.Duration:
		var d time.Duration
		d, err = time.ParseDuration(text)
		want = "a duration such as 30s or 5m"
		s.value.SetInt(int64(d))
	}
	if err != nil {
		return fmt.Errorf("%s: %q is not %s", s.path, text, want)
	}
	return nil
}

// options are what only flags can say.
type options struct {
	file    string
	check   bool
	version bool
}

// load reads the configuration from arguments, environment and file, and joins
// what is wrong with it. For -h it writes all settings to help and returns
// flag.ErrHelp; with -version nothing else is read.
func load(args []string, env func(string) string, help io.Writer) (*Config, options, error) {
	c := &Config{}
	all := settings(c)
	o, given, err := parseFlags(all, args, env, help)
	if err != nil || o.version {
		return c, o, err
	}
	for i := range all {
		if err := all[i].set(all[i].def); err != nil {
			return nil, o, err
		}
	}
	if err := c.readFile(o.file); err != nil {
		return nil, o, err
	}
	var wrong []error
	for i := range all {
		s := &all[i]
		if text := env(s.env); text != "" {
			if err := s.set(text); err != nil {
				wrong = append(wrong, fmt.Errorf("$%s: %w", s.env, err))
			}
		}
		if text, ok := given[s.path]; ok {
			if err := s.set(text); err != nil {
				wrong = append(wrong, fmt.Errorf("flag -%w", err))
			}
		}
	}
	if len(wrong) == 0 {
		wrong = c.validate()
	}
	return c, o, errors.Join(wrong...)
}

// parseFlags returns the texts of the settings that were given as flags.
func parseFlags(all []setting, args []string, env func(string) string, help io.Writer) (o options, given map[string]string, err error) {
	fs := flag.NewFlagSet("waryd", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&o.file, "config", env("WARY_CONFIG"), "`file` of the configuration (YAML, $WARY_CONFIG)")
	fs.BoolVar(&o.check, "check", false, "check configuration, policy, keys, certificates, model and geo files, and stop")
	fs.BoolVar(&o.version, "version", false, "print the version and stop")
	given = map[string]string{}
	for _, s := range all {
		take := func(text string) error {
			given[s.path] = text
			return nil
		}
		usage := fmt.Sprintf("%s (default %q, $%s)", s.doc, s.def, s.env)
		if s.value.Kind() == reflect.Bool {
			fs.BoolFunc(s.path, usage, take)
		} else {
			fs.Func(s.path, usage, take)
		}
	}
	err = fs.Parse(args)
	if err == nil && fs.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(help, "waryd runs the risk engine. Settings come from flags, else the environment, else the file of -config:")
		fs.SetOutput(help)
		fs.PrintDefaults()
	} else if err != nil {
		err = fmt.Errorf("%w (waryd -h lists the settings)", err)
	}
	return o, given, err
}

func (c *Config) readFile(path string) error {
	if path == "" {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %s", path, yaml.FormatError(err, false, true))
	}
	return nil
}

// validate checks all of the configuration and returns what is wrong with it.
func (c *Config) validate() []error {
	var wrong []error
	fail := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if c.Data == "" {
		fail("data: is empty")
	}
	if c.Node < 0 || c.Node > 65535 {
		fail("node: %d is not in 0..65535", c.Node)
	}
	c.validateListeners(fail)
	c.validateAuthorization(fail)
	c.validateLogin(fail)
	if c.Model != "" && c.Models.Dir != "" {
		fail("model: one model, or models.dir, a folder of them: not both")
	}
	if c.Journal.Sync != "none" && c.Journal.Sync != "group" {
		fail("journal.sync: %q is neither none nor group", c.Journal.Sync)
	}
	if c.Journal.SegmentMiB < 1 || c.Journal.SegmentMiB > 4095 {
		fail("journal.segment_mib: %d is not in 1..4095", c.Journal.SegmentMiB)
	}
	if c.Attempts.RetryEntries < 1024 {
		fail("attempts.retry_entries: %d is less than 1024", c.Attempts.RetryEntries)
	}
	if c.Kafka.Percent < 0 || c.Kafka.Percent > 100 {
		fail("kafka.percent: %d is not in 0..100", c.Kafka.Percent)
	}
	for _, n := range [...]struct {
		path  string
		value int64
	}{
		{"score.max_connections", int64(c.Score.MaxConnections)}, {"journal.retain_gib", int64(c.Journal.RetainGiB)},
		{"kafka.hold_gib", int64(c.Kafka.HoldGiB)},
		{"state.max_entities", int64(c.State.MaxEntities)}, {"journal.retain", int64(c.Journal.Retain)},
		{"attempts.greatest_age", int64(c.Attempts.GreatestAge)},
	} {
		if n.value < 0 {
			fail("%s: is negative", n.path)
		}
	}
	for _, d := range [...]struct {
		path  string
		value time.Duration
	}{{"geo.every", c.Geo.Every}, {"models.every", c.Models.Every}, {"typing.every", c.Typing.Every}, {"state.snapshot_every", c.State.SnapshotEvery}, {"attempts.retry_window", c.Attempts.RetryWindow}} {
		if d.value < time.Second {
			fail("%s: %v is less than a second", d.path, d.value)
		}
	}
	if _, err := newLog(c, io.Discard); err != nil {
		fail("%w", err)
	}
	return wrong
}

// validateListeners checks addresses, and that nothing off loopback is open to
// everyone or speaks in the clear.
func (c *Config) validateListeners(fail func(format string, args ...any)) {
	for _, l := range [...]struct{ path, addr string }{{"score.listen", c.Score.Listen}, {"operators.listen", c.Operators.Listen}} {
		if _, _, err := net.SplitHostPort(l.addr); err != nil {
			fail("%s: %q is no host:port", l.path, l.addr)
		}
	}
	if !loopback(c.Score.Listen) {
		if c.Score.Keys == "" {
			fail("score.listen: %s is not loopback: refused without score.keys", c.Score.Listen)
		}
		if c.TLS.Certificate == "" && !c.Score.TLSEndsInFront {
			fail("score.listen: %s is not loopback: refused without tls.certificate (or score.tls_ends_in_front, if TLS ends in a proxy in front)", c.Score.Listen)
		}
	}
	if !loopback(c.Operators.Listen) {
		fail("operators.listen: %s is not loopback; it has no credentials, so it stays there", c.Operators.Listen)
	}
	if (c.TLS.Certificate == "") != (c.TLS.Key == "") {
		fail("tls: certificate and key go together")
	}
	if c.TLS.ClientCA != "" && c.TLS.Certificate == "" {
		fail("tls.client_ca: needs tls.certificate")
	}
	if c.TLS.ClientCA != "" && c.Score.Keys == "" {
		fail("tls.client_ca: needs score.keys: without a row for each certificate everyone would be let in, certificate or not")
	}
}

// loopback reports whether an address can only be reached from this machine.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// appendReference appends docs/configuration.md.
func appendReference(dst []byte) []byte {
	dst = append(dst, "# Configuration of waryd\n\nGenerated from `cmd/waryd/config.go`; a test fails when this page is stale.\n\n"+
		"A value comes from its flag (`-score.listen=…`), else its environment variable, else the file named by `-config`, else its default.\n"+
		"Unknown keys in the file are errors. `waryd -check` checks everything and stops.\n\n"...)
	var c Config
	dst = append(dst, "| key | environment | default | meaning |\n|---|---|---|---|\n"...)
	for _, s := range settings(&c) {
		def := s.def
		if def == "" {
			def = "(none)"
		}
		dst = fmt.Appendf(dst, "| `%s` | `%s` | `%s` | %s |\n", s.path, s.env, def, s.doc)
	}
	return dst
}
