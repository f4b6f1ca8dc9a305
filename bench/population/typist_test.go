package population

import (
	"compress/gzip"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/waryauth/wary/signals/typing"
)

// bench returns a run to draw typists from.
func bench(typists []Recording) *run {
	return &run{Options: &Options{Typists: typists}, Rand: rand.New(rand.NewPCG(4, 4))}
}

// realTypists reads the recordings that stand beside the repository.
func realTypists(t testing.TB) []Recording {
	t.Helper()
	file, err := os.Open("../../../shared/data/keystrokes/aalto-visible.csv.gz")
	if err != nil {
		t.Skip("the recordings of typists are not here")
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	all, err := ReadTypists(z)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// measures are what the studies tell of one typist.
type measures struct{ latency, hold, rolled, corrected float64 }

func measure(keys []typing.Key) (m measures) {
	pairs := 0.0
	for i, k := range keys {
		m.hold += (k.Release - k.Press) / float64(len(keys))
		if k.Code == "BKSP" {
			m.corrected += 1 / float64(len(keys))
		}
		if i == 0 {
			continue
		}
		if latency := k.Press - keys[i-1].Press; latency < 5000 { // as the study counts
			m.latency += latency
			pairs++
		}
		if k.Press < keys[i-1].Release {
			m.rolled += 1 / float64(len(keys)-1)
		}
	}
	m.latency /= pairs
	return m
}

// spread returns mean and standard deviation.
func spread(list []float64) (mean, sd float64) {
	for _, x := range list {
		mean += x / float64(len(list))
	}
	for _, x := range list {
		sd += (x - mean) * (x - mean) / float64(len(list))
	}
	return mean, math.Sqrt(sd)
}

// The figures are those of the two studies that hand names.
func TestTypistsAreAsPublished(t *testing.T) {
	r := bench(nil)
	for _, c := range []struct {
		touch                     bool
		latency, latencySD, hold  float64
		holdSD, rolled, corrected float64
	}{
		{false, 239, 112, 116, 24, 0.25, 0.063},
		{true, 331, 121, 85, 0, 0, 0},
	} {
		var latency, hold, rolled, corrected []float64
		for range 800 {
			h := r.newHand(c.touch)
			var text []byte
			for len(text) < 150 {
				text = append(text, r.newText()...)
			}
			r.typeText(h, text)
			m := measure(r.keys)
			latency, hold = append(latency, m.latency), append(hold, m.hold)
			rolled, corrected = append(rolled, m.rolled), append(corrected, m.corrected)
		}
		near := func(what string, list []float64, want, tolerance, wantSD, toleranceSD float64) {
			t.Helper()
			mean, sd := spread(list)
			t.Logf("touch %v, %s: %.4g, SD %.4g (published %.4g, %.4g)", c.touch, what, mean, sd, want, wantSD)
			if want > 0 && math.Abs(mean-want) > tolerance || wantSD > 0 && math.Abs(sd-wantSD) > toleranceSD {
				t.Errorf("%s: %.4g, SD %.4g; want %.4g and %.4g within %.4g and %.4g", what, mean, sd, want, wantSD, tolerance, toleranceSD)
			}
		}
		near("latency", latency, c.latency, 25, c.latencySD, 30)
		near("hold", hold, c.hold, 8, c.holdSD, 6)
		near("rolled over", rolled, c.rolled, 0.08, 0, 0)
		near("corrections", corrected, c.corrected, 0.03, 0, 0)
	}
}

// summaries lets typists type their text so often at a login each.
func summaries(r *run, typists, times int) [][]typing.Summary {
	out := make([][]typing.Summary, typists)
	for i := range out {
		h, text := r.newHand(false), r.newText()
		h.recording = i
		for range times {
			if len(r.Typists) > 0 {
				r.replayTypist(r.Typists[i])
			} else {
				r.typeText(h, text)
			}
			s := typing.Summarize(r.keys)
			out[i] = append(out[i], s.Password())
		}
	}
	return out
}

// scaledManhattan is the detector that did best in Killourhy and Maxion's comparison
// (DSN 2009): distances to the mean of what was enrolled, each in units of its mean
// absolute deviation.
func scaledManhattan(enrolled []typing.Summary, s *typing.Summary) (distance float64) {
	for f := range s {
		mean, deviation, n := 0.0, 0.02, float64(len(enrolled))
		for i := range enrolled {
			mean += float64(enrolled[i][f]) / n
		}
		for i := range enrolled {
			deviation += math.Abs(float64(enrolled[i][f])-mean) / n
		}
		if d := math.Abs(float64(s[f])-mean) / deviation; d == d {
			distance += d
		}
	}
	return distance
}

// equalErrorRate enrols ten texts of each typist, and tries the others' and the own.
func equalErrorRate(all [][]typing.Summary) float64 {
	var own, others []float64
	for i := range all {
		for j := range all {
			for k := 10; k < len(all[j]); k++ {
				d := scaledManhattan(all[i][:10], &all[j][k])
				if i == j {
					own = append(own, d)
				} else {
					others = append(others, d)
				}
			}
		}
	}
	slices.Sort(own)
	slices.Sort(others)
	for i, d := range own {
		refused := 1 - float64(i)/float64(len(own))
		if j, _ := slices.BinarySearch(others, d); float64(j)/float64(len(others)) >= refused {
			return refused
		}
	}
	return 0
}

// Real typists, 24 keys of free text at a time, make the detector err at 12.0 %.
const published = 0.12

func TestTypistsDiffer(t *testing.T) {
	all := summaries(bench(nil), 80, 15)
	eer := equalErrorRate(all)
	if t.Logf("equal error rate: %.3f", eer); math.Abs(eer-published) > 0.03 {
		t.Errorf("equal error rate %.3f, want %.3f within 0.03", eer, published)
	}
	// The control: dealt out at random, nobody is left to be recognized.
	mixed := slices.Concat(all...)
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
	if eer := equalErrorRate(slices.Collect(slices.Chunk(mixed, 15))); math.Abs(eer-0.5) > 0.05 {
		t.Errorf("equal error rate %.3f of typists whose texts were shuffled, want 0.5", eer)
	}
}

func TestRealTypistsDiffer(t *testing.T) {
	real := realTypists(t)
	eer := equalErrorRate(summaries(bench(real), 80, 15))
	if t.Logf("equal error rate of 80 of %d: %.3f", len(real), eer); math.Abs(eer-published) > 0.03 {
		t.Errorf("equal error rate %.3f, want %.3f within 0.03", eer, published)
	}
	o := Options{Seed: 3, Users: 200, Days: 10, Typists: real}
	told := 0
	for l := range New(o).Attempts() {
		if k := &l.Attempt.Behaviour.Keys; k.RhythmSet && !l.Fraud && !l.Attempt.Device.Webdriver.Value {
			if told++; k.Count.Value != typed {
				t.Fatalf("%g keys of a recording, want %d", k.Count.Value, typed)
			}
		}
	}
	if told == 0 {
		t.Error("nobody typed")
	}
}

// A script is even, or evenly random: no person is.
func TestScriptsTypeLikeNobody(t *testing.T) {
	r := bench(nil)
	const spreadOfFlights = 67 // of a summary: logarithm
	steadiest := math.Inf(1)
	for range 300 {
		r.typeText(r.newHand(false), r.newText())
		s := typing.Summarize(r.keys)
		steadiest = min(steadiest, float64(s[spreadOfFlights]))
	}
	even := 0
	for range 300 {
		r.typeScript(r.newText())
		s := typing.Summarize(r.keys)
		if float64(s[spreadOfFlights]) < steadiest {
			even++
		}
	}
	if even < 200 {
		t.Errorf("%d of 300 scripts are steadier than everybody", even)
	}
}

const recorded = `participant,section,press_ms,release_ms,key
1,1,0,90,SHIFT
1,1,40,95,I
`

// sentenceOf appends a sentence of n keys.
func sentenceOf(csv, participant, section, key string, n int) string {
	var b strings.Builder
	b.WriteString(csv)
	for i := range n {
		fmt.Fprintf(&b, "%s,%s,%d,%d,%s\n", participant, section, i*100, i*100+70, key)
	}
	return b.String()
}

func TestReadTypists(t *testing.T) {
	csv := sentenceOf(recorded, "2", "7", "a", typed)   // one usable sentence
	csv = sentenceOf(csv, "2", "8", "b", typed-1)       // too short
	csv = sentenceOf(csv, "3", "9", "SPACE", 2*typed)   // whose letters were lost
	csv = sentenceOf(csv, "4", "10", "U+0008", typed/2) // corrections
	csv = sentenceOf(csv, "4", "10", "c", typed)        // of the same sentence
	all, err := ReadTypists(strings.NewReader(csv))
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || len(all[0]) != 1 || len(all[0][0]) != typed || len(all[1]) != 1 || len(all[1][0]) != typed*3/2 {
		t.Fatalf("%d typists: %v", len(all), all)
	}
	if k := all[0][0][1]; k != (typing.Key{Press: 100, Release: 170, Code: "a"}) || all[1][0][0].Code != "BKSP" {
		t.Errorf("keys %+v and %+v", k, all[1][0][0])
	}
	for name, bad := range map[string]string{
		"nothing": "", "other columns": "participant,section,press,release,key\n", "a word for a time": recorded + "1,1,x,2,a\n",
		"infinite": recorded + "1,1,0,Inf,a\n", "no number": recorded + "1,1,NaN,2,a\n", "too few columns": recorded + "1,1,2,a\n",
	} {
		if _, err := ReadTypists(strings.NewReader(bad)); err == nil {
			t.Errorf("%s: read", name)
		}
	}
}

func FuzzReadTypists(f *testing.F) {
	f.Add(recorded)
	f.Add(sentenceOf(recorded, "2", "7", "a", typed))
	f.Add("participant,section,press_ms,release_ms,key\n1,1,\"0\n,1,a\n")
	f.Fuzz(func(t *testing.T, csv string) {
		all, err := ReadTypists(strings.NewReader(csv))
		if err != nil {
			return
		}
		r := bench(all)
		for _, one := range all {
			r.replayTypist(one)
			if len(r.keys) != typed {
				t.Fatalf("%d keys", len(r.keys))
			}
			typing.Summarize(r.keys)
		}
	})
}
