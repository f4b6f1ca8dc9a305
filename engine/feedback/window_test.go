package feedback

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models/modeltest"
	"github.com/waryauth/wary/signals"
)

// daemon is an engine and what it has scored.
type daemon struct {
	tb     testing.TB
	dir    string
	e      *engine.Engine
	scored []*engine.Assessment
	said   int
}

var windowStart = time.Date(2026, 5, 1, 6, 0, 0, 0, time.UTC)

func newDaemon(tb testing.TB) *daemon {
	d := &daemon{tb: tb, dir: filepath.Join(tb.TempDir(), "data")}
	d.open()
	return d
}

func (d *daemon) open() {
	d.tb.Helper()
	e, err := engine.Open(d.dir, engine.Options{
		Secret: [32]byte{9}, Model: modeltest.Load(d.tb, "calm", -9, -8), RetryEntries: 1 << 10, JoinEntries: 1 << 10, MaxEntities: 1 << 12,
		Now: func() time.Time { return windowStart },
	})
	if err != nil {
		d.tb.Fatal(err)
	}
	d.e = e
}

func (d *daemon) close() {
	d.tb.Helper()
	if err := d.e.Close(); err != nil {
		d.tb.Fatal(err)
	}
}

// score scores a login of somebody and returns its place in scored.
func (d *daemon) score(user string, at time.Time) int {
	d.tb.Helper()
	x := &engine.Assessment{}
	a := &x.Attempt
	a.ID, a.Time, a.Action, a.Subject = fmt.Sprint("a-", len(d.scored)), at, signals.Login, user
	a.Client.ID, a.Network.IP = "tpp-1", "203.0.113.7"
	a.Authentication.Result = signals.Success
	x.Body = []byte(a.ID)
	if err := d.e.Score(x, at); err != nil {
		d.tb.Fatal(err)
	}
	d.scored = append(d.scored, x)
	return len(d.scored) - 1
}

// say tells feedback about a decision, by its id or by its attempt's.
func (d *daemon) say(i int, byAttempt bool, v signals.FeedbackValue, by signals.Source, said, came time.Time, note string) signals.Feedback {
	d.tb.Helper()
	d.said++
	f := signals.Feedback{ID: fmt.Sprint("f-", d.said), DecisionID: "", AttemptID: fmt.Sprint("a-", i), Kind: v.Kind(), Value: v, Source: by, Time: said, Note: note}
	if !byAttempt {
		f.DecisionID, f.AttemptID = d.scored[i].Decision.ID.String(), ""
	}
	g := f
	if err := d.e.Feedback(&g, came); err != nil {
		d.tb.Fatal(err)
	}
	return f
}

// windowOf returns the rows of a window, by value.
func windowOf(tb testing.TB, data string, from, to time.Time, o WindowOptions) (rows []Row) {
	tb.Helper()
	for r, err := range Window(data, from, to, o) {
		if err != nil {
			tb.Fatal(err)
		}
		v, trace, x := *r.Vector, *r.Trace, *r
		x.Vector, x.Trace = &v, &trace
		rows = append(rows, x)
	}
	return rows
}

func sameVector(a, b *features.Vector) bool {
	return slices.EqualFunc(a[:], b[:], func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

// TestWindow: from a daemon's log come the vectors as they were scored, bit for bit,
// with the labels that stand: late, corrected, said before the decision, said twice.
func TestWindow(t *testing.T) {
	d := newDaemon(t)
	day := func(n float64) time.Time { return windowStart.Add(time.Duration(n * 24 * float64(time.Hour))) }
	d.say(3, true, signals.Fraud, signals.Issuer, day(0), day(0), "family:mule") // of an attempt that is still to come
	for i := range 6 {
		d.score(fmt.Sprint("user-", i%4), day(float64(i)))
	}
	again := d.say(1, false, signals.Fraud, signals.Customer, day(20), day(20), "")
	if err := d.e.Feedback(&again, day(21)); err != nil { // a retry
		t.Fatal(err)
	}
	d.say(1, false, signals.Legitimate, signals.Analyst, day(19), day(30), "") // more trusted, came later
	d.say(2, true, signals.Fraud, signals.Chargeback, day(119), day(119), "")
	d.say(4, false, signals.Fraud, signals.Chargeback, day(4).Add(DefaultHorizon+time.Second), day(125), "")
	d.say(5, false, signals.Fraud, signals.System, day(6), day(6), "")
	d.say(5, false, signals.Legitimate, signals.System, day(7), day(7), "") // a correction
	d.close()

	var report Report
	rows := windowOf(t, d.dir, time.Time{}, time.Time{}, WindowOptions{Report: &report})
	if len(rows) != 6 {
		t.Fatalf("%d rows", len(rows))
	}
	type want struct {
		label  signals.FeedbackValue
		source signals.Source
		weight float32
	}
	for i, w := range []want{{0, 0, 1}, {signals.Legitimate, signals.Analyst, 1}, {signals.Fraud, signals.Chargeback, 1}, {signals.Fraud, signals.Issuer, 1}, {0, 0, 1}, {signals.Legitimate, signals.System, 0.5}} {
		r := &rows[i]
		if got := (want{r.Label, r.Source, r.Weight}); got != w {
			t.Errorf("row %d: %+v, want %+v", i, got, w)
		}
		if !sameVector(r.Vector, &d.scored[i].Vector) || r.At != d.scored[i].Decision.ID.At || r.User != d.scored[i].Trace.User {
			t.Errorf("row %d is not as it was scored", i)
		}
	}
	if rows[3].Family != "mule" || !rows[3].Said.Equal(day(0)) {
		t.Errorf("family %q, said %v", rows[3].Family, rows[3].Said)
	}
	if report.Decisions != 6 || report.Fraud != 2 || report.Legitimate != 2 || report.Late != 1 || report.Elsewhere != 0 || report.Held != 0 {
		t.Errorf("%+v", report)
	}

	// What was known earlier, whatever was said since.
	known := windowOf(t, d.dir, day(1), day(5), WindowOptions{Known: day(25)})
	if len(known) != 4 || known[0].Label != signals.Fraud || known[0].Source != signals.Customer || known[1].Label != 0 || known[2].Label != signals.Fraud {
		t.Errorf("on day 25: %d rows, %+v", len(known), known)
	}
	if short := windowOf(t, d.dir, time.Time{}, time.Time{}, WindowOptions{Horizon: 24 * time.Hour}); short[2].Label != 0 || short[5].Label != signals.Fraud {
		t.Errorf("within a day: %v, %v", short[2].Label, short[5].Label)
	}
	if report = (Report{}); len(windowOf(t, d.dir, day(2), day(3), WindowOptions{Report: &report})) != 1 || report.Elsewhere != 6 {
		t.Errorf("of one day: %+v", report)
	}
}

// TestWindowOfNoLog is an error, once.
func TestWindowOfNoLog(t *testing.T) {
	n := 0
	for r, err := range Window(t.TempDir(), time.Time{}, time.Time{}, WindowOptions{}) {
		if n++; err == nil || r != nil {
			t.Errorf("%v, %v", r, err)
		}
	}
	if n != 1 {
		t.Errorf("the error comes %d times", n)
	}
}

// TestRowsOfFaultyDelivery: what comes three times and in any order, some of it before
// its decision, gives the training rows of one clean delivery. Without the order by
// what is said (the control: what came last wins) it gives others.
func TestRowsOfFaultyDelivery(t *testing.T) {
	const attempts, words = 40, 160
	r := rand.New(rand.NewPCG(7, 7))
	var told []signals.Feedback
	for i := range words {
		v := signals.FeedbackValue(1 + r.IntN(int(signals.Legitimate)))
		told = append(told, signals.Feedback{
			ID: fmt.Sprint("f-", i), AttemptID: fmt.Sprint("a-", r.IntN(attempts)), Kind: v.Kind(), Value: v,
			Source: signals.Source(1 + r.IntN(int(signals.Challenge))), Time: at(-1, i/2), // two of each moment
		})
	}
	deliver := func(told []signals.Feedback, early int) []Row {
		d := newDaemon(t)
		tell := func(told []signals.Feedback) {
			for _, f := range told {
				if err := d.e.Feedback(&f, at(10, 0)); err != nil {
					t.Fatal(err)
				}
			}
		}
		tell(told[:early])
		for i := range attempts {
			d.score(fmt.Sprint("user-", i%9), at(10, 0))
		}
		tell(told[early:])
		d.close()
		return windowOf(t, d.dir, time.Time{}, time.Time{}, WindowOptions{})
	}
	faulty := slices.Concat(told, told, told)
	r.Shuffle(len(faulty), func(i, j int) { faulty[i], faulty[j] = faulty[j], faulty[i] })
	clean, got := deliver(told, 0), deliver(faulty, len(faulty)/3)
	labelled, control := 0, 0
	for i := range clean {
		a, b := &clean[i], &got[i]
		if a.Label != b.Label || a.Source != b.Source || !a.Said.Equal(b.Said) || a.Weight != b.Weight || a.Result != b.Result {
			t.Errorf("row %d: %v by %v of %v weighs %g, of a clean delivery %v by %v of %v, %g", i, b.Label, b.Source, b.Said, b.Weight, a.Label, a.Source, a.Said, a.Weight)
		}
		if a.Label != 0 {
			labelled++
		}
		var last signals.FeedbackValue
		for _, f := range faulty {
			if f.AttemptID == fmt.Sprint("a-", i) && f.Kind == signals.Label {
				last = f.Value
			}
		}
		if last != a.Label {
			control++
		}
	}
	if len(clean) != attempts || labelled < attempts/2 || control < 3 {
		t.Errorf("%d rows, %d labelled, the control differs in %d: this asks nothing", len(clean), labelled, control)
	}
}
