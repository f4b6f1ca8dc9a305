package bench

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/engine/scoreapi"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/features/history"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/signals"
)

// item is one attempt with what the steps before the measured one made of it.
type item struct {
	body    []byte
	decoder scoreapi.Decoder
	x       engine.Assessment
}

// BenchmarkStages takes each step alone, over some hundred attempts of people who
// are known, each handed what the steps before made of it. decide is within the
// engine: evaluate is observe to decide, in one.
func BenchmarkStages(b *testing.B) {
	p := realPath(b)
	locator, err := OpenLocator(geoFolder)
	if err != nil {
		b.Fatal(err)
	}
	agents, hasher, state, model := signals.NewAgents(1<<15), features.NewHasher(1, 2), history.New(history.Options{}), p.engine.Model()
	log, err := journal.Open(filepath.Join(b.TempDir(), "journal"), journal.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	fact := make([]byte, factBytes(b, p))
	items := make([]item, 512)
	for i := range items {
		p.fetch()
		items[i].body = append([]byte(nil), p.body...)
	}
	steps := []struct {
		name string
		do   func(t *item)
	}{
		{"decode", func(t *item) {
			t.x.Reset()
			if problem := t.decoder.Attempt(&t.x.Attempt, t.body); problem != nil {
				b.Fatalf("%s", problem.Append(nil))
			}
		}},
		{"observe", func(t *item) {
			a, o := &t.x.Attempt, &t.x.Observation
			*o = signals.Observation{}
			o.Address, _ = signals.Proxies{}.Client(a.Network.IP, a.Network.ForwardedFor) // decoded: it is one
			if locator != nil {
				locator.Locate(o, a.Time)
			}
			agents.Describe(&o.Agent, &a.Headers)
			features.Describe(&t.x.Trace, a, o, hasher)
		}},
		{"fold", func(t *item) { state.Attempt(&t.x.Trace); state.Succeed(&t.x.Trace) }},
		{"recall", func(t *item) { state.Recall(&t.x.Profile, &t.x.Trace) }},
		{"extract", func(t *item) {
			features.Extract(&t.x.Vector, &t.x.Attempt, &t.x.Observation, &t.x.Trace, &t.x.Profile)
		}},
		{"predict", func(t *item) { model.Predict(&t.x.Prediction, &t.x.Vector) }},
		{"evaluate", func(t *item) {
			if err := p.engine.Evaluate(&t.x, time.Now()); err != nil {
				b.Fatal(err)
			}
		}},
		{"append", func(*item) {
			if _, err := log.Append(engine.KindDecision, time.Now(), fact); err != nil {
				b.Fatal(err)
			}
		}},
		{"encode", func(t *item) { p.out = scoreapi.AppendDecision(p.out[:0], &t.x.Decision, &t.x.Attempt) }},
	}
	for _, s := range steps {
		for i := range items { // warm, and what the next step is handed
			s.do(&items[i])
		}
		b.Run(s.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				s.do(&items[i%len(items)])
			}
		})
	}
}

// factBytes returns the mean length of a decision in the engine's log.
func factBytes(b *testing.B, p *path) int {
	n, bytes := 0, 0
	for rec, err := range journal.Records(filepath.Join(p.dir, "journal"), journal.Address{}) {
		if err != nil {
			b.Fatal(err)
		}
		if rec.Kind == engine.KindDecision {
			n, bytes = n+1, bytes+len(rec.Payload)
		}
	}
	return bytes / n
}
