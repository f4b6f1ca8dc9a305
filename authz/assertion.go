package authz

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"time"

	"github.com/waryauth/wary/internal/jose"
	"github.com/waryauth/wary/internal/store"
	"github.com/waryauth/wary/signals"
)

// MaxAssertionLife is how far ahead the end of a client assertion may lie.
const MaxAssertionLife = 10 * time.Minute

// maxAssertion bounds an assertion and a request object, in bytes.
const maxAssertion = 32 << 10

// AssertionType is the client_assertion_type of private_key_jwt (RFC 7523, section 2.2).
const AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Assertion is a client assertion that was verified and not used yet.
type Assertion struct {
	client  string
	id      string
	issued  time.Time // zero where it does not say
	expires time.Time
}

// Assert authenticates a client by its assertion (RFC 7523, section 3; FAPI 2.0,
// section 5.3.2.1). clientID is the parameter, "" where none came. The assertion is
// good once: the caller takes it with Use when everything else about the request that
// a client may be asked to repeat, such as a DPoP nonce, is in order. The error is an
// *Error InvalidClient; neither its text nor the time it takes tells whether there is
// such a client.
func (a *Authority) Assert(clientID, assertion string) (*Client, *Assertion, error) {
	wrong := func(why string) (*Client, *Assertion, error) { return nil, nil, refuse(InvalidClient, why) }
	const unknown = "the client assertion does not authenticate the client"
	if len(assertion) > maxAssertion {
		return wrong("the client assertion is too long")
	}
	t, err := jose.Parse(assertion, "", "JWT", "client-authentication+jwt")
	if err != nil {
		return wrong("the client assertion is malformed")
	}
	if clientID == "" {
		clientID = t.UnverifiedClaims().Subject
	}
	c := a.Clients().Find(clientID)
	if c == nil || c.Auth != signals.PrivateKeyJWT {
		a.decoy(t)
		return wrong(unknown)
	}
	claims, err := t.Verify(c.Keys)
	if err != nil {
		if errors.Is(err, jose.ErrKey) { // nothing was verified yet
			a.decoy(t)
		}
		return wrong(unknown)
	}
	switch {
	case claims.Issuer != c.ID || claims.Subject != c.ID:
		return wrong("iss or sub of the client assertion is not the client")
	case !claims.Audience.Is(a.o.Issuer): // the issuer as a string: not an array, not the endpoint's URL
		return wrong("aud of the client assertion is not the issuer")
	case claims.ID == "" || len(claims.ID) > jose.MaxID:
		return wrong("jti of the client assertion is missing or too long")
	}
	if err := claims.Check(jose.Window{Now: a.now(), MaxLife: MaxAssertionLife}); err != nil {
		return wrong("the client assertion has expired, is of the future or lives too long")
	}
	return c, &Assertion{client: c.ID, id: claims.ID, issued: claims.IssuedAt, expires: claims.Expiry}, nil
}

// decoy spends the time that verifying takes, so that it does not tell whether there
// is a client of that name: the signature is checked with a key that nobody has.
func (a *Authority) decoy(t *jose.Token) {
	public, ok := a.nobody[t.Algorithm]
	if !ok {
		return
	}
	if key, err := jose.NewKey(t.KeyID, public); err == nil {
		if set, err := jose.NewKeySet(key); err == nil {
			_, _ = t.Verify(set)
		}
	}
}

// newNobody returns public keys whose private ones nobody has, by algorithm.
func newNobody() (map[jose.Algorithm]crypto.PublicKey, error) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	modulus := make([]byte, 256) // of 2048 bits and odd is all that verifying asks of it
	rand.Read(modulus)
	modulus[0], modulus[255] = modulus[0]|0x80, modulus[255]|1
	weak := &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: 65537}
	return map[jose.Algorithm]crypto.PublicKey{jose.ES256: ec.Public(), jose.EdDSA: ed, jose.PS256: weak}, nil
}

// Use takes an assertion: of many that take the same, one succeeds. Nil, of a client
// that authenticated in another way, is no assertion and always in order.
//
// After a restart those that say that they were made before it are refused; those that
// do not say, or say that it is yet to come, are marked in the store and not in memory.
func (a *Authority) Use(ctx context.Context, s *Assertion) error {
	if s == nil {
		return nil
	}
	var err error
	switch {
	case a.o.SharedReplay:
		err = a.used.Mark(ctx, s.client, s.id, s.expires)
	case s.issued.IsZero() || s.issued.After(a.now()):
		err = store.PutNew(ctx, a.o.Store, "assertion:"+jose.Digest(s.client+"\x00"+s.id), []byte{1}, store.Until(s.expires.Add(time.Minute)))
		if errors.Is(err, store.ErrConflict) {
			err = store.ErrMarked
		}
	case s.issued.Before(a.began.Truncate(time.Second)):
		return refuse(InvalidClient, "the client assertion was made before this server started; make another")
	default:
		err = a.used.Mark(ctx, s.client, s.id, s.expires)
	}
	switch {
	case errors.Is(err, store.ErrMarked):
		return refuse(InvalidClient, "the client assertion was used before")
	case err != nil:
		return a.broke("remember the client assertion", err)
	}
	return nil
}

// RequestObjectType is the typ of signed request objects (RFC 9101, section 10.8).
const RequestObjectType = "oauth-authz-req+jwt"

// maxRequestLife is how far apart nbf and exp of a request object may be, and how
// old nbf (FAPI 2.0 Message Signing, section 5.3.1).
const maxRequestLife = time.Hour

// RequestObject verifies a signed request object of a client (RFC 9101; FAPI 2.0
// Message Signing, section 5.3.1) and returns the parameters in it: nothing outside
// of it counts.
func (a *Authority) RequestObject(c *Client, object string) (Params, *Error) {
	bad := func(why string) *Error { return refuse(InvalidRequestObject, why) }
	if len(object) > maxAssertion {
		return nil, bad("the request object is too long")
	}
	t, err := jose.Parse(object, RequestObjectType, "JWT", "")
	if err != nil {
		return nil, bad("the request object is malformed")
	}
	claims, err := t.Verify(c.Keys)
	if err != nil {
		return nil, bad("the signature of the request object is not the client's")
	}
	now := a.now()
	switch {
	case claims.Issuer != c.ID:
		return nil, bad("iss of the request object is not the client")
	case !claims.Audience.Has(a.o.Issuer):
		return nil, bad("aud of the request object is not the issuer")
	case claims.NotBefore.IsZero() || now.Sub(claims.NotBefore) > maxRequestLife:
		return nil, bad("nbf of the request object is missing or too old")
	case claims.Expiry.IsZero() || claims.Expiry.Sub(claims.NotBefore) > maxRequestLife:
		return nil, bad("exp of the request object is missing or too far from nbf")
	}
	if err := claims.Check(jose.Window{Now: now, MaxLife: maxRequestLife}); err != nil {
		return nil, bad("the request object has expired or is of the future")
	}
	p, err := objectParams(claims)
	switch {
	case err != nil:
		return nil, bad(err.Error())
	case p["client_id"] != c.ID:
		return nil, bad("client_id of the request object is not the client")
	case p["request"] != "" || p["request_uri"] != "":
		return nil, bad("a request object holds no other")
	}
	return p, nil
}

// objectParams returns the members of a request object as parameters: strings as
// they are, numbers in decimal, authorization_details and claims as JSON.
func objectParams(claims *jose.Claims) (Params, error) {
	var members map[string]json.RawMessage
	if err := claims.Decode(&members); err != nil {
		return nil, errors.New("the request object is no object")
	}
	p := Params{}
	for name, raw := range members {
		switch name {
		case "iss", "aud", "exp", "nbf", "iat", "jti", "sub":
			continue
		case "authorization_details", "claims":
			p[name] = string(raw)
			continue
		}
		var s string
		if json.Unmarshal(raw, &s) == nil {
			p[name] = s
			continue
		}
		var n int64
		if json.Unmarshal(raw, &n) != nil {
			return nil, fmt.Errorf("%.40q in the request object is neither text nor a number", name)
		}
		p[name] = strconv.FormatInt(n, 10)
	}
	return p, nil
}
