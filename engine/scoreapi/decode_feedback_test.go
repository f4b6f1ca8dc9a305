package scoreapi

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/signals"
)

func TestFeedback(t *testing.T) {
	var d Decoder
	var f signals.Feedback
	p := d.Feedback(&f, []byte(`{"feedback_id":"f-1","decision_id":"d","kind":"label","value":"fraud","source":"chargeback","time":"2026-11-23T10:00:00+01:00","note":"n","x":1}`))
	want := signals.Feedback{ID: "f-1", DecisionID: "d", Kind: signals.Label, Value: signals.Fraud, Source: signals.Chargeback, Time: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), Note: "n"}
	if p != nil || f != want || d.Unknown() != 1 {
		t.Errorf("%s: %+v", show(p), f)
	}
	refuse := func(body, says string, want ...string) {
		t.Helper()
		if p := d.Feedback(&f, []byte(body)); p == nil || p.Status != 400 || !slices.Equal(pointersOf(p), want) || !strings.Contains(show(p), says) {
			t.Errorf("%s: got %s; want %v, saying %q", body, show(p), want, says)
		}
	}
	const rest = `"source":"system","kind":"outcome","value":"success"}`
	refuse(`{}`, isRequired, "/feedback_id", "/kind", "/value", "/source", "/decision_id")
	refuse(`{"feedback_id":"f",`+rest, "exactly one", "/decision_id")
	refuse(`{"feedback_id":"f","decision_id":"","attempt_id":null,`+rest, "exactly one", "/decision_id")
	refuse(`{"feedback_id":"f","decision_id":"d","attempt_id":"a",`+rest, "exactly one", "/attempt_id")
	refuse(`{"feedback_id":"f","decision_id":7,`+rest, "string", "/decision_id")
	if f.ID != "f" {
		t.Errorf("the id of a refused document is %q", f.ID)
	}
	refuse(`{"feedback_id":"f","attempt_id":"a","source":"system","kind":"label","value":"abandoned"}`, "must be one of fraud, legitimate where", "/value")
	refuse(`{"feedback_id":"f","attempt_id":"a","source":"system","kind":"outcome","value":"fraud"}`, "must be one of success, failure, step_up_passed, step_up_failed, abandoned where", "/value")
	refuse(`{"feedback_id":"f","attempt_id":"a","source":"me","kind":"guess","value":"maybe"}`, "analyst, chargeback", "/source", "/kind", "/value")
	refuse(`{"feedback_id":"f","attempt_id":"a","note":"`+strings.Repeat("n", 1025)+`",`+rest, "1024", "/note")
	refuse(`{"feedback_id":"f","attempt_id":"a","attempt_id":"a",`+rest, twice, "/attempt_id")
	for v := signals.OutcomeSuccess; v <= signals.Legitimate; v++ {
		body := `{"feedback_id":"f","attempt_id":"a","source":"system","kind":"` + v.Kind().String() + `","value":"` + v.String() + `"}`
		if p := d.Feedback(&f, []byte(body)); p != nil || f.Value != v || f.AttemptID != "a" || f.DecisionID != "" {
			t.Errorf("%s: %s", body, show(p))
		}
	}
}

func TestEvent(t *testing.T) {
	var d Decoder
	var e signals.Event
	accept := func(body string, unknown int, want signals.Event) {
		t.Helper()
		if p := d.Event(&e, []byte(body)); p != nil || e != want || d.Unknown() != unknown {
			t.Errorf("%s: %s: %+v, %d unknown", body, show(p), e, d.Unknown())
		}
	}
	accept(`{"event_id":"e","type":"logout","subject":"s","time":"2026-11-23T10:00:00Z"}`, 0,
		signals.Event{ID: "e", Type: signals.Logout, Subject: "s", Time: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)})
	accept(`{"event_id":"e","type":"client_changed","client":"c","attributes":null}`, 0, signals.Event{ID: "e", Type: signals.ClientChanged, Client: "c"})
	accept(`{"event_id":"e","type":"client_changed","subject":"s"}`, 0, signals.Event{ID: "e", Type: signals.ClientChanged, Subject: "s"})
	const all = `"attributes":{"method":"m","credential_id":"c","device_id":"d","key_bound":true,"kind":"email","session_id":"s","consent_id":"k",` +
		`"amount":{"value":"1.50","currency":"EUR"},"payee":"p","x":{}}`
	of := func(kind signals.EventType) string {
		return `{"event_id":"e","subject":"s",` + all + `,"type":"` + kind.String() + `"}`
	}
	with := func(kind signals.EventType, a signals.EventAttributes) signals.Event {
		return signals.Event{ID: "e", Subject: "s", Type: kind, Attributes: a}
	}
	// Nine attributes are known and one is not; those of other types count as unknown.
	for _, c := range []struct {
		types []signals.EventType
		want  signals.EventAttributes
		n     int
	}{
		{[]signals.EventType{signals.CredentialAdded, signals.CredentialRemoved}, signals.EventAttributes{Method: "m", CredentialID: "c"}, 8},
		{[]signals.EventType{signals.DeviceEnrolled, signals.DeviceRemoved}, signals.EventAttributes{DeviceID: "d", KeyBound: signals.Some(true)}, 8},
		{[]signals.EventType{signals.ContactChanged}, signals.EventAttributes{Kind: "email"}, 9},
		{[]signals.EventType{signals.SessionRevoked}, signals.EventAttributes{SessionID: "s"}, 9},
		{[]signals.EventType{signals.ConsentWithdrawn}, signals.EventAttributes{ConsentID: "k"}, 9},
		{[]signals.EventType{signals.PaymentSettled, signals.PaymentRefunded}, signals.EventAttributes{Amount: signals.Some(1.5), Currency: "EUR", Payee: "p"}, 8},
		{[]signals.EventType{signals.PasswordChanged, signals.RecoveryStarted, signals.Logout, signals.ClientChanged, signals.SubjectErased}, signals.EventAttributes{}, 10},
	} {
		for _, kind := range c.types {
			accept(of(kind), c.n, with(kind, c.want))
		}
	}
	refuse := func(body, says string, want ...string) {
		t.Helper()
		if p := d.Event(&e, []byte(body)); p == nil || p.Status != 400 || !slices.Equal(pointersOf(p), want) || !strings.Contains(show(p), says) {
			t.Errorf("%s: got %s; want %v, saying %q", body, show(p), want, says)
		}
	}
	refuse(`{}`, isRequired, "/event_id", "/type", "/subject")
	refuse(`{"event_id":"e","type":"logout","client":"c"}`, isRequired, "/subject")
	refuse(`{"event_id":"e","type":"logout","subject":7}`, "string", "/subject")
	refuse(`{"event_id":"e","type":"client_changed"}`, "or subject", "/client")
	refuse(`{"event_id":"e","type":"nonsense","subject":"s"}`, "credential_added, credential_removed", "/type")
	refuse(`{"event_id":"e","type":"contact_changed","subject":"s","attributes":{"kind":"fax"}}`, "email, phone, address", "/attributes/kind")
	refuse(`{"event_id":"e","type":"payment_settled","subject":"s","attributes":{"amount":{"value":"-1","currency":"eur"}}}`, "without a sign", "/attributes/amount/value", "/attributes/amount/currency")
}
