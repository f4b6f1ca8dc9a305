package engine

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/signals"
)

// EventFact is an event as the log holds it: rare, so JSON, with identifiers as keyed
// hashes, 0 where absent.
type EventFact struct {
	ID, Content     features.Key // Content tells an event from others under the same id
	Type            signals.EventType
	Subject, Client features.Key `json:",omitempty"`
	Time            int64        // Unix milliseconds
	Method          string       `json:",omitempty"`
	Kind            string       `json:",omitempty"`
	Credential      features.Key `json:",omitempty"`
	Device          features.Key `json:",omitempty"`
	Session         features.Key `json:",omitempty"`
	Consent         features.Key `json:",omitempty"`
	Payee           features.Key `json:",omitempty"`
	Amount          *float64     `json:",omitempty"`
	Currency        string       `json:",omitempty"`
	KeyBound        *bool        `json:",omitempty"`
	By, Because     string       `json:",omitempty"` // of a revocation: free text, which stays on this machine
}

// Event takes what is not an attempt but changes what an attempt means. When it
// returns nil the fact is in the log. The same id with the same content changes
// nothing; with other content it is ErrConflict.
func (e *Engine) Event(ev *signals.Event, now time.Time) error {
	if ev.ID == "" {
		return &InputError{"/event_id", "is required"}
	}
	if ev.Type == 0 || int(ev.Type) >= len(signals.EventTypes) {
		return &InputError{"/type", "is no type of event"}
	}
	// The time counts only where it was given: an absent time is the server's.
	content := e.hasher.Key(features.KindEvent, fmt.Sprintf("%d %q %q %#v %s", ev.Type, ev.Subject, ev.Client, ev.Attributes, given(ev.Time)))
	if ev.Time.IsZero() {
		ev.Time = now
	}
	if ev.Time.After(now.Add(maxAhead)) {
		return &InputError{"/time", "is more than 5 minutes ahead of the server's clock"}
	}
	h, at := e.hasher, &ev.Attributes
	f := EventFact{
		ID: h.Key(features.KindEvent, ev.ID), Content: content, Type: ev.Type, Time: millis(ev.Time),
		Subject: h.Key(features.KindUser, ev.Subject), Client: h.Key(features.KindClient, ev.Client),
		Method: at.Method, Kind: at.Kind, By: at.By, Because: at.Because, Credential: h.Key(features.KindEvent, at.CredentialID),
		Device: h.Key(features.KindDevice, at.DeviceID), Session: h.Key(features.KindEvent, at.SessionID),
		Consent: h.Key(features.KindEvent, at.ConsentID), Payee: h.Key(features.KindPayee, at.Payee), Currency: at.Currency,
	}
	if at.Amount.Set {
		f.Amount = &at.Amount.Value
	}
	if at.KeyBound.Set {
		f.KeyBound = &at.KeyBound.Value
	}
	return e.once(e.events, f.ID, content, now, func() error { return e.appendEvent(&f, now) })
}

func (e *Engine) appendEvent(f *EventFact, now time.Time) error {
	e.pause.RLock()
	defer e.pause.RUnlock()
	stripe := &e.stripes[uint64(f.Subject)%uint64(len(e.stripes))]
	stripe.Lock()
	defer stripe.Unlock()
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	at, err := e.append(KindEvent, now, b)
	if err != nil {
		return err
	}
	e.foldEvent(f, at, now)
	return nil
}

// foldEvent is what an event in the log does to memory: live, and again when the
// log is read at start.
func (e *Engine) foldEvent(f *EventFact, at journal.Address, now time.Time) {
	e.events.Put(entry{Key: f.ID, Content: f.Content, At: at, When: millis(now)})
	switch f.Type {
	case signals.SubjectErased:
		e.state.Erase(f.Subject)
	case signals.ClientChanged:
		e.state.Event(f.Client, f.Type, f.Time)
	default:
		e.state.Event(f.Subject, f.Type, f.Time)
	}
}
