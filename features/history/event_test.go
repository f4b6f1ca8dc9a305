package history

import (
	"bytes"
	"testing"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/signals"
)

// TestEvents: events of a user and of a client are recalled with their attempts, in
// whatever order they came, through a snapshot, and forgotten with the user.
func TestEvents(t *testing.T) {
	tr := trace(1, 100)
	s, other := New(small), New(small)
	s.Event(tr.User, signals.PasswordChanged, 1_000_000)
	s.Event(tr.User, signals.PasswordChanged, 2_000_000)
	s.Event(tr.Client, signals.ClientChanged, 3_000_000)
	other.Event(tr.Client, signals.ClientChanged, 3_000_000)
	other.Event(tr.User, signals.PasswordChanged, 2_000_000)
	other.Event(tr.User, signals.PasswordChanged, 1_000_000)
	var want features.Profile
	changed, registered := features.MomentOf(2_000_000), features.MomentOf(3_000_000)
	want.Account.Event(signals.PasswordChanged, &changed)
	want.Registration.Event(signals.ClientChanged, &registered)

	var image bytes.Buffer
	if err := s.Snapshot(&image); err != nil {
		t.Fatal(err)
	}
	restored := New(small)
	if err := restored.Restore(&image); err != nil {
		t.Fatal(err)
	}
	for name, of := range map[string]*Store{"live": s, "in another order": other, "restored": restored} {
		if got := recall(of, &tr); got.Account != want.Account || got.Registration != want.Registration {
			t.Errorf("%s: %+v and %+v", name, got.Account, got.Registration)
		}
	}
	if n := s.Len().Accounts; n != 2 {
		t.Errorf("%d accounts", n)
	}
	s.Erase(tr.User)
	if got := recall(s, &tr); got.Account != (features.Account{}) || got.Registration == (features.Account{}) {
		t.Errorf("after the user was erased: %+v and %+v", got.Account, got.Registration)
	}
}

// TestEventsOfNothing: what no feature asks for, and what is of nobody, makes no record.
func TestEventsOfNothing(t *testing.T) {
	s := New(small)
	s.Event(0, signals.PasswordChanged, 1)
	s.Event(trace(1, 1).User, signals.PaymentSettled, 1)
	if n := s.Len().Accounts; n != 0 {
		t.Errorf("%d accounts", n)
	}
}
