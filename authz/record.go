package authz

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/waryauth/wary/internal/jose"
	"github.com/waryauth/wary/internal/store"
)

// ErrGone is the error of what is not there: never was, ended, or expired.
var ErrGone = errors.New("it is not there, or no longer")

// Kinds of records in the store. A record's key is its kind and the digest of the
// secret that names it, so that reading the store gives nobody a secret.
const (
	pushedKind      = "request:"
	interactionKind = "interaction:"
	codeKind        = "code:"
	refreshKind     = "refresh:"
	grantKind       = "grant:"
	revokedKind     = "revoked:"
)

// secretBytes of randomness name codes, tokens, request URIs and interactions:
// 256 bits, where FAPI 2.0 (section 5.4.1) asks for 128.
const secretBytes = 32

func newSecret() string { return randomText(secretBytes) }

func randomText(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails (crypto/rand, Go 1.24)
	return base64.RawURLEncoding.EncodeToString(b)
}

func keyOf(kind, secret string) string { return kind + jose.Digest(secret) }

// record is a value of the store as it was read: what a swap compares.
type record struct {
	key      string
	raw      []byte
	deadline store.Deadline
}

// read fills v from the record of a key, or returns ErrGone.
func (a *Authority) read(ctx context.Context, key string, v any) (record, error) {
	values, err := a.o.Store.Get(ctx, key)
	if err != nil {
		return record{}, fmt.Errorf("read record: %w", err)
	}
	if values[0].Data == nil {
		return record{}, ErrGone
	}
	if err := json.Unmarshal(values[0].Data, v); err != nil {
		return record{}, fmt.Errorf("decode record: %w", err)
	}
	return record{key: key, raw: values[0].Data, deadline: values[0].Deadline}, nil
}

// becomes returns the change of a record to v.
func (r record) becomes(v any, d store.Deadline) (store.Change, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return store.Change{}, fmt.Errorf("encode record: %w", err)
	}
	return store.Change{Key: r.key, Prev: r.raw, Next: raw, Deadline: d}, nil
}

// ends returns the change that removes a record.
func (r record) ends() store.Change { return store.Change{Key: r.key, Prev: r.raw} }
