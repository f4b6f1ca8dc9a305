package ceremony

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/waryauth/wary/internal/jose"
	"github.com/waryauth/wary/internal/store"
	"github.com/waryauth/wary/signals"
)

// IdentityType is the typ of the token in the header of a bank's proxy.
const IdentityType = "wary-identity+jwt"

// identityLife bounds the life of such a token, and how long one is remembered as used.
const identityLife = time.Minute

// Header is a bank's login that stands in front of the path /login/bank: it lets nobody
// through to it without a header, a token (JWS) that says who they are.
type Header struct {
	Name   string          // default Wary-Identity
	Keys   jose.KeySet     // of who signs
	Issuer string          // iss of the tokens
	From   signals.Proxies // connections from elsewhere are not believed, whatever they bring
}

// read takes the word of the proxy. Its token is for this issuer, a minute old at most,
// and is taken once. The error is errBank, or the store's.
func (h *Header) read(r *http.Request, s store.Store, audience string, now time.Time) (t *said, word time.Time, err error) {
	peer, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		peer = r.RemoteAddr
	}
	if !h.From.Trusts(peer) {
		return nil, word, fmt.Errorf("%w: the connection is not from the proxy", errBank)
	}
	name := h.Name
	if name == "" {
		name = "Wary-Identity"
	}
	values := r.Header.Values(name)
	if len(values) != 1 {
		return nil, word, fmt.Errorf("%w: %d headers %s", errBank, len(values), name)
	}
	token, err := jose.Parse(values[0], IdentityType)
	if err != nil {
		return nil, word, fmt.Errorf("%w: %w", errBank, err)
	}
	claims, err := token.Verify(h.Keys)
	if err == nil {
		err = claims.Check(jose.Window{Now: now, MaxAge: identityLife, MaxLife: identityLife})
	}
	t = &said{}
	if err == nil {
		err = claims.Decode(t)
	}
	switch {
	case err != nil:
		return nil, word, fmt.Errorf("%w: %w", errBank, err)
	case claims.Issuer != h.Issuer || !claims.Audience.Is(audience):
		return nil, word, fmt.Errorf("%w: iss or aud is another's", errBank)
	case len(claims.ID) < 16 || len(claims.ID) > 128:
		return nil, word, fmt.Errorf("%w: jti is not 16 to 128 characters", errBank)
	}
	err = store.PutNew(r.Context(), s, "identity:"+jose.Digest(h.Issuer+" "+claims.ID), []byte{1}, store.Until(now.Add(3*identityLife)))
	if errors.Is(err, store.ErrConflict) {
		return nil, word, fmt.Errorf("%w: the token was used before", errBank)
	}
	return t, claims.IssuedAt, err
}
