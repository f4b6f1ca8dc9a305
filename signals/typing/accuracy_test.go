package typing

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// enrol is how many of 15 attempts enrol an account; the last five judge.
const enrol = judgedFrom

// TestRealTypists holds the profile to what it is said to do, on people that nothing
// was learnt from. What stands in docs/typing.md is what it logs.
func TestRealTypists(t *testing.T) {
	learn, judge := people(t)
	table := learnt(t, summaries(learn, 0))
	whole, short := summaries(judge, 0), summaries(judge, 24)
	t.Logf("%d typists to learn from, %d to judge by", len(learn), len(judge))
	for _, c := range []struct {
		name             string
		enrol            int
		accounts         [][]Summary
		one, four, atOne float64 // bars
	}{
		{"whole sentences, 10 to enrol", enrol, whole, 0.05, 0.02, 0.80},
		{"24 keys, 10 to enrol", enrol, short, 0.085, 0.04, 0},
		{"whole sentences, 3 to enrol", 3, whole, 0.065, 1, 0},
	} {
		r := judged(c.enrol, profiles(table), c.accounts, c.accounts)
		t.Logf("%s: %v", c.name, r)
		if r.one > c.one || r.four > c.four || r.atOne < c.atOne {
			t.Errorf("%s: want at most %v and %v, and at least %v", c.name, c.one, c.four, c.atOne)
		}
	}
	t.Logf("24 keys as of a password, 10 to enrol: %v", judged(enrol, profiles(learnt(t, passwords(summaries(learn, 24)))), passwords(summaries(judge, 24)), passwords(summaries(judge, 24))))
	shows(t, table, judge, 0.002)
}

// TestInventedTypists is the same on typists of a stated model, of whom half were
// learnt from: enough where the data are absent.
func TestInventedTypists(t *testing.T) {
	all := invented(120, 15)
	table := learnt(t, summaries(all[:60], 0))
	judge := all[60:]
	r := judged(enrol, profiles(table), summaries(judge, 0), summaries(judge, 0))
	t.Log(r)
	if r.one > 0.05 || r.four > 0.02 || r.atOne < 0.8 {
		t.Error("want at most 0.05 and 0.02, and at least 0.8")
	}
	shows(t, table, judge, 0.002)
}

// shows holds a table to what does not depend on how good it is.
func shows(t *testing.T, table *Table, judge []typist, quantising float64) {
	t.Helper()
	accounts := summaries(judge, 0)
	bytes, floats := judged(enrol, profiles(table), accounts, accounts), judged(enrol, exact(table), accounts, accounts)
	t.Logf("in 36 bytes %.2f %%, in floating point %.2f %%", 100*bytes.one, 100*floats.one)
	if bytes.one > floats.one+quantising || bytes.four > floats.four+quantising {
		t.Errorf("quantising costs more than %v: %v, exactly %v", quantising, bytes, floats)
	}
	// Control: with the sentences dealt out at random nothing is left to recognise.
	mixed := shuffled(accounts)
	if r := judged(enrol, profiles(table), mixed, mixed); math.Abs(r.one-0.5) > 0.05 {
		t.Errorf("equal error rate %.3f of shuffled typists, want about 0.5", r.one)
	}
	forgetting, never := drifting(table, accounts, MaxCount), drifting(table, accounts, math.MaxUint8)
	t.Logf("after a drift to a correlation of 0.7 in 30 logins: %.2f %%, without forgetting %.2f %%", 100*forgetting.one, 100*never.one)
	if forgetting.one >= never.one {
		t.Error("forgetting does not help where people change")
	}
	copied := copies(table, judge, bytes.threshold, true)
	t.Logf("others who copy speed and hold time: equal error rate %.1f %%; at the threshold of %.1f %% they are accepted %.1f %% of the time",
		100*copied.one, 100*bytes.one, 100*copied.accepted)
	if control := copies(table, judge, bytes.threshold, false); copied.one <= control.one {
		t.Errorf("copying does not help: %.3f, without %.3f", copied.one, control.one)
	}
}

func passwords(accounts [][]Summary) [][]Summary {
	for _, a := range accounts {
		for i := range a {
			a[i] = a[i].Password()
		}
	}
	return accounts
}

func shuffled(accounts [][]Summary) [][]Summary {
	all := slices.Concat(accounts...)
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return slices.Collect(slices.Chunk(all, len(accounts[0])))
}

// exact is the scorer under test written out in float64, with neither bytes nor
// codes: two-covariance scoring of an attempt against the mean of some, as the papers
// have it, with the package's noise and forgetting.
func exact(t *Table) scorer {
	type point [Dims]float64
	known := map[*Summary]point{}
	embed := func(s *Summary) (y point) {
		if y, ok := known[s]; ok {
			return y
		}
		defer func() { known[s] = y }()
		z := t.standardize(s)
		for d := range y {
			for f := range z {
				y[d] += float64(z[f]) * float64(t.project[d/4][f][d%4])
			}
			// In deviations within an account.
			y[d] = (y[d] - float64(t.offset[d])) * 4 / 127 * math.Sqrt(1+float64(variances[t.between[d]]))
		}
		return y
	}
	return func(own []Summary) func(*Summary) float64 {
		var mean point
		n, noise := 0.0, 0.0
		for i := range own {
			y, surprise := embed(&own[i]), 0.0
			for d := range y {
				b := float64(variances[t.between[d]])
				v := b / (n*b + 1)
				step := y[d] - mean[d]
				surprise += step * step / (1 + v) / Dims
				limit := 2 * math.Sqrt(1+v)
				mean[d] += v / (1 + v) * max(-limit, min(limit, step))
			}
			if n > 0 {
				noise += (min(4, surprise) - noise) / n
			}
			n = min(n+1, MaxCount)
		}
		dof := (n - 1) * Dims / 4
		within := (max(0.3, min(3, noise))*dof + 30) / (dof + 30)
		return func(s *Summary) float64 {
			sum := 0.0
			for d, y := range embed(s) {
				b := float64(variances[t.between[d]])
				spread := within + b/(n*b+1)
				sum += y*y/(1+b) - (y-mean[d])*(y-mean[d])/spread - math.Log(spread/(1+b))
			}
			return max(-5, sum/2)
		}
	}
}

// drifting measures with accounts whose rhythm changes: over 30 logins, made of their
// first ten again and again, the mean of each goes from its own to one whose
// correlation with it is 0.7, the rest being that of another account. The attempts to
// judge are of the end. count is how many attempts a profile knows at most.
func drifting(t *Table, accounts [][]Summary, count uint8) rates {
	const logins, correlation = 30, 0.7
	means := make([]Summary, len(accounts))
	for u, own := range accounts {
		for f := range means[u] {
			n, sum := 0, 0.0
			for i := range own {
				if x := float64(own[i][f]); x == x {
					sum, n = sum+x-float64(t.mean[f]), n+1
				}
			}
			means[u][f] = float32(sum / max(float64(n), 1))
		}
	}
	moved := func(u int, s Summary, at float64) Summary {
		c := 1 - (1-correlation)*at
		other := &means[(u+len(means)/2)%len(means)]
		for f := range s {
			s[f] += float32((c-1)*float64(means[u][f]) + math.Sqrt(1-c*c)*float64(other[f]))
		}
		return s
	}
	last := make([][]Summary, len(accounts))
	for u, own := range accounts {
		for i := range logins {
			last[u] = append(last[u], moved(u, own[i%enrol], float64(i)/logins))
		}
		for i := enrol; i < len(own); i++ {
			last[u] = append(last[u], moved(u, own[i], 1))
		}
	}
	var genuine, impostor []float64
	var e Embedding
	for u := range last {
		var p Profile
		for i := range logins {
			t.Embed(&e, &last[u][i])
			p.update(&e, uint32(i), count)
		}
		for v := range last {
			for i := logins; i < len(last[v]); i++ {
				t.Embed(&e, &last[v][i])
				if s := float64(p.LLR(&e)); u == v {
					genuine = append(genuine, s)
				} else {
					impostor = append(impostor, s)
				}
			}
		}
	}
	return measure(genuine, impostor, genuine, impostor)
}

// copies measures against others who know a person's median latency and hold, and
// stretch theirs to them; unless copying, against the same others as they are.
func copies(t *Table, judge []typist, threshold float64, copying bool) rates {
	const attackers = 4 // of each account
	var genuine, impostor []float64
	for u, own := range judge {
		of := profiles(t)(summaries(judge[u:u+1], 0)[0][:enrol])
		for _, s := range own[enrol:] {
			mine := Summarize(s)
			genuine = append(genuine, of(&mine))
		}
		latency, hold := pace(own[:enrol])
		for k := 1; k <= attackers; k++ {
			other := judge[(u+k*len(judge)/(attackers+1))%len(judge)]
			theirLatency, theirHold := pace(other[:enrol])
			for _, s := range other[enrol:] {
				if copying {
					s = stretched(s, latency/theirLatency, hold/theirHold)
				}
				theirs := Summarize(s)
				impostor = append(impostor, of(&theirs))
			}
		}
	}
	r := measure(genuine, impostor, genuine, impostor)
	r.accepted = above(impostor, threshold)
	return r
}

// pace returns the medians of latency and hold.
func pace(sentences typist) (latency, hold float64) {
	var m measured
	for _, s := range sentences {
		m.all(s)
	}
	slices.Sort(m.latencies)
	slices.Sort(m.holds)
	return m.latencies[len(m.latencies)/2], m.holds[len(m.holds)/2]
}

func stretched(s []Key, latency, hold float64) []Key {
	out := slices.Clone(s)
	for i := range out {
		out[i].Press = s[0].Press + (s[i].Press-s[0].Press)*latency
		out[i].Release = out[i].Press + s[i].held()*hold
	}
	return out
}
