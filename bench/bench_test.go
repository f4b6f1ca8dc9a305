package bench

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/bench/naive"
	"github.com/waryauth/wary/bench/population"
	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/engine/scoreapi"
	"github.com/waryauth/wary/signals"
)

// path is the score path without HTTP: decoded bytes to encoded answer, in memory
// that is used again.
type path struct {
	dir     string
	engine  *engine.Engine
	stream  *Stream
	decoder scoreapi.Decoder
	x       engine.Assessment
	body    []byte
	out     []byte
	next    uint64
}

// open opens the path over a made-up world that needs no files, and lets a whole
// round of the stream through, so that everyone is known.
func open(tb testing.TB) *path {
	world := population.SyntheticWorld(streamSeed)
	return openWorld(tb, newStream(world), world.Locator)
}

func openWorld(tb testing.TB, s *Stream, l signals.Locator) *path {
	tb.Helper()
	dir := tb.TempDir()
	e, err := OpenEngine(dir, l)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := e.Close(); err != nil {
			tb.Error(err)
		}
	})
	p := &path{dir: dir, engine: e, stream: s}
	for range s.bodies {
		p.fetch()
		p.score(tb)
	}
	return p
}

func (p *path) fetch() {
	p.body = p.stream.Append(p.body[:0], p.next)
	p.next++
}

func (p *path) decode(tb testing.TB) {
	p.x.Reset()
	if problem := p.decoder.Attempt(&p.x.Attempt, p.body); problem != nil {
		tb.Fatalf("%s\n%s", problem.Append(nil), p.body)
	}
	p.x.Body = p.body
}

func (p *path) score(tb testing.TB) {
	p.decode(tb)
	if err := p.engine.Score(&p.x, time.Now()); err != nil {
		tb.Fatal(err)
	}
	p.out = scoreapi.AppendDecision(p.out[:0], &p.x.Decision, &p.x.Attempt)
}

// TestNothingIsAllocated: from bytes to decision to bytes, in steady state. The
// control is the naive build on the same bytes: the counter sees what is allocated.
func TestNothingIsAllocated(t *testing.T) {
	p := open(t)
	if n := testing.AllocsPerRun(10_000, func() { p.fetch(); p.score(t) }); n != 0 {
		t.Errorf("%v allocations a request", n)
	}
	if p.x.Decision.Degraded != 0 || p.x.Decision.Outcome == 0 {
		t.Errorf("the last decision is %+v", p.x.Decision)
	}
	control := openNaive(t, "")
	if n := testing.AllocsPerRun(100, func() { p.fetch(); serve(t, control, p.body) }); n < 1 {
		t.Errorf("the control allocates %v", n)
	}
}

// TestPeopleAreKnown: the stream is worth measuring with: whole bodies of the
// stated size, hundreds of people, most of them known and let in.
func TestPeopleAreKnown(t *testing.T) {
	p := open(t)
	people, outcomes, known := map[string]bool{}, map[engine.Outcome]int{}, 0
	n := len(p.stream.bodies)
	for range n {
		p.fetch()
		p.score(t)
		if !json.Valid(p.out) {
			t.Fatalf("answered %s", p.out)
		}
		people[string([]byte(p.x.Attempt.Subject))] = true
		outcomes[p.x.Decision.Outcome]++
		if p.x.Decision.History.Established {
			known++
		}
	}
	t.Logf("%d attempts of %d people, %d bytes, %d known, outcomes %v", n, len(people), p.stream.MeanBytes(), known, outcomes)
	if len(people) < 500 || known < n/2 || outcomes[engine.Allow] < n/2 {
		t.Errorf("%d attempts of %d people, %d known, outcomes %v", n, len(people), known, outcomes)
	}
	if mean := p.stream.MeanBytes(); mean < 1500 || mean > 2500 {
		t.Errorf("a body has %d bytes", mean)
	}
}

// TestEveryRequestIsAnother: no two have an id in common, time goes on, and a body
// is as long as was said.
func TestEveryRequestIsAnother(t *testing.T) {
	s := newStream(population.SyntheticWorld(streamSeed))
	ids := map[string]bool{}
	var last time.Time
	for n := range uint64(2 * len(s.bodies)) {
		body := s.Append([]byte("before"), n)
		if len(body) != len("before")+s.Len(n) || !bytes.HasPrefix(body, []byte("before{")) {
			t.Fatalf("body %d is %q, of stated length %d", n, body, s.Len(n))
		}
		var a struct {
			ID      string    `json:"attempt_id"`
			Time    time.Time `json:"time"`
			Session struct {
				Created time.Time `json:"created"`
			} `json:"session"`
		}
		if err := json.Unmarshal(body[len("before"):], &a); err != nil {
			t.Fatal(err)
		}
		if ids[a.ID] || a.Time.Before(last) || a.Session.Created.After(a.Time) {
			t.Fatalf("attempt %q at %v after %v, of a session of %v", a.ID, a.Time, last, a.Session.Created)
		}
		ids[a.ID], last = true, a.Time
	}
}

func openNaive(tb testing.TB, geo string) *naive.Server {
	tb.Helper()
	s, open, err := OpenNaive(tb.TempDir(), geo)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := open.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func serve(tb testing.TB, s *naive.Server, body []byte) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("POST", "/v1/score", bytes.NewReader(body)))
	if w.Code != 200 {
		tb.Fatalf("the naive build answered %d %s", w.Code, w.Body)
	}
	return w
}

// TestNaiveAnswers: the yardstick does its work, on the bytes that Wary gets.
func TestNaiveAnswers(t *testing.T) {
	first, s := openNaive(t, ""), newStream(population.SyntheticWorld(streamSeed))
	for n := range uint64(500) {
		var got struct {
			DecisionID  string   `json:"decision_id"`
			AttemptID   string   `json:"attempt_id"`
			Decision    string   `json:"decision"`
			Probability *float64 `json:"probability"`
		}
		if err := json.Unmarshal(serve(t, first, s.Append(nil, n)).Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if got.DecisionID == "" || got.AttemptID == "" || got.Probability == nil || *got.Probability < 0 || *got.Probability > 1 {
			t.Fatalf("answered %+v", got)
		}
	}
	w := httptest.NewRecorder()
	first.ServeHTTP(w, httptest.NewRequest("POST", "/v1/score", bytes.NewReader([]byte("{"))))
	if w.Code != 400 {
		t.Errorf("half a document is answered %d", w.Code)
	}
	if _, err := os.Stat("../data/geo/city.mmdb"); err == nil {
		serve(t, openNaive(t, "../data/geo"), s.Append(nil, 0))
	}
}

func TestAnswerLen(t *testing.T) {
	const whole = "HTTP/1.1 200 OK\r\nServer: x\r\ncontent-length: 2\r\n\r\n{}"
	for _, c := range []struct {
		name, text string
		want       int
		wrong      bool
	}{
		{"whole", whole, len(whole), false},
		{"and more", whole + "HTTP", len(whole), false},
		{"half a head", whole[:30], 0, false},
		{"half a body", whole[:len(whole)-1], 0, false},
		{"refused", strings.Replace(whole, "200 OK", "400 Bad Request", 1), 0, true},
		{"no length", strings.Replace(whole, "content-length", "content-width", 1), 0, true},
		{"not a number", strings.Replace(whole, ": 2", ": two", 1), 0, true},
		{"below zero", strings.Replace(whole, ": 2", ": -2", 1), 0, true},
		{"too long", strings.Replace(whole, ": 2", ": 99999999", 1), 0, true},
	} {
		got, err := AnswerLen([]byte(c.text))
		if got != c.want || (err != nil) != c.wrong {
			t.Errorf("%s: %d, %v", c.name, got, err)
		}
	}
}
