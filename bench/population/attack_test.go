package population

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/waryauth/wary/signals"
)

// only returns campaigns a day of one family alone.
func only(f Family, n float64) *[FamilyCount]float64 {
	var c [FamilyCount]float64
	c[f] = n
	return &c
}

// Takeovers of the RBA data set: 54.6 % from addresses on lists of attackers, 79 of
// 141 from one country, 18, 16 and 15 from three autonomous systems. Where campaigns
// of guesses begin is held to these; other families hide near their victims.
func TestAttackersComeTogether(t *testing.T) {
	const seeds, campaigns = 40, 141
	w := SyntheticWorld(1)
	listed, country, networks := 0.0, 0.0, 0.0
	for seed := range uint64(seeds) { // the dens of one simulation are a few
		c := campaign{run: newRun(&New(Options{Seed: seed, Users: 1, World: w}).o)}
		inCountry, inNetwork := map[signals.Country]float64{}, map[uint32]float64{}
		for range campaigns {
			o := signals.Observation{Address: signals.Address{IP: c.lair().ip}}
			w.Locator.Locate(&o, c.Start)
			if o.Network.Anonymous {
				listed += 1.0 / seeds / campaigns
			}
			inCountry[o.Place.Country] += 1.0 / campaigns
			inNetwork[o.Network.ASN] += 1.0 / campaigns
		}
		country += descending(inCountry)[0] / seeds
		for _, share := range descending(inNetwork)[:3] {
			networks += share / seeds
		}
	}
	near := func(what string, got, want, tolerance float64) {
		t.Helper()
		t.Logf("%s: %.3f (published %.3f)", what, got, want)
		if got < want-tolerance || got > want+tolerance {
			t.Errorf("%s: %.3f, want %.3f within %.3f", what, got, want, tolerance)
		}
	}
	near("from listed addresses", listed, 0.546, 0.05)
	near("from the first country", country, 79.0/141, 0.06)
	near("from the first three networks", networks, 49.0/141, 0.06)
}

func descending[K comparable](m map[K]float64) []float64 {
	return slices.SortedFunc(maps.Values(m), func(a, b float64) int { return cmp.Compare(b, a) })
}

// Of malware nothing but behaviour and what is asked for differs: address, device
// and language are those of the victim's own attempts.
func TestMalwareIsTheVictims(t *testing.T) {
	t.Parallel()
	type owner struct {
		user  int
		thing string
	}
	s := New(Options{Seed: 5, Users: 600, Days: 50, Campaigns: only(Malware, 15)})
	own := map[owner]bool{}
	for l := range s.Attempts() {
		if a := &l.Attempt; l.Family == Ordinary && !l.Unattended {
			own[owner{l.UserIndex, a.Device.Fingerprint}], own[owner{l.UserIndex, a.Headers.AcceptLanguage}] = true, true
		}
	}
	attempts, strange, alike, logins := 0, 0, 0, 0
	for l := range s.Attempts() {
		a := &l.Attempt
		if l.Family != Malware {
			continue
		}
		attempts++
		if !own[owner{l.UserIndex, a.Device.Fingerprint}] || !own[owner{l.UserIndex, a.Headers.AcceptLanguage}] {
			strange++ // whoever has not logged in with it in these days
		}
		if a.Action == signals.Login {
			logins++
		} else if a.Action != signals.Payment || a.Intent.Payee == "" {
			t.Fatalf("malware does %s to %q", a.Action, a.Intent.Payee)
		}
		if a.Behaviour.Form.DwellMS.Value > 3000 && a.Behaviour.Pointer.Moves.Value > 0 {
			alike++
		}
	}
	if attempts < 50 || strange*5 > attempts || logins == 0 {
		t.Errorf("%d attempts, %d of them logins, %d from what is not the victim's", attempts, logins, strange)
	}
	if alike == 0 || alike == attempts {
		t.Errorf("%d of %d attempts move a pointer as people do: want some", alike, attempts)
	}
}

// Wrong labels change labels, and nothing else.
func TestLabelNoise(t *testing.T) {
	t.Parallel()
	o := Options{Seed: 9, Users: 600, Days: 25}
	plain := take(New(o), 0)
	o.LabelNoise = LabelNoise{Missed: 0.3, Mistaken: 0.01}
	noisy := take(New(o), 0)
	if len(plain) != len(noisy) {
		t.Fatalf("%d attempts with noise, %d without", len(noisy), len(plain))
	}
	var fraud, missed, honest, mistaken float64
	for i := range noisy {
		l := &noisy[i]
		if l.Fraud != plain[i].Fraud || l.Attempt.ID != plain[i].Attempt.ID || plain[i].Label != plain[i].Fraud {
			t.Fatalf("attempt %d: %+v, without noise %+v", i, l, plain[i])
		}
		switch {
		case l.Fraud:
			fraud++
			if !l.Label {
				missed++
			}
		case l.Attempt.Authentication.Result == signals.Success:
			honest++
			if l.Label {
				mistaken++
			}
		case l.Label:
			t.Fatal("an honest failure is labelled fraud")
		}
	}
	if share := missed / fraud; share < 0.25 || share > 0.35 {
		t.Errorf("%.3f of %.0f fraud attempts are missed, want 0.3", share, fraud)
	}
	if share := mistaken / honest; share < 0.007 || share > 0.013 {
		t.Errorf("%.4f of %.0f honest successes are reported, want 0.01", share, honest)
	}
}

// Browser versions move on every four weeks; GPU, screen and fonts of a device stay.
func TestDevicesAge(t *testing.T) {
	t.Parallel()
	type known struct {
		hardware signals.Device // but for what changes with the place
		agent    string
		first    int64 // day
		changes  int64
	}
	devices := map[string]*known{}
	changes := int64(0)
	for l := range New(Options{Seed: 6, Users: 400, Days: 120, Campaigns: new([FamilyCount]float64)}).Attempts() {
		d, agent, day := &l.Attempt.Device, l.Attempt.Headers.UserAgent, l.Attempt.Time.Unix()/86_400
		if d.ID == "" {
			continue
		}
		hardware := signals.Device{GPU: d.GPU, Screen: d.Screen, Fonts: d.Fonts, Cores: d.Cores}
		k := devices[d.ID]
		if k == nil {
			k = &known{hardware, agent, day, 0}
			devices[d.ID] = k
		}
		if !reflect.DeepEqual(k.hardware, hardware) {
			t.Fatalf("device %s was %+v and is %+v", d.ID, k.hardware, hardware)
		}
		if k.agent != agent {
			k.agent = agent
			k.changes++
			changes++
		}
		if k.changes > (day-k.first)/28+1 {
			t.Fatalf("device %s changed its user agent %d times in %d days", d.ID, k.changes, day-k.first)
		}
	}
	if changes == 0 {
		t.Error("no browser was updated")
	}
}
