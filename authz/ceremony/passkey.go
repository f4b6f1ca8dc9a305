package ceremony

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/waryauth/wary/internal/jose"
	"github.com/waryauth/wary/internal/store"
)

// Limits of passkeys.
const (
	maxPasskeys    = 10 // of one person
	maxPasskeyName = 40 // characters
	maxKeyBytes    = 2 << 10
	challengeLives = 5 * time.Minute
)

// passkey is one credential (Web Authentication, section 6.1).
type passkey struct {
	ID       []byte    `json:"id"`
	Key      []byte    `json:"key"` // COSE
	Name     string    `json:"name"`
	Added    time.Time `json:"added"`
	Used     time.Time `json:"used,omitzero"`
	Count    uint32    `json:"count,omitempty"`     // of signatures, as far as its device counts
	Eligible bool      `json:"backup,omitempty"`    // it may be kept in several devices
	Backed   bool      `json:"backed_up,omitempty"` // it is
	Copied   bool      `json:"copied,omitempty"`    // its count went back: somebody else may have it. It proves nothing any more

	Transports []protocol.AuthenticatorTransport `json:"transports,omitempty"`
}

// kind returns the method of RFC 8176 that a passkey is.
func (k *passkey) kind() string {
	if k.Eligible {
		return amrSoftware
	}
	return amrHardware
}

// holdings are what a person holds here besides their account.
type holdings struct {
	Passkeys []passkey `json:"passkeys,omitempty"`
	Recovery time.Time `json:"recovery,omitzero"` // when they may change passkeys with less than a passkey; zero: they did not ask
}

// usable reports whether any passkey can prove something.
func (h *holdings) usable() bool {
	return slices.ContainsFunc(h.Passkeys, func(k passkey) bool { return !k.Copied })
}

func holdingsKey(subject string) string { return "passkeys:" + jose.Digest(subject) }

// holdings returns what a person holds.
func (s *Server) holdings(ctx context.Context, subject string) (*holdings, error) {
	held, err := s.o.Store.Get(ctx, holdingsKey(subject))
	if err != nil {
		return nil, err
	}
	h := &holdings{}
	if held[0].Data == nil {
		return h, nil
	}
	if err := json.Unmarshal(held[0].Data, h); err != nil {
		return nil, fmt.Errorf("read passkeys: %w", err)
	}
	return h, nil
}

// hold changes what a person holds. The function may run several times; its error ends
// the change.
func (s *Server) hold(ctx context.Context, subject string, change func(*holdings) error) error {
	return store.Update(ctx, s.o.Store, holdingsKey(subject), func(prev store.Value) ([]byte, store.Deadline, error) {
		h := &holdings{}
		if prev.Data != nil {
			if err := json.Unmarshal(prev.Data, h); err != nil {
				return nil, 0, fmt.Errorf("read passkeys: %w", err)
			}
		}
		if err := change(h); err != nil {
			return nil, 0, err
		}
		if len(h.Passkeys) == 0 && h.Recovery.IsZero() {
			return nil, 0, nil
		}
		next, err := json.Marshal(h)
		return next, store.Forever, err
	})
}

// newRelyingParty returns what makes and checks the challenges of passkeys at an issuer;
// nil at one whose host is an address, which passkeys cannot have.
func newRelyingParty(issuer string) (*webauthn.WebAuthn, error) {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil, err
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return nil, nil
	}
	return webauthn.New(&webauthn.Config{
		RPID: u.Hostname(), RPDisplayName: u.Hostname(), RPOrigins: []string{u.Scheme + "://" + u.Host},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, RequireResidentKey: protocol.ResidentKeyRequired(), UserVerification: protocol.VerificationRequired,
		},
	})
}

// holder is a person as package webauthn wants them.
type holder struct {
	handle []byte
	name   string
	held   *holdings
}

func (h *holder) WebAuthnID() []byte          { return h.handle }
func (h *holder) WebAuthnName() string        { return h.name }
func (h *holder) WebAuthnDisplayName() string { return h.name }

func (h *holder) WebAuthnCredentials() []webauthn.Credential {
	var all []webauthn.Credential
	for _, k := range h.held.Passkeys {
		if k.Copied {
			continue
		}
		all = append(all, webauthn.Credential{
			ID: k.ID, PublicKey: k.Key, Transport: k.Transports,
			Flags:         webauthn.CredentialFlags{UserPresent: true, UserVerified: true, BackupEligible: k.Eligible, BackupState: k.Backed},
			Authenticator: webauthn.Authenticator{SignCount: k.Count},
		})
	}
	return all
}

// handleOf returns a person's user handle: nothing that tells who they are (Web
// Authentication, section 14.6.1).
func (s *Server) handleOf(subject string) []byte {
	mac := hmac.New(sha256.New, s.nameKey)
	mac.Write([]byte("handle " + subject))
	return mac.Sum(nil)
}

func handleKey(handle []byte) string { return "passkey-user:" + jose.Digest(string(handle)) }

func (s *Server) holder(ctx context.Context, subject string) (*holder, error) {
	held, err := s.holdings(ctx, subject)
	if err != nil {
		return nil, err
	}
	return &holder{s.handleOf(subject), s.nameOf(subject), held}, nil
}

// Purposes of a challenge: one made for one is good for no other.
const (
	forAssertion    = "assert"
	forRegistration = "register"
)

func challengeKey(interaction, purpose string) string {
	return "passkey-challenge:" + jose.Digest(purpose+" "+interaction)
}

// challenge keeps a challenge until it is answered: the last one that a page showed.
func (s *Server) challenge(ctx context.Context, interaction, purpose string, data *webauthn.SessionData) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	until := store.Until(s.o.Now().Add(challengeLives))
	return store.Update(ctx, s.o.Store, challengeKey(interaction, purpose), func(store.Value) ([]byte, store.Deadline, error) { return text, until, nil })
}

var errNoChallenge = errors.New("there is no challenge, or it was answered")

// challenged takes a challenge: it is answered once.
func (s *Server) challenged(ctx context.Context, interaction, purpose string) (data webauthn.SessionData, err error) {
	text, err := store.Take(ctx, s.o.Store, challengeKey(interaction, purpose))
	if errors.Is(err, store.ErrAbsent) {
		return data, errNoChallenge
	}
	if err != nil {
		return data, err
	}
	return data, json.Unmarshal(text, &data)
}

// asks returns the options of navigator.credentials.get: of a person's passkeys, or, of
// nobody, of whichever the browser has.
func (s *Server) asks(ctx context.Context, interaction, subject string) (options string, err error) {
	var asked *protocol.CredentialAssertion
	var data *webauthn.SessionData
	if subject == "" {
		asked, data, err = s.party.BeginDiscoverableLogin()
	} else {
		var h *holder
		if h, err = s.holder(ctx, subject); err == nil {
			asked, data, err = s.party.BeginLogin(h)
		}
	}
	if err != nil {
		return "", err
	}
	if err := s.challenge(ctx, interaction, forAssertion, data); err != nil {
		return "", err
	}
	text, err := json.Marshal(asked.Response)
	return string(text), err
}

// assertion is what a passkey said.
type assertion struct {
	subject string // "" where it is nobody's
	parsed  *protocol.ParsedCredentialAssertionData
	data    webauthn.SessionData
}

var errPasskey = errors.New("the passkey proves nothing")

// read reads an assertion, uses up its challenge, and finds whose it claims to be. The
// error is errPasskey or errNoChallenge, or the store's.
func (s *Server) read(ctx context.Context, interaction, subject, text string) (*assertion, error) {
	data, err := s.challenged(ctx, interaction, forAssertion)
	if err != nil {
		return nil, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes([]byte(text))
	if err != nil {
		return nil, errPasskey
	}
	a := &assertion{subject, parsed, data}
	if subject == "" && len(data.UserID) == 0 {
		held, err := s.o.Store.Get(ctx, handleKey(parsed.Response.UserHandle))
		if err != nil {
			return nil, err
		}
		a.subject = string(held[0].Data)
	}
	return a, nil
}

// believe checks an assertion and remembers that its passkey was used. It returns the
// methods that this proves, or errPasskey, or the store's error.
func (s *Server) believe(ctx context.Context, a *assertion) (amr []string, err error) {
	h, err := s.holder(ctx, a.subject)
	if err != nil {
		return nil, err
	}
	if len(a.data.UserID) == 0 {
		_, _, err = s.party.ValidatePasskeyLogin(func(_, _ []byte) (webauthn.User, error) { return h, nil }, a.data, a.parsed)
	} else {
		_, err = s.party.ValidateLogin(h, a.data, a.parsed)
	}
	if err != nil {
		return nil, errPasskey
	}
	said := a.parsed.Response.AuthenticatorData
	now := s.o.Now()
	var key passkey
	err = s.hold(ctx, a.subject, func(h *holdings) error {
		i := slices.IndexFunc(h.Passkeys, func(k passkey) bool { return bytes.Equal(k.ID, a.parsed.RawID) })
		if i < 0 || h.Passkeys[i].Copied {
			return errPasskey
		}
		k := &h.Passkeys[i]
		if said.Counter <= k.Count && said.Counter|k.Count != 0 { // Web Authentication, section 7.2, step 22
			k.Copied = true
		} else {
			k.Count, k.Used, k.Backed = said.Counter, now, said.Flags.HasBackupState()
			h.Recovery = time.Time{} // it is not lost
		}
		key = *k
		return nil
	})
	if err != nil {
		return nil, err
	}
	if key.Copied {
		checked("passkey", "copied")
		s.o.Log.Warn("ceremony: a passkey's count went back, it proves nothing any more")
		return nil, errPasskey
	}
	return []string{key.kind(), amrPresence, amrMultiple}, nil
}
