package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"regexp"
	"time"

	"github.com/waryauth/wary/bench/population"
	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/engine/feedback"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/models/train"
)

// plan is what is to be run.
type plan struct {
	seed          uint64
	users         int
	history, days int
	family        population.Family
	library       string
	threads       int
	start         time.Time // of the first week
}

// Rhythm of the loop: a turn every fourth day from the second week on, a look at the
// evidence every second.
const (
	firstTurn, everyTurn = 8, 4
	everyLook            = 2
	prior                = 0.001 // that the default policy's thresholds are for
	day                  = 24 * time.Hour
)

// parameters grow a candidate: fewer trees than the embedded model has, since the log
// of some thousand people is small.
func (o *plan) parameters() train.Params {
	return train.Params{Trees: 150, Leaves: 31, LearningRate: 0.1, MinLeafRows: 20, FeatureFraction: 0.5, BaggingFraction: 0.8,
		L2: 5, MaxBin: 63, EarlyStopping: 20, Seed: 1, Threads: o.threads}
}

// trainer makes candidates with LightGBM.
func (o *plan) trainer(ctx context.Context, s *feedback.Slices) ([]byte, models.Card, error) {
	data := func(m *feedback.Matrix) train.Data {
		return train.Data{Columns: features.Width, X: m.X, Y: m.Y, Weight: m.Weight}
	}
	c := train.Candidate{Library: o.library, Params: o.parameters(), Prior: s.Prior, Share: s.Share,
		Training: data(&s.Training), Stopping: data(&s.Stopping), Calibrating: data(&s.Calibrating)}
	return c.Make(ctx, models.Card{})
}

// event is something that the loop did.
type event struct {
	day  float64 // from the first week on
	what string
}

// reign is a model and the day from which on it was champion.
type reign struct {
	day   float64
	model *models.Model
	exam  exam
}

// story is what came of a run.
type story struct {
	*plan
	attempts int
	labels   int
	first    float64 // day of the new family's first label
	events   []event
	reigns   []reign
	seen     []judged
}

func run(ctx context.Context, o *plan, dir string, tell func(string, ...any)) (*story, error) {
	sim := population.New(population.Options{Seed: o.seed, Users: o.users, Days: o.history + o.days, Campaigns: rates(o.family)})
	o.start = sim.Options().Start.AddDate(0, 0, o.history)
	own, err := models.Baseline()
	if err != nil {
		return nil, err
	}
	watching, err := engine.ParsePolicy(watchingPolicy())
	if err != nil {
		return nil, err
	}
	now := sim.Options().Start
	e, err := engine.Open(filepath.Join(dir, "data"), engine.Options{Secret: [32]byte{1}, Locator: sim.Options().World.Locator, Model: own,
		Policy: watching, Now: func() time.Time { return now }})
	if err != nil {
		return nil, err
	}
	l := &loop{
		world: world{plan: o, engine: e, x: &engine.Assessment{}, stopped: map[entrance]bool{}, entered: map[entrance]bool{}},
		data:  filepath.Join(dir, "data"), registry: models.NewRegistry(filepath.Join(dir, "models"), nil, own),
		story: &story{plan: o}, tell: tell,
	}
	examined := l.examine(ctx)
	began := time.Now()
	err = l.live(ctx, sim, func(t time.Time) { now = t })
	tell("lived %s, %d attempts, %s in turns", time.Since(began), l.story.attempts, l.turning)
	paper, failed := examined()
	tell("paper %d, %s", len(paper), time.Since(began))
	if err := errors.Join(err, failed, e.Close()); err != nil {
		return nil, err
	}
	for i := range l.story.reigns {
		r := &l.story.reigns[i]
		r.exam = paper.mark(r.model)
	}
	l.story.seen, l.story.labels, l.story.first = l.seen, l.world.told, l.since(l.world.first)
	return l.story, nil
}

// loop is a run under way.
type loop struct {
	world
	data     string
	registry *models.Registry
	story    *story
	tell     func(string, ...any)
	shadows  time.Time // since when the challenger does
	turning  time.Duration
}

// since returns a time in days from the first week on.
func (l *loop) since(t time.Time) float64 { return t.Sub(l.start).Hours() / 24 }

// live lets the days pass.
func (l *loop) live(ctx context.Context, sim *population.Simulation, clock func(time.Time)) error {
	midnight := sim.Options().Start.Add(day)
	for a := range sim.Attempts() {
		for !a.Attempt.Time.Before(midnight) {
			clock(midnight)
			if err := errors.Join(ctx.Err(), l.label(midnight), l.night(ctx, midnight)); err != nil {
				return err
			}
			midnight = midnight.Add(day)
		}
		clock(a.Attempt.Time)
		l.story.attempts++
		if err := l.meet(&a); err != nil {
			return err
		}
	}
	return l.night(ctx, midnight)
}

// night does what the loop does at the end of a day.
func (l *loop) night(ctx context.Context, now time.Time) error {
	d := int(l.since(now))
	switch {
	case d < 0:
		return nil
	case d == 0:
		defer func(t time.Time) { l.turning += time.Since(t) }(time.Now())
		return l.begin(ctx, now)
	}
	names, err := l.registry.Names()
	if err != nil {
		return err
	}
	if names.Challenger != "" && d%everyLook == 0 {
		if err := l.look(ctx, now, names); err != nil {
			return err
		}
	}
	if d >= firstTurn && (d-firstTurn)%everyTurn == 0 && d < l.days {
		defer func(t time.Time) { l.turning += time.Since(t) }(time.Now())
		return l.turn(ctx, now)
	}
	return nil
}

func (l *loop) rows(from, to time.Time) iter.Seq2[*feedback.Row, error] {
	return feedback.Window(l.data, from, to, feedback.WindowOptions{Known: to})
}

func (l *loop) turnAt(now time.Time) *feedback.Turn {
	return &feedback.Turn{
		Folder: filepath.Join(l.data, "retrain"), Registry: l.registry, Train: l.trainer, Rows: l.rows, Now: now, By: "loop", Prior: prior,
		Window: 120 * day, Later: 5 * day, Judge: 3 * day, Settled: 30 * day, Most: 70_000, Replace: true,
		Trial: feedback.Trial{Limits: feedback.Limits{Fraud: 10, Rate: 0.01}},
	}
}

// watchingPolicy is the default policy of a deployment that only watches: nobody is
// challenged for what a model says.
func watchingPolicy() []byte {
	text := string(engine.DefaultPolicy().Text)
	for _, action := range [...]string{"default", "payment", "account_change", "api"} {
		at := regexp.MustCompile(`(?m)^  ` + action + `: .*step_up.*$`)
		text = at.ReplaceAllString(text, "  "+action+": {step_up: 1, deny: 1}")
	}
	return []byte(text)
}

// begin has the first model of its own grown, from a log in which the new attack is
// not, and makes it champion by hand: there is nothing to compare it with yet.
func (l *loop) begin(ctx context.Context, now time.Time) error {
	v, err := l.turnAt(now).Run(ctx)
	if err != nil {
		return err
	}
	if v.Digest == "" {
		return fmt.Errorf("the first model does not load: %s", v.Refused)
	}
	if v.Refused != "" {
		if _, err := l.registry.Add(filepath.Join(l.data, "retrain", "candidate")); err != nil {
			return err
		}
		l.note(now, "first model, refused beside the embedded one: "+v.Refused)
	}
	if _, err := feedback.Promote(l.registry, v.Digest, "by hand"); err != nil {
		return err
	}
	if err := l.engine.SetPolicy(engine.DefaultPolicy()); err != nil {
		return err
	}
	return l.swap(now, "the first model of its own, "+v.Version)
}

// turn makes a turn of the loop.
func (l *loop) turn(ctx context.Context, now time.Time) error {
	v, err := l.turnAt(now).Run(ctx)
	if err != nil {
		return err
	}
	if v.Refused != "" {
		l.note(now, "candidate refused: "+v.Refused)
		return nil
	}
	l.shadows = now
	return l.swap(now, v.Version+" shadows")
}

// look asks whether there is enough evidence on the challenger.
func (l *loop) look(ctx context.Context, now time.Time, n models.Names) error {
	w, err := feedback.Shadowed(ctx, l.rows(l.shadows, now), n.Champion, n.Challenger, now, feedback.Rules{Ripe: 6 * day})
	if err != nil {
		return err
	}
	done, err := feedback.Settle(l.registry, w, "loop")
	if err != nil || !done {
		return err
	}
	return l.swap(now, fmt.Sprintf("%s: %s", w.Word, w.Why))
}

// swap has the engine serve what the registry names, as the daemon does.
func (l *loop) swap(now time.Time, what string) error {
	before := l.engine.Models()
	next, err := l.registry.Read(before)
	if err != nil {
		return err
	}
	if err := l.engine.SetModels(next); err != nil {
		return err
	}
	if next.Champion != before.Champion {
		l.story.reigns = append(l.story.reigns, reign{day: l.since(now), model: next.Champion})
		what += "; champion " + next.Champion.Version()
	}
	l.note(now, what)
	return nil
}

func (l *loop) note(now time.Time, what string) {
	l.story.events = append(l.story.events, event{l.since(now), what})
	l.tell("day %2.0f: %s", l.since(now), what)
}
