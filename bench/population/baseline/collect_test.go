package baseline

import (
	"bytes"
	"io"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/waryauth/wary/bench/population"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models/train"
)

// small is a deployment that is simulated in a moment.
var small = setting{name: "test", users: 600, days: 45, reports: usual}

func simulation(s setting) *population.Simulation {
	return population.New(population.Options{Seed: 1, Users: s.users, Days: s.days, Reports: s.reports, Campaigns: campaigns(s)})
}

// Slices follow one another; no user and no campaign of judging is in another
// slice, none of calibrating in stopping, no campaign of theirs in training, and
// the held family is in judging alone.
func TestSplit(t *testing.T) {
	day := func(n int) int64 {
		return time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n).UnixMilli()
	}
	from := [parts]int64{training: day(0), stopping: day(25), calibrating: day(25), judging: day(30)} // of 45 days, by hand
	to := [parts]int64{training: day(25), stopping: day(30), calibrating: day(30), judging: day(46)}
	first := map[int32]int64{} // attempt of each campaign
	var users, attackers [parts]map[int32]bool
	var fraud, heldRows [parts]int
	for p := range parts {
		users[p], attackers[p] = map[int32]bool{}, map[int32]bool{}
	}
	sim := simulation(small)
	split := newSplitter(sim.Options())
	for r := range population.Rows(sim, 0) {
		if _, ok := first[r.Campaign]; !ok {
			first[r.Campaign] = r.At
		}
		p := split.part(r)
		if r.Family == held {
			heldRows[p]++
		}
		if p == left {
			continue
		}
		if r.At < from[p] || r.At >= to[p] {
			t.Fatalf("%s has a row of %s", names[p], time.UnixMilli(r.At).UTC())
		}
		if r.User >= 0 {
			users[p][r.User] = true
		}
		if r.Campaign > 0 {
			attackers[p][r.Campaign] = true
			if p != training && first[r.Campaign] < from[p] {
				t.Fatalf("%s has campaign %d, which began before it", names[p], r.Campaign)
			}
		}
		if r.Fraud {
			fraud[p]++
		}
	}
	apart := func(what string, a, b map[int32]bool) {
		t.Helper()
		for x := range a {
			if b[x] {
				t.Errorf("%s %d is in both", what, x)
			}
		}
	}
	for _, p := range []part{training, stopping, calibrating} {
		apart("user of judging", users[judging], users[p])
		apart("campaign of judging", attackers[judging], attackers[p])
		if heldRows[p] > 0 {
			t.Errorf("%d rows of the held family in %s", heldRows[p], names[p])
		}
	}
	apart("user of calibrating", users[calibrating], users[stopping])
	for _, p := range []part{stopping, calibrating} {
		apart("campaign of "+names[p], attackers[p], attackers[training])
	}
	for p := training; p < parts; p++ { // the control
		if fraud[p] == 0 || len(users[p]) == 0 {
			t.Errorf("%s: %d rows of fraud, %d users: the test shows little", names[p], fraud[p], len(users[p]))
		}
	}
	if heldRows[judging] == 0 {
		t.Error("nothing of the held family is judged: the test shows little")
	}
}

// collected keeps the rows of the small deployment.
func collected(t *testing.T, k *rows) *rows {
	t.Helper()
	c := Recipe{Seed: 1, Scale: 1}
	if err := c.run(t.Context(), small, 1, 0, population.SyntheticWorld(1), k, func(int) {}); err != nil {
		t.Fatal(err)
	}
	return k
}

// Each kept row that calibrates or judges stands for as many as were left out.
func TestWeights(t *testing.T) {
	k := collected(t, &rows{})
	var want, got [parts]float64
	for p, kept := range map[part][]sample{calibrating: k.calibrating, judging: k.judging} {
		for i := range kept {
			if s := &kept[i]; !s.Fraud {
				y, w := s.label(p)
				if y != 0 {
					t.Fatalf("an honest row is labelled %g", y)
				}
				got[p] += float64(w)
			}
		}
	}
	sim := simulation(small)
	split := newSplitter(sim.Options())
	for r := range population.Rows(sim, small.missing) {
		if !r.Fraud {
			want[split.part(r)]++
		}
	}
	for _, p := range []part{calibrating, judging} {
		if got[p] < 0.9*want[p] || got[p] > 1.1*want[p] {
			t.Errorf("%s: kept rows stand for %.0f honest ones, there are %.0f", names[p], got[p], want[p])
		}
	}
}

// The table holds the very matrices that trees are grown from, and forgetting
// them changes none of its bytes.
func TestTableIsTheMatrix(t *testing.T) {
	write := func(k *rows) []byte {
		var file bytes.Buffer
		c := Recipe{Params: DefaultParams()}
		if err := c.table(k, &file, func() error { collected(t, k); return nil }); err != nil {
			t.Fatal(err)
		}
		return file.Bytes()
	}
	var k rows
	file := write(&k)
	forgetful := rows{forget: true}
	if !bytes.Equal(write(&forgetful), file) || forgetful.grown[training].X != nil || forgetful.judging != nil {
		t.Error("without keeping, other bytes or something kept")
	}
	read, counts := readTable(t, file)
	for p := training; p < calibrating; p++ {
		got, want := read[names[p]], &k.grown[p]
		if !sameBits(got.X, want.X) || !sameBits(got.Y, want.Y) || !sameBits(got.Weight, want.Weight) || len(want.Y) == 0 {
			t.Errorf("%s: %d rows in the table are not the %d that are grown from", names[p], len(got.Y), len(want.Y))
		}
	}
	for p := training; p < parts; p++ {
		if counts[names[p]] != k.slices[p].Rows {
			t.Errorf("%s: %d rows in the table, %d told", names[p], counts[names[p]], k.slices[p].Rows)
		}
	}
}

// A simulation's table has every attempt, in order, with its truth.
func TestExportSimulation(t *testing.T) {
	o := population.Options{Users: 40, Days: 18, Campaigns: campaigns(setting{users: 40})}
	var file bytes.Buffer
	n, err := ExportSimulation(t.Context(), o, 0, &file)
	if err != nil {
		t.Fatal(err)
	}
	read, counts := readTable(t, file.Bytes())
	var x, y []float32
	for r := range population.Rows(population.New(o), 0) {
		x, y = append(x, r.Vector[:]...), append(y, 0)
		if r.Fraud {
			y[len(y)-1] = 1
		}
	}
	var gotX, gotY []float32
	for _, p := range []part{training, stopping, judging} {
		if counts[names[p]] == 0 {
			t.Fatalf("no row of %s", names[p])
		}
		gotX, gotY = append(gotX, read[names[p]].X...), append(gotY, read[names[p]].Y...)
	}
	if n != len(y) || !sameBits(gotX, x) || !sameBits(gotY, y) || !slices.Contains(y, 1) {
		t.Errorf("%d attempts told, %d written, %d simulated: not the same", n, len(gotY), len(y))
	}
}

func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) })
}

// readTable reads a table back by slice and checks its columns against the schema.
func readTable(t *testing.T, file []byte) (read map[string]*train.Data, counts map[string]int) {
	t.Helper()
	f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range f.Root().Columns() {
		if i < features.Width && c.Name() != features.Schema[i].Name {
			t.Fatalf("column %d is %s", i, c.Name())
		}
	}
	if schema, _ := f.Lookup("wary.schema"); schema != features.Digest() {
		t.Errorf("schema %q", schema)
	}
	read, counts = map[string]*train.Data{}, map[string]int{}
	for _, group := range f.RowGroups() {
		all := group.Rows()
		buffer := make([]parquet.Row, 64)
		for err == nil {
			var n int
			n, err = all.ReadRows(buffer)
			for _, r := range buffer[:n] {
				slice := string(r[features.Width+2].ByteArray())
				d := read[slice]
				if d == nil {
					d = &train.Data{Columns: features.Width}
					read[slice] = d
				}
				for _, v := range r[:features.Width] {
					d.X = append(d.X, v.Float())
				}
				d.Y, d.Weight = append(d.Y, r[features.Width].Float()), append(d.Weight, r[features.Width+1].Float())
				counts[slice]++
			}
		}
		if err != io.EOF {
			t.Fatal(err)
		}
		if err = all.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return read, counts
}

// A second population grows and calibrates, and is not judged by: the judged rows are those
// of the first alone, with more to learn from.
func TestTheFirstPopulationAloneIsJudgedBy(t *testing.T) {
	quiet(t)
	c := Recipe{Seed: 1, Scale: 0.008}
	var one, two rows
	for n, k := range []*rows{&one, &two} {
		if err := c.collect(t.Context(), k, n+1); err != nil {
			t.Fatal(err)
		}
	}
	first := len(one.grown[training].Y)
	if len(one.judging) == 0 || len(two.judging) != len(one.judging) {
		t.Fatalf("%d rows are judged by, and %d with a second population", len(one.judging), len(two.judging))
	}
	for i := range one.judging {
		if a, b := &one.judging[i], &two.judging[i]; a.At != b.At || a.User != b.User || a.setting != b.setting {
			t.Fatalf("row %d is another one", i)
		}
	}
	if len(two.grown[training].Y) < first*3/2 || len(two.calibrating) <= len(one.calibrating) {
		t.Errorf("%d rows grow and %d calibrate, of one population %d and %d", len(two.grown[training].Y), len(two.calibrating), first, len(one.calibrating))
	}
}
