package typing

import (
	"math"
	"testing"
)

// TestSummarize holds fields to values computed by hand. The hands of QWERTY: f and d
// are left, of two fingers; j is right.
func TestSummarize(t *testing.T) {
	keys := []Key{
		{0, 80, "f"},
		{150, 250, "d"},      // left-left, flight 70
		{240, 300, "j"},      // left-right, a rollover: flight -10
		{500, 560, "SPACE"},  // right-space, flight 200
		{800, 900, "BKSP"},   // a correction, 300 ms after the space
		{1000, 1300, "f"},    // after a key of no finger: no pair
		{1100, 1150, "d"},    // left-left, flight -200; three keys down with the next
		{1250, 1350, "j"},    // left-right, flight 100
		{2300, 2301, "F"},    // a pause of 1,050 ms; held 1 ms counts as 5
		{2400, 2480, "F"},    // the same key, flight 99
		{2450, 2500, "ALT"},  // a modifier counts nowhere
		{2600, 2700, "Home"}, // of no finger
	}
	s := Summarize(keys)
	holds := []float64{80, 100, 60, 60, 100, 300, 50, 100, 5, 80, 100}
	mean := 0.0
	for _, h := range holds {
		mean += h / float64(len(holds))
	}
	spread := 0.0
	for _, h := range holds {
		spread += (h - mean) * (h - mean) / float64(len(holds))
	}
	nan := math.NaN()
	for _, c := range []struct {
		field int
		what  string
		want  float64
	}{
		{0, "flight left-left", (math.Asinh(70.0/60) + math.Asinh(-200.0/60)) / 2},
		{2, "flight left-right", (math.Asinh(-10.0/60) + math.Asinh(100.0/60)) / 2},
		{4, "flight right-left", nan}, // only over a pause
		{7, "flight right-space", math.Asinh(200.0 / 60)},
		{10, "flight of the same key", math.Asinh(99.0 / 60)},
		{11, "rollovers left-left", 0.5},
		{13, "rollovers left-right", 0.5},
		{21, "rollovers of the same key", 0},
		{22, "spread of two flights", nan},
		{36, "hold of f's finger", (math.Log(80) + math.Log(300) + math.Log(5) + math.Log(80)) / 4},
		{37, "hold of j's finger", (math.Log(60) + math.Log(100)) / 2},
		{33, "hold of q's finger", nan},
		{41, "hold of the space bar", math.Log(60)},
		{46, "spread of two holds", nan},
		// Sorted holds: 5 50 60 60 80 80 100 100 100 100 300.
		{51, "p10 of hold", math.Log(50)},
		{53, "median of hold", math.Log(80)},
		{55, "p90 of hold", math.Log(100)},
		// Latencies but the pause: 150 90 260 300 200 100 150 100 200; sorted 90 100 100 150 150 200 200 260 300.
		{61, "p10 of latency", math.Log(98)},
		{63, "median of latency", math.Log(150)},
		// Flights: 70 -10 200 240 100 -200 100 99 120; sorted -200 -10 70 99 100 100 120 200 240.
		{56, "p10 of flight", -math.Log1p(48.0 / 50)},
		{58, "median of flight", math.Log1p(100.0 / 50)},
		{66, "spread of hold", math.Log(math.Sqrt(spread) + 3)},
		{68, "rollovers", math.Sqrt(2.0 / 9)},
		{69, "corrections", math.Sqrt(1.0 / 12)},
		{70, "pauses", math.Sqrt(1.0 / 10)},
		{74, "hold in rollovers", (math.Log(100)+math.Log(300))/2 - (math.Log(80)+math.Log(60)+math.Log(50)+math.Log(5))/4},
		{75, "three keys down", math.Sqrt(1.0 / 6)},
		{76, "overlap", math.Log((10.0+200)/2 + 5)},
		{77, "time to correct", math.Log(300)},
	} {
		got := float64(s[c.field])
		if math.IsNaN(got) != math.IsNaN(c.want) || math.Abs(got-c.want) > 1e-5 {
			t.Errorf("%s (%d) is %v, want %v", c.what, c.field, got, c.want)
		}
	}
}

// TestCorrelation: holds and latencies that grow together.
func TestCorrelation(t *testing.T) {
	var keys []Key
	at := 0.0
	for i := range 8 {
		step := 100 * math.Exp(float64(i)/10)
		keys = append(keys, Key{at, at + step/2, "fj"[i%2 : i%2+1]})
		at += step
	}
	s := Summarize(keys)
	for _, field := range []int{71, 72, 73} { // log hold and log latency both rise by a tenth a key
		if math.Abs(float64(s[field])-1) > 1e-5 {
			t.Errorf("field %d is %v, want 1", field, s[field])
		}
	}
}

// TestSummarizeNothing: too little to measure is missing, and never a fault.
func TestSummarizeNothing(t *testing.T) {
	for n, keys := range [][]Key{nil, {{0, 50, "a"}}, {{0, 50, "a"}, {90, 95, "b"}}} {
		s := Summarize(keys)
		for i, x := range s {
			if math.IsInf(float64(x), 0) {
				t.Errorf("of %d keys field %d is infinite", n, i)
			}
		}
		if !math.IsNaN(float64(s[63])) || !math.IsNaN(float64(s[71])) {
			t.Errorf("of %d keys a median latency of %v, a correlation of %v", n, s[63], s[71])
		}
	}
}

// TestPassword: of a password what would tell its fingers is missing.
func TestPassword(t *testing.T) {
	s := Summarize(invented(1, 1)[0][0])
	p := s.Password()
	for i := range p {
		if inside := i >= 51 && i <= 70; inside && p[i] != s[i] || !inside && !math.IsNaN(float64(p[i])) {
			t.Errorf("field %d is %v, of a text %v", i, p[i], s[i])
		}
	}
}

// FuzzSummarize: whatever the times, nothing is infinite that was finite, and nothing faults.
func FuzzSummarize(f *testing.F) {
	f.Add(0.0, 80.0, "a", 120.0, 200.0, "SPACE", -5.0, -7.0, "BKSP")
	f.Add(1e300, -1e300, "é", 0.0, 0.0, "", 3.0, 4.0, "ZZ")
	f.Fuzz(func(t *testing.T, p1, r1 float64, c1 string, p2, r2 float64, c2 string, p3, r3 float64, c3 string) {
		for _, x := range []float64{p1, r1, p2, r2, p3, r3} {
			if math.IsNaN(x) || math.Abs(x) > 1e15 {
				return
			}
		}
		s := Summarize([]Key{{p1, r1, c1}, {p2, r2, c2}, {p3, r3, c3}, {p1 + 100, r1 + 100, c2}})
		for i, x := range s {
			if math.IsInf(float64(x), 0) {
				t.Errorf("field %d is infinite", i)
			}
		}
	})
}
