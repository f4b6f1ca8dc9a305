package exchange

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// file writes a file of a test and returns its path.
func file(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestSettings: what is refused, each beside what is taken.
func TestSettings(t *testing.T) {
	password := file(t, "secret\n")
	f := func(name string, good bool, change func(*Settings)) {
		s := Settings{Brokers: []string{"127.0.0.1:9092"}}
		change(&s)
		if err := s.Validate(); (err == nil) != good {
			t.Errorf("%s: %v", name, err)
		}
	}
	f("loopback", true, func(s *Settings) {})
	f("no broker", false, func(s *Settings) { s.Brokers = nil })
	f("no port", false, func(s *Settings) { s.Brokers = []string{"localhost"} })
	f("port 0", false, func(s *Settings) { s.Brokers = []string{"localhost:0"} })
	f("no host", false, func(s *Settings) { s.Brokers = []string{":9092"} })
	f("a URL", false, func(s *Settings) { s.Brokers = []string{"kafka://localhost:9092"} })
	off := []string{"[::1]:9092", "kafka.example:9092"}
	f("off loopback in the clear", false, func(s *Settings) { s.Brokers = off })
	f("trusted network", true, func(s *Settings) { s.Brokers, s.TrustedNetwork = off, true })
	f("TLS", true, func(s *Settings) { s.Brokers, s.TLS.Enabled = off, true })
	f("client id", false, func(s *Settings) { s.ClientID = "a b" })
	f("compression", false, func(s *Settings) { s.Compression = "best" })
	for _, name := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		f(name, true, func(s *Settings) { s.Compression = name })
	}
	f("timeout", false, func(s *Settings) { s.Timeout = time.Microsecond })
	f("files without TLS", false, func(s *Settings) { s.TLS.CA = password })
	f("no certificate", false, func(s *Settings) { s.TLS.Enabled, s.TLS.CA = true, password })
	f("certificate without key", false, func(s *Settings) { s.TLS.Enabled, s.TLS.Certificate = true, password })
	login := func(mechanism string) func(*Settings) {
		return func(s *Settings) {
			s.SASL.Mechanism, s.SASL.User, s.SASL.PasswordFile = mechanism, "wary", password
		}
	}
	for _, name := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		f(name, true, login(name))
		f(name+" on a trusted network", false, func(s *Settings) { login(name)(s); s.Brokers, s.TrustedNetwork = off, true })
		f(name+" over TLS", true, func(s *Settings) { login(name)(s); s.Brokers, s.TLS.Enabled = off, true })
	}
	f("unknown mechanism", false, login("GSSAPI"))
	f("user without mechanism", false, login(""))
	f("no user", false, func(s *Settings) { login("PLAIN")(s); s.SASL.User = "" })
	f("no password file", false, func(s *Settings) { login("PLAIN")(s); s.SASL.PasswordFile = "" })
	f("empty password", false, func(s *Settings) { login("PLAIN")(s); s.SASL.PasswordFile = file(t, "\n") })
	f("password beyond ASCII", false, func(s *Settings) { login("PLAIN")(s); s.SASL.PasswordFile = file(t, "é") })
}

// TestScramOfTheRFC is the example of RFC 7677, section 3.
func TestScramOfTheRFC(t *testing.T) {
	const first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
	begin := func() (*login, string) {
		m := newScram("SCRAM-SHA-256", "user", "pencil")
		m.nonce = func() string { return "rOprNGfwEbeRWgbNEkqO" }
		l, hello, err := m.Start(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return l.(*login), string(hello)
	}
	l, hello := begin()
	if hello != "n,,n=user,r=rOprNGfwEbeRWgbNEkqO" {
		t.Errorf("first message %s", hello)
	}
	done, got, err := l.Next(t.Context(), []byte(first))
	const want = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
	if done || err != nil || string(got) != want {
		t.Errorf("final message %s (%v)", got, err)
	}
	if done, _, err := l.Next(t.Context(), []byte("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")); !done || err != nil {
		t.Errorf("the server's proof is refused: %v", err)
	}
	for _, bad := range []string{"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "v=", "e=other-error", ""} {
		l, _ := begin()
		if _, _, err := l.Next(t.Context(), []byte(first)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := l.Next(t.Context(), []byte(bad)); err == nil {
			t.Errorf("%q is taken for the server's proof", bad)
		}
	}
	for _, bad := range []string{
		"", "r=x,s=W22Z,i=4096", "r=rOprNGfwEbeRWgbNEkqO,s=W22Z,i=4096", strings.Replace(first, "4096", "4095", 1), strings.Replace(first, "4096", "9999999", 1),
		strings.Replace(first, "s=", "m=", 1), strings.Replace(first, "W22", "!", 1), "m=ext," + first,
	} {
		l, _ := begin()
		if _, _, err := l.Next(t.Context(), []byte(bad)); err == nil {
			t.Errorf("%q is answered", bad)
		}
	}
}

func FuzzScram(f *testing.F) {
	f.Add([]byte("r=nonce+,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"), []byte("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="))
	f.Add([]byte("r=nonce,s=,i=-1"), []byte("e=x"))
	f.Fuzz(func(t *testing.T, first, final []byte) {
		m := newScram("SCRAM-SHA-512", "user", "pencil")
		m.nonce = func() string { return "nonce" }
		l, _, err := m.Start(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := l.Next(context.Background(), first); err != nil {
			return
		}
		if _, _, err := l.Next(context.Background(), final); err == nil {
			t.Fatalf("%q and %q prove a password that they do not know", first, final)
		}
	})
}

// certificate makes one for loopback that signs itself.
func certificate(t testing.TB) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
}

// TestSecured: over TLS, logged in each way, both ways of connecting work, an inbox's
// and an outbox's; with a wrong password or an unknown authority nothing does.
func TestSecured(t *testing.T) {
	own, ca := certificate(t)
	opts := []kfake.Opt{kfake.EnableSASL(), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{own}})}
	for _, name := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		opts = append(opts, kfake.Superuser(name, "wary", "secret"))
	}
	c := newCluster(t, 1, opts...)
	settings := func(mechanism, password, authority string) Settings {
		s := c.settings
		s.TLS.Enabled, s.TLS.CA = true, authority
		s.SASL.Mechanism, s.SASL.User, s.SASL.PasswordFile = mechanism, "wary", file(t, password)
		return s
	}
	_, stranger := certificate(t)
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		s := settings(mechanism, "secret", ca)
		if lags, err := Lag(within(t), s, "nobody", Told); err != nil || len(lags) != 1 {
			t.Errorf("%s: %v", mechanism, err)
		}
		conn, err := s.connect()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.dialer().LookupPartitions(within(t), "tcp", s.Brokers[0], Told); err != nil {
			t.Errorf("%s: %v", mechanism, err)
		}
		for name, bad := range map[string]Settings{"password": settings(mechanism, "wrong", ca), "authority": settings(mechanism, "secret", stranger)} {
			bad.Timeout = time.Second
			ctx, cancel := context.WithTimeout(within(t), 3*time.Second)
			if _, err := Lag(ctx, bad, "nobody", Told); err == nil {
				t.Errorf("%s: a wrong %s works", mechanism, name)
			}
			cancel()
		}
	}
}
