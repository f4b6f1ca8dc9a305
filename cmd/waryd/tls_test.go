package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/waryauth/wary/engine/scoreapi"
)

// authority is a certificate authority made for one test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	der  []byte
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, key: key}
	a.cert = &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	if a.der, err = x509.CreateCertificate(rand.Reader, a.cert, a.cert, &key.PublicKey, key); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.der})
}

// issue returns a certificate for a server on loopback, or for a client.
func (a *authority) issue(serial int64, use x509.ExtKeyUsage) (pair tls.Certificate, certPEM, keyPEM []byte) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	row := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: fmt.Sprint("leaf ", serial)}, NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{use}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, row, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	certPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	if pair, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		a.t.Fatal(err)
	}
	return pair, certPEM, keyPEM
}

// secure is a daemon off loopback, with TLS and keys, and what its callers hold.
type secure struct {
	*running
	dir     string
	server  *authority
	clients *authority
	key     string
	known   tls.Certificate
	unknown tls.Certificate
}

func bootSecure(t *testing.T, args ...string) *secure {
	t.Helper()
	s := &secure{dir: t.TempDir(), server: newAuthority(t, "server authority"), clients: newAuthority(t, "client authority")}
	_, cert, key := s.server.issue(2, x509.ExtKeyUsageServerAuth)
	s.known, _, _ = s.clients.issue(3, x509.ExtKeyUsageClientAuth)
	s.unknown, _, _ = s.clients.issue(4, x509.ExtKeyUsageClientAuth)
	apiKey, row, err := scoreapi.NewKey("by-key", []string{"score"})
	if err != nil {
		t.Fatal(err)
	}
	s.key = apiKey
	sum := sha256.Sum256(s.known.Certificate[0])
	row += fmt.Sprintf("- name: by-certificate\n  rights: [score]\n  certificate_sha256: %s\n", hex.EncodeToString(sum[:]))
	s.write("cert.pem", cert)
	s.write("key.pem", key)
	s.write("keys.yaml", []byte(row))
	s.write("clients.pem", s.clients.pem())
	all := []string{"-score.listen=0.0.0.0:0", "-score.keys", s.path("keys.yaml"), "-tls.certificate", s.path("cert.pem"), "-tls.key", s.path("key.pem")}
	for _, a := range args {
		if a == "client_ca" {
			all = append(all, "-tls.client_ca", s.path("clients.pem"))
		}
	}
	s.running = boot(t, filepath.Join(s.dir, "data"), all...)
	s.scheme = "https"
	return s
}

func (s *secure) path(name string) string { return filepath.Join(s.dir, name) }

func (s *secure) write(name string, text []byte) {
	s.server.t.Helper()
	if err := os.WriteFile(s.path(name), text, 0o600); err != nil {
		s.server.t.Fatal(err)
	}
}

// try asks with a key and a certificate, each or neither, on a new connection.
func (s *secure) try(key string, change func(*tls.Config)) (int, error) {
	pool := x509.NewCertPool()
	pool.AddCert(must(x509.ParseCertificate(s.server.der)))
	config := &tls.Config{RootCAs: pool}
	if change != nil {
		change(config)
	}
	tr := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
	status, _, err := ask(&http.Client{Transport: tr, Timeout: 10 * time.Second}, key, http.MethodPost, "https://"+loopbackOf(s.score)+"/v1/evaluate", login("a", "anna", 0))
	return status, err
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func with(c tls.Certificate) func(*tls.Config) {
	return func(config *tls.Config) {
		// Send it whatever authorities the server names.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c, nil }
	}
}

func TestTLS(t *testing.T) {
	s := bootSecure(t)
	f := func(what string, want int, key string, change func(*tls.Config)) {
		t.Helper()
		if got, err := s.try(key, change); err != nil || got != want {
			t.Errorf("%s: %d, %v, want %d", what, got, err, want)
		}
	}
	f("no credentials", 401, "", nil)
	f("known key", 200, s.key, nil)
	f("wrong key", 401, s.key[:len(s.key)-1]+"!", nil)
	f("known certificate", 200, "", with(s.known))
	f("unknown certificate", 401, "", with(s.unknown))
	f("wrong key with a known certificate", 401, s.key[:len(s.key)-1]+"!", with(s.known))
	f("TLS 1.2", 200, s.key, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 })
	old := func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }
	if got, err := s.try(s.key, old); err == nil {
		t.Errorf("TLS 1.1 was answered: %d", got)
	}
	s.scheme = "http"
	status, _, err := ask(s.client, s.key, http.MethodPost, "http://"+loopbackOf(s.score)+"/v1/evaluate", login("a", "anna", 0))
	if err == nil && status == 200 {
		t.Error("plain HTTP was answered on a TLS port")
	}
}

func TestClientAuthority(t *testing.T) {
	s := bootSecure(t, "client_ca")
	foreign, _, _ := newAuthority(t, "foreign authority").issue(5, x509.ExtKeyUsageClientAuth)
	f := func(what string, want int, key string, change func(*tls.Config)) {
		t.Helper()
		if got, err := s.try(key, change); err != nil || got != want {
			t.Errorf("%s: %d, %v, want %d", what, got, err, want)
		}
	}
	f("known certificate", 200, "", with(s.known))
	f("unknown certificate", 401, "", with(s.unknown))
	f("no certificate, no key", 401, "", nil)
	f("key alone", 200, s.key, nil)
	if got, err := s.try(s.key, with(foreign)); err == nil {
		t.Errorf("a certificate of another authority was answered: %d", got)
	}
}

// TestCertificateIsReadAgain renews the server's certificate while it runs.
func TestCertificateIsReadAgain(t *testing.T) {
	s := bootSecure(t)
	serial := func() (n int64) {
		t.Helper()
		status, err := s.try(s.key, func(c *tls.Config) {
			c.VerifyConnection = func(state tls.ConnectionState) error {
				n = state.PeerCertificates[0].SerialNumber.Int64()
				return nil
			}
		})
		if err != nil || status != 200 {
			t.Fatalf("%d, %v", status, err)
		}
		return n
	}
	reload := func(times int) {
		t.Helper()
		s.again <- syscall.SIGHUP
		s.log.await(t, "read again", times)
	}
	_, cert, key := s.server.issue(77, x509.ExtKeyUsageServerAuth)
	s.write("cert.pem", cert)
	reload(1) // certificate and key do not fit: the old pair stays
	if got := serial(); got != 2 {
		t.Errorf("serial %d with half a new pair, want 2", got)
	}
	s.log.await(t, "certificates not changed", 1)
	s.write("key.pem", key)
	reload(2)
	if got := serial(); got != 77 {
		t.Errorf("serial %d after the reload, want 77", got)
	}
}
