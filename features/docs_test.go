package features

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/waryauth/wary/signals"
)

var update = flag.Bool("update", false, "write generated files")

// TestDocs holds docs/features.md to the Schema and to the card of the shipped model.
func TestDocs(t *testing.T) {
	file := filepath.Join("..", "docs", "features.md")
	notes := cardNotes(t)
	for i, from := range sources() {
		notes[i].Takes = from
	}
	want := appendDocs(nil, notes)
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/features.md is stale: go test ./features -run Docs -update")
	}
}

// cardNotes reads the shares that the shipped model's card tells.
func cardNotes(t *testing.T) *[Width]note {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "models", "baseline", "card.json"))
	if err != nil {
		t.Fatal(err)
	}
	var card struct{ Gain, Missing map[string]float64 }
	if err := json.Unmarshal(text, &card); err != nil {
		t.Fatal(err)
	}
	if len(card.Gain) == 0 || len(card.Missing) == 0 {
		t.Error("the card of models/baseline tells no shares: wary train writes them")
	}
	var notes [Width]note
	for i := range Schema {
		notes[i].Gain, notes[i].Missing = card.Gain[Schema[i].Name], card.Missing[Schema[i].Name]
	}
	return &notes
}

// withheld are what an attempt is made of, each taken away.
var withheld = []struct {
	name string
	take edit
}{
	{"request", func(a *signals.Attempt, _ *signals.Observation) {
		a.Action, a.UserPresent, a.Client, a.Session, a.Authentication = 0, signals.Opt[bool]{}, signals.Client{}, signals.Session{}, signals.Authentication{}
		a.Intent, a.Consent, a.Token, a.Network.RTTMS = signals.Intent{}, signals.Consent{}, signals.Token{}, signals.Opt[float64]{}
	}},
	{"headers", func(a *signals.Attempt, o *signals.Observation) {
		a.Headers, o.Agent, a.Network.JA4 = signals.Headers{}, signals.Agent{Empty: true}, ""
	}},
	{"page", func(a *signals.Attempt, _ *signals.Observation) {
		a.Device, a.Behaviour = signals.Device{}, signals.Behaviour{}
	}},
	{"address", func(_ *signals.Attempt, o *signals.Observation) { o.Address = signals.Address{} }},
	{"geo files", func(_ *signals.Attempt, o *signals.Observation) {
		o.Place, o.Network = signals.Place{}, signals.Network{}
	}},
}

// sources finds what each feature takes: of all examples, which feature changes when
// what is withheld.
func sources() (from [Width][]string) {
	note := func(v, w *Vector, name string) {
		for i := range v {
			if (v[i] != w[i] && (v[i] == v[i] || w[i] == w[i])) && !slices.Contains(from[i], name) {
				from[i] = append(from[i], name)
			}
		}
	}
	all := examples()
	for _, x := range withheld {
		for _, e := range all {
			s := *e.scene
			v := s.vector()
			x.take(&s.a, &s.o)
			note(v, s.vector(), x.name)
		}
	}
	for _, e := range all {
		s := *e.scene
		v := s.vector()
		s.past, s.told, s.last = nil, nil, nil
		note(v, s.vector(), "past")
	}
	for i := range Schema {
		if Schema[i].External {
			from[i] = []string{"feed"}
		}
	}
	return from
}

// TestSources: every feature takes something, and the ones known to take nothing else
// do.
func TestSources(t *testing.T) {
	from := sources()
	for i := range from {
		if len(from[i]) == 0 {
			t.Errorf("%s takes nothing", Schema[i].Name)
		}
	}
	for i, want := range map[int][]string{
		HisNLogins: {"past"}, TokResultFailed: {"request"}, DevUABot: {"headers"}, BehKeysTyped: {"page"}, GeoIsEUEEA: {"geo files"}, NetXFFHops: {"address"},
		GeoDeviceGPSVsIPKM: {"page", "geo files"}, HisPhoneSIMSwapDays: {"feed"},
	} {
		if !slices.Equal(from[i], want) {
			t.Errorf("%s takes %v, want %v", Schema[i].Name, from[i], want)
		}
	}
}
