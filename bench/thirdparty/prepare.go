package thirdparty

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/waryauth/wary/authz/ceremony"
	"github.com/waryauth/wary/internal/jose"
)

// Files in a folder that was prepared: the two that a daemon reads, and what is known
// to the client and the person alone.
const (
	ClientsFile  = "clients.yaml"
	AccountsFile = "accounts.yaml"
	secretsFile  = "secrets.json"
)

const (
	clientID = "budget-app"
	callback = "http://127.0.0.1:8000/callback"
)

// secrets are what the server does not have.
type secrets struct {
	Key    []byte `json:"client_key"` // PKCS #8
	Person Person `json:"person"`
}

// Prepare makes up a client and a person, and writes to a folder the files that a
// daemon reads and those that Load does. Who was there before is written over. seal
// is the secret of the daemon, which seals that of the person's app.
func Prepare(dir string, seal [32]byte) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	key, err := jose.NewSigner(clientID, private)
	if err != nil {
		return err
	}
	jwk, err := json.Marshal(key.Key())
	if err != nil {
		return err
	}
	s := secrets{Person: Person{Name: "alice", Password: secret(12)}}
	if s.Key, err = x509.MarshalPKCS8PrivateKey(private); err != nil {
		return err
	}
	row, app, err := ceremony.NewAccount(s.Person.Name, s.Person.Password, "Wary", seal, true)
	if err != nil {
		return err
	}
	subject := regexp.MustCompile(`(?m)^\s*subject: (\S+)$`).FindStringSubmatch(row)
	if subject == nil {
		return errors.New("the account has no subject")
	}
	s.Person.App, s.Person.Subject = app, subject[1]
	kept, err := json.Marshal(s)
	if err != nil {
		return err
	}
	client := fmt.Sprintf(`clients:
- client_id: %s
  client_name: Budget App
  redirect_uris: [%q]
  token_endpoint_auth_method: private_key_jwt
  jwks: {keys: [%s]}
  sender_constraint: dpop
  scope: openid accounts balances transactions payments
  authorization_details_types: [payment_initiation]
  grant_types: [authorization_code, refresh_token]
`, clientID, callback, jwk)
	return errors.Join(os.MkdirAll(dir, 0o700),
		os.WriteFile(filepath.Join(dir, ClientsFile), []byte(client), 0o600),
		os.WriteFile(filepath.Join(dir, AccountsFile), []byte("accounts:\n"+row), 0o600),
		os.WriteFile(filepath.Join(dir, secretsFile), kept, 0o600))
}

// Load returns the client and the person of a folder. They trust the server whose
// certificate lies in a PEM file, and no other.
func Load(dir, issuer, certificate string) (*Client, *Person, error) {
	text, err := os.ReadFile(filepath.Join(dir, secretsFile))
	if err != nil {
		return nil, nil, err
	}
	var s secrets
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", secretsFile, err)
	}
	private, err := x509.ParsePKCS8PrivateKey(s.Key)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", secretsFile, err)
	}
	signs, ok := private.(crypto.Signer)
	if !ok {
		return nil, nil, fmt.Errorf("%s: its key does not sign", secretsFile)
	}
	key, err := jose.NewSigner(clientID, signs)
	if err != nil {
		return nil, nil, err
	}
	pem, err := os.ReadFile(certificate)
	if err != nil {
		return nil, nil, err
	}
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(pem) {
		return nil, nil, fmt.Errorf("%s holds no certificate", certificate)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: trusted}}
	c := &Client{Issuer: issuer, ID: clientID, Redirect: callback, HTTP: &http.Client{Timeout: 20 * time.Second, Transport: transport}, key: key}
	return c, &s.Person, nil
}
