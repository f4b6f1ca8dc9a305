package fapi_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"testing"
)

func rs256(t *testing.T, key *rsa.PrivateKey, input string) []byte {
	t.Helper()
	sum := sha256.Sum256([]byte(input))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// checkTLS shakes hands as FAPI 2.0, section 5.2.2, says: 1.0 and 1.1 refused, of 1.2
// only the suites it names, and 1.3 where both can.
func checkTLS(t *testing.T, w *world) {
	t.Helper()
	addr := w.server.Listener.Addr().String()
	dial := func(c *tls.Config) (*tls.ConnectionState, error) {
		c.InsecureSkipVerify = true
		conn, err := tls.Dial("tcp", addr, c)
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		state := conn.ConnectionState()
		return &state, nil
	}
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		if _, err := dial(&tls.Config{MinVersion: version, MaxVersion: version}); err == nil {
			t.Errorf("TLS version %x was taken", version)
		}
	}
	if s, err := dial(&tls.Config{}); err != nil || s.Version != tls.VersionTLS13 {
		t.Errorf("TLS 1.3 is not preferred: %v", err)
	}
	suites := append(tls.CipherSuites(), tls.InsecureCipherSuites()...)
	taken := 0
	for _, suite := range suites {
		s, err := dial(&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}})
		if err != nil {
			continue
		}
		taken++
		switch s.CipherSuite {
		case tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384:
		default:
			t.Errorf("TLS 1.2 with %s was taken", suite.Name)
		}
	}
	if taken == 0 {
		t.Error("no suite of TLS 1.2 was taken")
	}
}
