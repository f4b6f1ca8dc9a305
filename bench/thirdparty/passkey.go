package thirdparty

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/descope/virtualwebauthn"
)

// Passkey is one that a program keeps: what a person's device would hold, without the
// device.
type Passkey struct {
	credential virtualwebauthn.Credential
	handle     []byte // of its user at the server
}

// party is the server as a browser names it to a passkey.
func party(where *url.URL) virtualwebauthn.RelyingParty {
	return virtualwebauthn.RelyingParty{ID: where.Hostname(), Name: where.Hostname(), Origin: where.Scheme + "://" + where.Host}
}

func (k *Passkey) device() virtualwebauthn.Authenticator {
	return virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserHandle: k.handle})
}

// newPasskey makes a passkey as a page asks for one, and what the browser posts.
func newPasskey(where *url.URL, options string) (*Passkey, string, error) {
	asked, err := virtualwebauthn.ParseAttestationOptions(options)
	if err != nil {
		return nil, "", err
	}
	var of struct {
		User struct {
			ID string `json:"id"`
		} `json:"user"`
	}
	if err := json.Unmarshal([]byte(options), &of); err != nil {
		return nil, "", err
	}
	k := &Passkey{credential: newCredential()}
	if k.handle, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(of.User.ID, "=")); err != nil {
		return nil, "", err
	}
	return k, virtualwebauthn.CreateAttestationResponse(party(where), k.device(), k.credential, *asked), nil
}

// keyBytes is how long the COSE form of a P-256 key is.
const keyBytes = 77

// newCredential returns one whose key is told whole: the package leaves out the zero
// that one coordinate of 128 begins with.
func newCredential() virtualwebauthn.Credential {
	for {
		if c := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2); len(c.Key.AttestationData()) == keyBytes {
			return c
		}
	}
}

// assert returns what the browser posts for a page that asks for a passkey. The count of
// signatures goes up.
func (k *Passkey) assert(where *url.URL, options string) (string, error) {
	asked, err := virtualwebauthn.ParseAssertionOptions(options)
	if err != nil {
		return "", err
	}
	k.credential.Counter++
	return virtualwebauthn.CreateAssertionResponse(party(where), k.device(), k.credential, *asked), nil
}
