package lists

import (
	"net/netip"
	"testing"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/signals"
)

// TestLists: the first list of each verdict that matches. What is refused in a document
// is tested with the policies that hold it, in engine.
func TestLists(t *testing.T) {
	docs := []Document{
		{Name: "office", Verdict: "allow", Networks: []string{"10.1.0.0/16", "10.0.0.0/8", "2001:db8::/32"}},
		{Name: "watched", Verdict: "step_up", Subjects: []string{"anna"}, Clients: []string{"tpp-9"}},
		{Name: "embargo", Verdict: "deny", Countries: []string{"KP"}},
		{Name: "gone", Verdict: "deny", Subjects: []string{"mallory"}, Clients: []string{"tpp-0"}},
	}
	all := Parse(docs, func(path, format string, args ...any) { t.Errorf(path+": "+format, args...) }, func(_, v string) features.Outcome {
		return map[string]features.Outcome{"allow": features.Allowed, "step_up": features.SteppedUp, "deny": features.Denied}[v]
	})
	h := features.NewHasher(1, 2)
	b := Bind(all, h)
	f := func(subject, client, country, ip string, want Listed) {
		t.Helper()
		tr := features.Trace{Typed: h.Key(features.KindUser, subject), Client: h.Key(features.KindClient, client)}
		o := signals.Observation{}
		if country != "" {
			o.Place.Country = signals.Country{country[0], country[1]}
		}
		if ip != "" {
			o.Address.IP = netip.MustParseAddr(ip)
		}
		if got := b.Hits(&tr, &o); got != want {
			t.Errorf("%s %s %s %s: %v, want %v", subject, client, country, ip, got, want)
		}
	}
	f("bert", "tpp-1", "DE", "192.0.2.1", Listed{})
	f("bert", "tpp-1", "DE", "10.0.0.0", Listed{features.Allowed: 1})
	f("bert", "tpp-1", "DE", "10.255.255.255", Listed{features.Allowed: 1})
	f("bert", "tpp-1", "DE", "11.0.0.0", Listed{})
	f("bert", "tpp-1", "DE", "9.255.255.255", Listed{})
	f("bert", "tpp-1", "DE", "2001:db8:ffff::1", Listed{features.Allowed: 1})
	f("bert", "tpp-1", "DE", "2001:db9::", Listed{})
	f("anna", "tpp-1", "KP", "", Listed{features.SteppedUp: 2, features.Denied: 3})
	f("", "tpp-9", "", "", Listed{features.SteppedUp: 2})
	for _, c := range [...]struct {
		subject, client string
		want            bool
	}{{"mallory", "tpp-1", true}, {"bert", "tpp-0", true}, {"anna", "tpp-9", false}, {"bert", "tpp-1", false}} {
		if got := Denies(all, c.subject, c.client); got != c.want {
			t.Errorf("%s %s is denied by name: %v", c.subject, c.client, got)
		}
	}
}
