package typing

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"
)

// typist is what one person typed, sentence by sentence.
type typist [][]Key

// summaries returns those of every sentence of every typist, of its first keys where
// keys is not 0.
func summaries(typists []typist, keys int) [][]Summary {
	out := make([][]Summary, len(typists))
	for u, sentences := range typists {
		for _, s := range sentences {
			if keys > 0 {
				s = s[:min(keys, len(s))]
			}
			out[u] = append(out[u], Summarize(s))
		}
	}
	return out
}

// people returns typists to learn from and others to judge by, and the sentences of
// each that enrol: real ones where the data are, and split before looking, by a hash
// of their number.
func people(t testing.TB) (learn, judge []typist) {
	const path = "../../../shared/data/keystrokes/aalto-visible.csv.gz"
	file, err := os.Open(filepath.FromSlash(path))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the keystrokes of real typists are absent: " + path[6:])
	} else if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(z).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	all, order, section := map[string]typist{}, []string{}, ""
	for _, r := range rows[1:] {
		if r[0]+"/"+r[1] != section {
			section = r[0] + "/" + r[1]
			if all[r[0]] == nil {
				order = append(order, r[0])
			}
			all[r[0]] = append(all[r[0]], nil)
		}
		press, _ := strconv.ParseFloat(r[2], 64)
		release, _ := strconv.ParseFloat(r[3], 64)
		code := r[4]
		if code == "U+0008" {
			code = "BKSP"
		}
		s := all[r[0]]
		s[len(s)-1] = append(s[len(s)-1], Key{press, release, code})
	}
	slices.SortFunc(order, func(a, b string) int {
		x, y := sha256.Sum256([]byte("split1:"+a)), sha256.Sum256([]byte("split1:"+b))
		return slices.Compare(x[:], y[:])
	})
	for i, id := range order {
		switch {
		case lost(all[id]):
		case i < len(order)/2:
			learn = append(learn, all[id])
		default:
			judge = append(judge, all[id])
		}
	}
	return learn, judge
}

// lost reports whether a typist's keys were lost in the recording: the data have
// SPACE for every key of 50 of 388.
func lost(sentences typist) bool {
	n := 0
	for _, s := range sentences {
		letters := 0
		for _, k := range s {
			if c := k.character(); c != 0 && c != ' ' {
				letters++
			}
		}
		if letters < 5 {
			n++
		}
	}
	return n > 7
}

// invented makes typists of a stated model, for where the data are absent: holds and
// latencies are log-normal, with a mean of each person's own for every finger and
// class of pair, and people vary about as much as their attempts do.
func invented(people, sentences int) []typist {
	const text = "the quick brown fox jumps over a lazy dog and rests"
	r := rand.New(rand.NewPCG(2, 2))
	draw := func(mean, deviation float64) float64 { return mean + deviation*r.NormFloat64() }
	out := make([]typist, people)
	for u := range out {
		speed, steadiness := draw(math.Log(180), 0.3), math.Exp(draw(math.Log(0.25), 0.2))
		var hold [9]float64
		own := draw(math.Log(95), 0.25)
		for f := range hold {
			hold[f] = draw(own, 0.12)
		}
		var pair [classes]float64
		for c := range pair {
			pair[c] = draw(speed, 0.2)
		}
		for range sentences {
			mood, at, s := draw(0, 0.06), 0.0, []Key(nil)
			for i := range text {
				if i > 0 {
					at += math.Exp(draw(pair[class(text[i-1], text[i])]+mood, steadiness))
				}
				code := text[i : i+1]
				if code == " " {
					code = "SPACE"
				}
				s = append(s, Key{at, at + math.Exp(draw(hold[finger(text[i])], 0.15)), code})
			}
			out[u] = append(out[u], s)
		}
	}
	return out
}

func learnt(t testing.TB, accounts [][]Summary) *Table {
	t.Helper()
	table, err := Train(accounts, time.Unix(1_800_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// rates are what a trial measures, as shares.
type rates struct {
	one, four float64 // equal error rates with one attempt and with the mean of four
	atOne     float64 // genuine attempts accepted where 1 % of the others' are
	threshold float64 // of one
	accepted  float64 // others accepted at a threshold that was set for others
}

func (r rates) String() string {
	return fmt.Sprintf("equal error rate %.2f %% with one attempt, %.2f %% with four; %.1f %% of the genuine accepted at 1 %% false accepts", 100*r.one, 100*r.four, 100*r.atOne)
}

// scorer enrols an account and returns what scores an attempt.
type scorer func(own []Summary) func(*Summary) float64

// profiles is the scorer under test.
func profiles(t *Table) scorer {
	return func(own []Summary) func(*Summary) float64 {
		var p Profile
		var e Embedding
		for i := range own {
			t.Embed(&e, &own[i])
			p.Update(&e, uint32(i))
		}
		return func(s *Summary) float64 {
			t.Embed(&e, s)
			return float64(p.LLR(&e))
		}
	}
}

// judgedFrom is the first of 15 attempts to judge by, whatever enrols.
const judgedFrom = 10

// judged lets every account be claimed by all of others at the same place but its
// own, who is genuine.
func judged(enrol int, score scorer, accounts, others [][]Summary) rates {
	var genuine, impostor, genuine4, impostor4 []float64
	for u, own := range accounts {
		of := score(own[:enrol])
		for v := range others {
			attempts, scores, sum := others[v][judgedFrom:], []float64(nil), 0.0
			if u == v {
				attempts = own[judgedFrom:]
			}
			for i := range attempts {
				scores = append(scores, of(&attempts[i]))
				sum += scores[i]
			}
			for _, s := range scores { // four: all but one of five
				four := (sum - s) / float64(len(scores)-1)
				if u == v {
					genuine, genuine4 = append(genuine, s), append(genuine4, four)
				} else {
					impostor, impostor4 = append(impostor, s), append(impostor4, four)
				}
			}
		}
	}
	return measure(genuine, impostor, genuine4, impostor4)
}

func measure(genuine, impostor, genuine4, impostor4 []float64) (r rates) {
	r.one, r.threshold = equalErrors(genuine, impostor)
	r.four, _ = equalErrors(genuine4, impostor4)
	slices.Sort(impostor)
	r.atOne = above(genuine, impostor[len(impostor)-len(impostor)/100-1])
	return r
}

// above returns the share of scores above a threshold.
func above(scores []float64, threshold float64) float64 {
	n := 0
	for _, s := range scores {
		if s > threshold {
			n++
		}
	}
	return float64(n) / float64(len(scores))
}

// equalErrors returns the rate at which as many genuine are refused as others are
// accepted, and the threshold there.
func equalErrors(genuine, impostor []float64) (rate, threshold float64) {
	slices.Sort(genuine)
	slices.Sort(impostor)
	for i, threshold := range genuine {
		j, _ := slices.BinarySearch(impostor, threshold)
		rejected, accepted := float64(i)/float64(len(genuine)), 1-float64(j)/float64(len(impostor))
		if rejected >= accepted {
			return (rejected + accepted) / 2, threshold
		}
	}
	return 1, math.Inf(1)
}

// TestEqualErrors: by hand, of four genuine scores one is below three of eight others'.
func TestEqualErrors(t *testing.T) {
	rate, at := equalErrors([]float64{1, 5, 6, 7}, []float64{0, 0, 0, 0, 0, 2, 3, 4})
	if rate != (0.25+0)/2 || at != 5 {
		t.Errorf("rate %v at %v", rate, at)
	}
	if rate, _ := equalErrors([]float64{1, 2, 3, 4}, []float64{1, 2, 3, 4}); math.Abs(rate-0.5) > 0.001 {
		t.Errorf("rate %v of the same scores, want a half", rate)
	}
}
