package ceremony

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/internal/store"
	"github.com/waryauth/wary/signals"
)

// keysPath is that of the page of a person's passkeys, below Path. It belongs to an
// interaction: who is there has just proved who they are.
const keysPath = "/passkeys"

// DefaultRecovery is how long somebody without a passkey waits, where nothing else is
// configured, until they may change the passkeys of an account.
const DefaultRecovery = 72 * time.Hour

// standing is what a person may do with their passkeys.
type standing struct {
	change bool     // add and take away
	ways   []method // to prove more, after which they may
	ask    bool     // to change without them, after a time
}

// standing says what the person of an interaction may do with their passkeys. To change
// them takes a passkey, proved in this interaction; the first one takes a code of their
// app. Who can prove neither, because the passkey is lost or there never was an app,
// proves what is left and waits: the owner, told at every login, can stop it meanwhile.
func (s *Server) standing(ctx context.Context, in *authz.Interaction, held *holdings) (st standing, err error) {
	if st.ways, err = s.ways(ctx, in, held); err != nil {
		return st, err
	}
	fresh := !in.Person.AuthTime.Before(in.Created)
	owes := slices.Contains(st.ways, byCode) // the other factor
	recovered := !held.Recovery.IsZero() && !s.o.Now().Before(held.Recovery)
	switch {
	case !fresh:
	case proved(in, amrHardware, amrSoftware):
		st.change = true
	case proved(in, amrMultiple) && !held.usable():
		st.change = true
	case recovered && !owes:
		st.change = true
	default:
		st.ask = held.Recovery.IsZero() && !owes
	}
	return st, nil
}

// keysOf finds the interaction of a request for the page of passkeys, and what its
// person holds. Where it returns nil the answer is written.
func (s *Server) keysOf(w http.ResponseWriter, r *http.Request, in *authz.Interaction) *holdings {
	at, err := s.next(r.Context(), in)
	switch {
	case err != nil:
		s.failed(w, r, "find the next step", err)
		return nil
	case s.party == nil || at.at != giveConsent: // only who may go on may look
		s.onward(w, in, "")
		return nil
	}
	return at.held
}

// keys shows a person's passkeys.
func (s *Server) keys(w http.ResponseWriter, r *http.Request) {
	q, in := s.asked(w, r)
	if in == nil {
		return
	}
	held := s.keysOf(w, r, in)
	if held == nil {
		return
	}
	st, err := s.standing(r.Context(), in, held)
	if err != nil {
		s.failed(w, r, "find what may be changed", err)
		return
	}
	v := s.view(w, r, in, ownKeys, problem(q["problem"]))
	v.Ring = s.ringOf(held, &st)
	switch {
	case st.change:
		v.Ring.Options, err = s.offers(r.Context(), in)
	case slices.Contains(st.ways, byPasskey):
		v.Options, err = s.asks(r.Context(), in.ID, in.Person.Subject)
	}
	v.Code = !st.change && slices.Contains(st.ways, byCode)
	if err != nil {
		s.failed(w, r, "make a challenge", err)
		return
	}
	v.Then, v.Scripted = "passkeys", true
	s.write(w, http.StatusOK, "passkeys", v)
}

// offers returns the options of navigator.credentials.create.
func (s *Server) offers(ctx context.Context, in *authz.Interaction) (string, error) {
	h, err := s.holder(ctx, in.Person.Subject)
	if err != nil {
		return "", err
	}
	asked, data, err := s.party.BeginRegistration(h, webauthn.WithExclusions(webauthn.Credentials(h.WebAuthnCredentials()).CredentialDescriptors()))
	if err != nil {
		return "", err
	}
	if err := s.challenge(ctx, in.ID, forRegistration, data); err != nil {
		return "", err
	}
	text, err := json.Marshal(asked.Response)
	return string(text), err
}

// changing checks that a person may change their passkeys, and that the engine lets
// them. Where it returns false the answer is written.
func (s *Server) changing(f *submission, may func(*standing) bool) bool {
	held := s.keysOf(f.w, f.r, f.in)
	if held == nil {
		return false
	}
	st, err := s.standing(f.r.Context(), f.in, held)
	if err != nil {
		s.failed(f.w, f.r, "find what may be changed", err)
		return false
	}
	if !may(&st) {
		s.onwardTo(f.w, keysPath, f.in, "")
		return false
	}
	origin := s.origin(f)
	if s.a.MayChange(f.r.Context(), f.in, &origin) != engine.Allow {
		checked("passkeys", "denied")
		s.onwardTo(f.w, keysPath, f.in, notNow)
		return false
	}
	return true
}

func mayChange(st *standing) bool { return st.change }

// addKey keeps a new passkey.
func (s *Server) addKey(f *submission) {
	if !s.changing(f, mayChange) {
		return
	}
	ctx, subject := f.r.Context(), f.in.Person.Subject
	made, err := s.made(ctx, f)
	if err == nil {
		err = store.Update(ctx, s.o.Store, handleKey(s.handleOf(subject)), func(store.Value) ([]byte, store.Deadline, error) {
			return []byte(subject), store.Forever, nil
		})
	}
	if err == nil {
		err = s.hold(ctx, subject, func(h *holdings) error {
			switch {
			case len(h.Passkeys) >= maxPasskeys:
				return errTooMany
			case slices.ContainsFunc(h.Passkeys, func(k passkey) bool { return bytes.Equal(k.ID, made.ID) }):
				return errPasskey
			}
			h.Passkeys, h.Recovery = append(h.Passkeys, *made), time.Time{}
			return nil
		})
	}
	switch {
	case errors.Is(err, errTooMany):
		s.onwardTo(f.w, keysPath, f.in, tooManyKeys)
	case errors.Is(err, errPasskey), errors.Is(err, errNoChallenge):
		checked("passkeys", "failure")
		s.onwardTo(f.w, keysPath, f.in, wrongPasskey)
	case err != nil:
		s.failed(f.w, f.r, "keep a passkey", err)
	default:
		checked("passkeys", "added")
		s.happened(subject, signals.CredentialAdded, made)
		s.onwardTo(f.w, keysPath, f.in, "")
	}
}

// made returns the passkey of a form, checked against the challenge, which is used up.
func (s *Server) made(ctx context.Context, f *submission) (*passkey, error) {
	data, err := s.challenged(ctx, f.in.ID, forRegistration)
	if err != nil {
		return nil, err
	}
	h, err := s.holder(ctx, f.in.Person.Subject)
	if err != nil {
		return nil, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes([]byte(f.form["credential"]))
	if err != nil {
		return nil, errPasskey
	}
	c, err := s.party.CreateCredential(h, data, parsed)
	if err != nil || len(c.PublicKey) > maxKeyBytes {
		return nil, errPasskey
	}
	name := strings.TrimSpace(printable(f.form["name"]))
	if text := []rune(name); len(text) > maxPasskeyName {
		name = string(text[:maxPasskeyName])
	}
	if name == "" {
		name = english.Passkey
	}
	return &passkey{ID: c.ID, Key: c.PublicKey, Name: name, Added: s.o.Now(), Count: c.Authenticator.SignCount, Eligible: c.Flags.BackupEligible,
		Backed: c.Flags.BackupState, Transports: namedTransports(c.Transport)}, nil
}

// namedTransports returns the transports that the specification names: the rest is a stranger's text.
func namedTransports(told []protocol.AuthenticatorTransport) (kept []protocol.AuthenticatorTransport) {
	for _, t := range [...]protocol.AuthenticatorTransport{protocol.USB, protocol.NFC, protocol.BLE, protocol.SmartCard, protocol.Hybrid, protocol.Internal} {
		if slices.Contains(told, t) {
			kept = append(kept, t)
		}
	}
	return kept
}

// removeKey takes a passkey away.
func (s *Server) removeKey(f *submission) {
	if !s.changing(f, mayChange) {
		return
	}
	id, err := base64.RawURLEncoding.DecodeString(f.form["passkey"])
	var gone passkey
	if err == nil {
		err = s.hold(f.r.Context(), f.in.Person.Subject, func(h *holdings) error {
			i := slices.IndexFunc(h.Passkeys, func(k passkey) bool { return bytes.Equal(k.ID, id) })
			if i < 0 {
				return errPasskey
			}
			gone = h.Passkeys[i]
			h.Passkeys = slices.Delete(h.Passkeys, i, i+1)
			return nil
		})
	}
	switch {
	case err == nil:
		checked("passkeys", "removed")
		s.happened(f.in.Person.Subject, signals.CredentialRemoved, &gone)
	case !errors.Is(err, errPasskey) && !errors.As(err, new(base64.CorruptInputError)):
		s.failed(f.w, f.r, "take a passkey away", err)
		return
	}
	s.onwardTo(f.w, keysPath, f.in, "")
}

// recover begins the time after which somebody without a passkey may change them.
func (s *Server) recover(f *submission) {
	if !s.changing(f, func(st *standing) bool { return st.ask }) {
		return
	}
	err := s.hold(f.r.Context(), f.in.Person.Subject, func(h *holdings) error {
		if h.Recovery.IsZero() {
			h.Recovery = s.o.Now().Add(s.o.Recovery)
		}
		return nil
	})
	if err != nil {
		s.failed(f.w, f.r, "begin a recovery", err)
		return
	}
	checked("passkeys", "recovery")
	s.happened(f.in.Person.Subject, signals.RecoveryStarted, &passkey{})
	s.onwardTo(f.w, keysPath, f.in, "")
}

// keep ends a recovery: whoever can log in may, for it takes nothing from anybody.
func (s *Server) keep(f *submission) {
	if s.keysOf(f.w, f.r, f.in) == nil {
		return
	}
	err := s.hold(f.r.Context(), f.in.Person.Subject, func(h *holdings) error {
		h.Recovery = time.Time{}
		return nil
	})
	if err != nil {
		s.failed(f.w, f.r, "end a recovery", err)
		return
	}
	s.onwardTo(f.w, keysPath, f.in, "")
}

// happened has the engine learn of a change. The change stands, whether it does or not.
func (s *Server) happened(subject string, what signals.EventType, k *passkey) {
	if s.o.Event == nil {
		return
	}
	e := &signals.Event{ID: newSessionID(), Type: what, Subject: subject, Time: s.o.Now(), Attributes: signals.EventAttributes{Method: signals.Passkey.String()}}
	if what != signals.RecoveryStarted {
		e.Attributes.CredentialID = base64.RawURLEncoding.EncodeToString(s.handleOf("credential " + string(k.ID))[:16])
	}
	if err := s.o.Event(e); err != nil {
		s.o.Log.Error("ceremony: tell the engine of a change", "change", what.String(), "error", err)
	}
}
