package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestClientCertificate asks a server that lets in whoever shows its own certificate.
func TestClientCertificate(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) != 1 {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"title":"Unauthorized","detail":"who?"}`) // the client's test sees it
			return
		}
		_, _ = io.WriteString(w, `{"decision_id":"x","decision":"allow","grant":{"scopes":["openid"],"token_ttl_s":300}}`) // as above
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	s.StartTLS()
	defer s.Close()
	key, err := x509.MarshalPKCS8PrivateKey(s.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	put := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cert, certKey := put("cert.pem", "CERTIFICATE", s.Certificate().Raw), put("key.pem", "PRIVATE KEY", key)
	ask := func(args ...string) (string, error) {
		var out strings.Builder
		c := root()
		c.SetOut(&out)
		c.SetArgs(append([]string{"decision", "x", "--server", s.URL}, args...))
		err := c.Execute()
		return out.String(), err
	}
	if out, err := ask("--ca", cert, "--cert", cert, "--cert-key", certKey); err != nil || !strings.Contains(out, "ALLOW") {
		t.Errorf("with a certificate: %q, %v", out, err)
	}
	if _, err := ask("--ca", cert); err == nil || !strings.Contains(err.Error(), "401 Unauthorized") {
		t.Errorf("without a certificate: %v", err)
	}
	if _, err := ask(); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown authority: %v", err)
	}
}

// TestBars draws nothing where there is no terminal, as in this test.
func TestBars(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stderr
	os.Stderr = write
	bar := progress(10, "things")
	for range 10 {
		_ = bar.Add(1) // only a picture
		time.Sleep(time.Millisecond)
	}
	_ = bar.Close() // only a picture
	os.Stderr = old
	write.Close()
	if b, err := io.ReadAll(read); err != nil || len(b) != 0 {
		t.Errorf("%q, %v", b, err)
	}
}
