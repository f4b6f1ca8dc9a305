package ceremony

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"github.com/waryauth/wary/internal/jose"
	"github.com/waryauth/wary/internal/store"
)

// Time-based one-time passwords (RFC 6238) as authenticator apps have them: SHA-1, six
// digits, a new one every 30 seconds.
const (
	totpStep   = 30 * time.Second
	totpDigits = otp.DigitsSix
	totpWindow = 1  // steps before and after now that count as well (RFC 6238, section 5.2)
	totpSecret = 20 // bytes (RFC 4226, section 4, R6)
)

// newSeal returns what seals the secrets of apps at rest.
func newSeal(secret [32]byte) (cipher.AEAD, error) {
	if secret == ([32]byte{}) {
		return nil, errors.New("no secret")
	}
	key, err := hkdf.Key(sha256.New, secret[:], nil, "wary account secrets", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// newTOTP makes a secret: sealed for its subject, and as the URL of a QR code.
func newTOTP(seal cipher.AEAD, issuer, name, subject string) (sealed, url string, err error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: name, SecretSize: totpSecret, Digits: totpDigits, Period: uint(totpStep / time.Second)})
	if err != nil {
		return "", "", err
	}
	return base64.RawURLEncoding.EncodeToString(seal.Seal(nil, nil, []byte(key.Secret()), []byte(subject))), key.URL(), nil
}

// isSealed reports whether a text can be a sealed secret.
func isSealed(text string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && len(raw) > 28 && len(raw) < 256 // nonce and tag are 28
}

var errSealed = errors.New("there is no secret of an app, or it was sealed with another key or for another account")

// app is a person's authenticator app.
type app struct {
	subject string
	secret  string // base32
}

// unseal opens the secret of an account's app; there may be no account any more.
func unseal(seal cipher.AEAD, a *account) (app, error) {
	if a == nil {
		return app{}, errSealed
	}
	raw, err := base64.RawURLEncoding.DecodeString(a.totp)
	if err != nil {
		return app{}, errSealed
	}
	secret, err := seal.Open(nil, nil, raw, []byte(a.subject))
	if err != nil {
		return app{}, errSealed
	}
	return app{a.subject, string(secret)}, nil
}

// step returns the time step whose code was typed, or 0. All steps of the window are
// tried, whichever matches.
func (p app) step(typed string, now time.Time) (uint64, error) {
	code := strings.ReplaceAll(strings.TrimSpace(typed), " ", "")
	if len(code) != totpDigits.Length() {
		return 0, nil
	}
	middle := now.Unix() / int64(totpStep/time.Second)
	var found uint64
	for step := max(1, middle-totpWindow); step <= middle+totpWindow; step++ {
		ok, err := hotp.ValidateCustom(code, uint64(step), p.secret, hotp.ValidateOpts{Digits: totpDigits, Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			return 0, fmt.Errorf("check code: %w", err)
		}
		if ok {
			found = uint64(step)
		}
	}
	return found, nil
}

var errUsed = errors.New("this code, or a later one, was used before")

// use checks a code and uses it up (RFC 6238, section 5.2): of all who come with it
// one gets true. The codes of earlier steps are used up with it.
func (p app) use(ctx context.Context, s store.Store, typed string, now time.Time) (bool, error) {
	step, err := p.step(typed, now)
	if err != nil || step == 0 {
		return false, err
	}
	// Kept until no code of the window can match any more; a clock that is set back
	// by less than that gives no code a second life.
	until := store.Until(now.Add(10 * totpStep))
	err = store.Update(ctx, s, "otp:"+jose.Digest(p.subject), func(prev store.Value) ([]byte, store.Deadline, error) {
		if len(prev.Data) == 8 && binary.BigEndian.Uint64(prev.Data) >= step {
			return nil, 0, errUsed
		}
		return binary.BigEndian.AppendUint64(nil, step), until, nil
	})
	if errors.Is(err, errUsed) {
		return false, nil
	}
	return err == nil, err
}
