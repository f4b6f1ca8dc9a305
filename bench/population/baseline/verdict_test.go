package baseline

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/waryauth/wary/bench/population"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/models/modeltest"
	"github.com/waryauth/wary/models/train"
	"github.com/waryauth/wary/signals"
)

// A report of a small simulation has every section; the same recipe gives the same
// bytes; what single features know is explained.
func TestEvaluate(t *testing.T) {
	m, err := models.Load(modeltest.Stump("stump", features.NetASNNewForUser, 0.5, -6, 1))
	if err != nil {
		t.Fatal(err)
	}
	quiet(t)
	c := Recipe{Seed: 1, Scale: 0.006, Geo: t.TempDir()}
	steps := map[string]bool{}
	c.Progress = func(step string, _, _ int) { steps[step] = true }
	report, err := c.Evaluate(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if report.Study == nil || report.Leaks == nil || len(report.Scores) != 4 || report.Model != "stump" || len(report.Notes) < 4 {
		t.Errorf("report %+v", report)
	}
	var names []string
	for _, a := range report.Leaks.Families {
		names = append(names, a.Name)
	}
	if !slices.Equal(names, features.FamilyNames[:]) {
		t.Errorf("families of features alone: %v", names)
	}
	for _, step := range []string{Simulating, Studying, Fitting} {
		if !steps[step] {
			t.Errorf("no progress while %s", step)
		}
	}
	unseen := false
	for _, f := range report.Families {
		unseen = unseen || f.Unseen && f.Name == held.String()
	}
	if !unseen {
		t.Errorf("no family is told as not trained on: %+v", report.Families)
	}
	var page bytes.Buffer
	if err := report.WritePage(&page); err != nil || !bytes.Contains(page.Bytes(), []byte("very targeted")) {
		t.Errorf("the page has no study: %v", err)
	}
}

// Nothing of the study's people is trained on: their world, days and seed are others.
func TestStudyIsApart(t *testing.T) {
	for i, s := range settings {
		if s.days >= 200 || i*1000 >= studySeed {
			t.Errorf("%s reaches the study's days or seed", s.name)
		}
	}
}

// What tells the owner's own consent, or a server, is no login of the study.
func TestLoginOfTheStudy(t *testing.T) {
	f := func(name string, want bool, takeover string, change func(*population.Labelled)) {
		t.Helper()
		l := population.Labelled{UserIndex: 7}
		l.Attempt.Action, l.Attempt.Authentication.Result = signals.Login, signals.Success
		change(&l)
		got, ok := login(&l, &signals.Observation{})
		if ok != want || ok && (got.Takeover != takeover || got.User != "7" || !got.Success) {
			t.Errorf("%s: %v, %+v", name, ok, got)
		}
	}
	f("honest", true, "", func(*population.Labelled) {})
	f("authorization", true, "", func(l *population.Labelled) { l.Attempt.Action = signals.Authorize })
	f("payment", false, "", func(l *population.Labelled) { l.Attempt.Action = signals.Payment })
	f("a server", false, "", func(l *population.Labelled) { l.Unattended = true })
	f("very targeted", true, "very targeted", func(l *population.Labelled) { l.Family = population.VeryTargeted })
	f("stuffing", true, "takeover: stuffing", func(l *population.Labelled) { l.Family = population.Stuffing })
	f("the owner, talked into it", false, "", func(l *population.Labelled) { l.Family = population.ConsentPhish })
}

// Thinned rows weigh what all did.
func TestThinned(t *testing.T) {
	d := &train.Data{Columns: 1}
	for i := range 1000 {
		y := float32(0)
		if i%10 == 0 {
			y = 1
		}
		d.X, d.Y, d.Weight = append(d.X, float32(i)), append(d.Y, y), append(d.Weight, 2)
	}
	out := thinned(d, 300)
	var weight [2]float32
	for i, y := range out.Y {
		weight[int(y)] += out.Weight[i]
	}
	if weight != [2]float32{1800, 200} || len(out.Y) != 400 || len(out.X) != 400 {
		t.Errorf("%d rows weigh %v", len(out.Y), weight)
	}
	if thinned(d, 900) != d {
		t.Error("rows that are few enough are copied")
	}
}

// A reason is given for what an attack consists of, and for nothing else.
func TestReason(t *testing.T) {
	f := func(name, attack string, want bool) {
		t.Helper()
		if why := reason(name, attack); (why != "") != want {
			t.Errorf("%s against %s: %q", name, attack, why)
		}
	}
	f("velocity", "stuffing", true)
	f("vel.user_failures_1h", "push_fatigue", true)
	f("device", "very_targeted", false)
	f("net.asn_new_for_user", "very_targeted", false)
	f("velocity", "", false) // against all attacks nothing is explained beforehand
	f("nothing", "stuffing", false)
	for _, r := range reasons {
		if strings.TrimSpace(r.why) == "" || len(r.families) == 0 {
			t.Errorf("an empty reason against %s", r.attack)
		}
	}
}
