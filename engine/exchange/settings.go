package exchange

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
)

// Settings say how to reach the brokers. Only Brokers is required.
type Settings struct {
	Prefix         string        // of the topics' names, before the dot; default "wary"
	Brokers        []string      // HOST:PORT of some of them; the others are learnt
	ClientID       string        // by which brokers know us in quotas and logs; default "wary"
	Compression    string        // of what is published: none, gzip, snappy, lz4 or zstd; default lz4
	Timeout        time.Duration // of a connection or request; default 10 s
	TrustedNetwork bool          // states that the network may carry facts without TLS to brokers off loopback

	TLS struct {
		Enabled          bool
		CA               string // PEM file of the authorities of brokers' certificates; default: the system's
		Certificate, Key string // PEM files of our certificate, where brokers ask for one
	}
	SASL struct {
		Mechanism    string // "", PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
		User         string
		PasswordFile string // its first line is the password, printable ASCII
	}

	dial func(ctx context.Context, network, address string) (net.Conn, error) // tests cut the wire
}

// maxClientID is how long a client id may be: metrics of brokers carry it.
const maxClientID = 100

// Validate says what is wrong with the settings, without asking a broker.
func (s *Settings) Validate() error {
	_, err := s.connect()
	return err
}

// What a topic's name may be made of, and how long we let its beginning be.
const (
	topicRunes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	maxPrefix  = 200
)

// connection is what settings come to.
type connection struct {
	prefix      string
	addresses   []string
	clientID    string
	compression kafka.Compression
	timeout     time.Duration
	tls         *tls.Config
	sasl        sasl.Mechanism
	dial        func(ctx context.Context, network, address string) (net.Conn, error)
}

func (s *Settings) connect() (*connection, error) {
	c := &connection{prefix: s.Prefix, addresses: s.Brokers, clientID: s.ClientID, timeout: s.Timeout, dial: s.dial}
	if c.prefix == "" {
		c.prefix = prefix
	}
	if c.clientID == "" {
		c.clientID = "wary"
	}
	if c.timeout == 0 {
		c.timeout = 10 * time.Second
	}
	if c.dial == nil {
		c.dial = (&net.Dialer{Timeout: c.timeout}).DialContext
	}
	if len(c.clientID) > maxClientID || strings.ContainsFunc(c.clientID, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, fmt.Errorf("exchange: client id %q: want at most %d printable characters without spaces", c.clientID, maxClientID)
	}
	if len(c.prefix) > maxPrefix || strings.ContainsFunc(c.prefix, func(r rune) bool { return !strings.ContainsRune(topicRunes, r) }) {
		return nil, fmt.Errorf("exchange: prefix of topics %q: want at most %d of letters, digits, '.', '_' and '-'", c.prefix, maxPrefix)
	}
	if c.timeout < 100*time.Millisecond || c.timeout > 5*time.Minute {
		return nil, fmt.Errorf("exchange: timeout %v: want 100ms to 5m", c.timeout)
	}
	var err error
	if c.compression, err = compression(s.Compression); err != nil {
		return nil, err
	}
	loopback, err := checkBrokers(s.Brokers)
	if err != nil {
		return nil, err
	}
	if !s.TLS.Enabled && !loopback && !s.TrustedNetwork {
		return nil, errors.New("exchange: brokers off loopback need TLS, or the statement that the network is trusted")
	}
	if c.tls, err = s.tls(); err != nil {
		return nil, err
	}
	c.sasl, err = s.mechanism(loopback)
	return c, err
}

// topic returns the name that one of our topics has at these brokers. A name with the
// prefix of these brokers stays as it is.
func (c *connection) topic(ours string) string {
	rest, ok := strings.CutPrefix(ours, prefix+".")
	if !ok || strings.HasPrefix(ours, c.prefix+".") {
		return ours
	}
	return c.prefix + "." + rest
}

func compression(name string) (kafka.Compression, error) {
	switch name {
	case "none":
		return 0, nil
	case "", "lz4":
		return kafka.Lz4, nil
	case "gzip":
		return kafka.Gzip, nil
	case "snappy":
		return kafka.Snappy, nil
	case "zstd":
		return kafka.Zstd, nil
	}
	return 0, fmt.Errorf("exchange: compression %q: want none, gzip, snappy, lz4 or zstd", name)
}

// checkBrokers reports whether all brokers are on this machine.
func checkBrokers(brokers []string) (loopback bool, err error) {
	if len(brokers) == 0 {
		return false, errors.New("exchange: no broker is named")
	}
	loopback = true
	for _, b := range brokers {
		host, port, err := net.SplitHostPort(b)
		if n, bad := strconv.ParseUint(port, 10, 16); err != nil || host == "" || bad != nil || n == 0 {
			return false, fmt.Errorf("exchange: broker %q: want HOST:PORT", b)
		}
		ip, err := netip.ParseAddr(host)
		loopback = loopback && (host == "localhost" || err == nil && ip.IsLoopback())
	}
	return loopback, nil
}

func (s *Settings) tls() (*tls.Config, error) {
	if !s.TLS.Enabled {
		if s.TLS.CA != "" || s.TLS.Certificate != "" || s.TLS.Key != "" {
			return nil, errors.New("exchange: files for TLS are named, but TLS is not enabled")
		}
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.TLS.CA != "" {
		pem, err := os.ReadFile(s.TLS.CA)
		if err != nil {
			return nil, fmt.Errorf("exchange: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("exchange: %s holds no certificate", s.TLS.CA)
		}
	}
	if (s.TLS.Certificate == "") != (s.TLS.Key == "") {
		return nil, errors.New("exchange: a certificate and its key go together")
	}
	if s.TLS.Certificate != "" {
		own, err := tls.LoadX509KeyPair(s.TLS.Certificate, s.TLS.Key)
		if err != nil {
			return nil, fmt.Errorf("exchange: our certificate: %w", err)
		}
		c.Certificates = []tls.Certificate{own}
	}
	return c, nil
}

// mechanism returns how we log in, or nil. A password goes over no network in the
// clear, and a SCRAM proof, from which it could be guessed, goes over none either.
func (s *Settings) mechanism(loopback bool) (sasl.Mechanism, error) {
	name := s.SASL.Mechanism
	if name == "" {
		if s.SASL.User != "" || s.SASL.PasswordFile != "" {
			return nil, errors.New("exchange: a user or password is given, but no SASL mechanism")
		}
		return nil, nil
	}
	if !s.TLS.Enabled && !loopback {
		return nil, errors.New("exchange: SASL needs TLS to brokers off loopback, on a trusted network too")
	}
	password, err := readPassword(s.SASL.PasswordFile)
	if err != nil {
		return nil, err
	}
	if !isPrintable(s.SASL.User) {
		return nil, errors.New("exchange: SASL needs a user of printable ASCII")
	}
	switch name {
	case "PLAIN":
		return plain.Mechanism{Username: s.SASL.User, Password: password}, nil
	case "SCRAM-SHA-256", "SCRAM-SHA-512":
		return newScram(name, s.SASL.User, password), nil
	}
	return nil, fmt.Errorf("exchange: SASL mechanism %q: want PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", name)
}

// readPassword reads the first line of a file.
func readPassword(path string) (string, error) {
	if path == "" {
		return "", errors.New("exchange: SASL needs a file with the password")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("exchange: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	line = strings.TrimSuffix(line, "\r")
	if !isPrintable(line) {
		return "", errors.New("exchange: the password must be printable ASCII, at most 256 characters")
	}
	return line, nil
}

// isPrintable reports whether SASLprep (RFC 4013) leaves a text as it is.
func isPrintable(s string) bool {
	return s != "" && len(s) <= 256 && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// transport returns the connections of writers and of single requests.
func (c *connection) transport() *kafka.Transport {
	return &kafka.Transport{Dial: c.dial, DialTimeout: c.timeout, ClientID: c.clientID, TLS: c.tls, SASL: c.sasl}
}

// dialer returns the connections of readers and of groups.
func (c *connection) dialer() *kafka.Dialer {
	return &kafka.Dialer{DialFunc: c.dial, Timeout: c.timeout, ClientID: c.clientID, TLS: c.tls, SASLMechanism: c.sasl}
}

func (c *connection) client(t *kafka.Transport) *kafka.Client {
	return &kafka.Client{Addr: kafka.TCP(c.addresses...), Timeout: c.timeout, Transport: t}
}

// maxBatch is how many messages one call of a writer takes at most.
const maxBatch = 500

// writer returns a writer of which one call makes one request to a partition, and
// which tries once: who calls it retries, message by message.
func (c *connection) writer(t *kafka.Transport) *kafka.Writer {
	return &kafka.Writer{
		Addr: kafka.TCP(c.addresses...), Transport: t, Balancer: &kafka.Murmur2Balancer{Consistent: true}, RequiredAcks: kafka.RequireAll,
		Compression: c.compression, BatchSize: maxBatch + 1, BatchBytes: 1 << 20, BatchTimeout: time.Millisecond, MaxAttempts: 1,
		ReadTimeout: c.timeout, WriteTimeout: c.timeout,
	}
}
