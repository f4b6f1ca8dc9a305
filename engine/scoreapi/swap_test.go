package scoreapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp/fasthttputil"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/models/modeltest"
)

// judged is what a client reads of an answer.
type judged struct {
	DecisionID string `json:"decision_id"`
	Risk       struct{ Probability float64 }
	Model      struct{ Version, Digest string }
}

// swapping is a served engine whose models are swapped while clients ask it.
type swapping struct {
	dir      string
	engine   *engine.Engine
	models   []*models.Model
	of       map[string]*models.Model // by digest
	answered atomic.Int64
	failed   atomic.Int64
	clients  sync.WaitGroup
	done     chan struct{}

	mu   sync.Mutex
	said map[string]judged // answers by decision id
}

// newSwapping starts a server on a real handler, with models that each answer
// something else, and callers that ask it until done is closed.
func newSwapping(t *testing.T, callers int) *swapping {
	t.Helper()
	s := &swapping{dir: t.TempDir(), of: map[string]*models.Model{}, done: make(chan struct{}), said: map[string]judged{}}
	for i, version := range []string{"a", "b", "c", "d"} {
		m := modeltest.Load(t, version, float64(i)-4, float64(i)-3.5)
		s.models, s.of[m.Digest()] = append(s.models, m), m
	}
	var err error
	if s.engine, err = engine.Open(s.dir, engine.Options{Model: s.models[0]}); err != nil {
		t.Fatal(err)
	}
	in := fasthttputil.NewInmemoryListener()
	server := New(Options{Engine: s.engine, Log: slog.New(slog.DiscardHandler)})
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(in) }()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers,
		DialContext: func(context.Context, string, string) (net.Conn, error) { return in.Dial() }}}
	for c := range callers {
		s.clients.Go(func() { s.call(t, client, c) })
	}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(server.Shutdown(ctx), <-ended, s.engine.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// call asks without a pause, as one caller.
func (s *swapping) call(t *testing.T, client *http.Client, caller int) {
	for n := 0; ; n++ {
		select {
		case <-s.done:
			return
		default:
		}
		body := fmt.Sprintf(`{"attempt_id":"%d-%d","action":"login","subject":"user-%d","network":{"ip":"81.152.10.20"},`+
			`"authentication":{"result":"success","method":"pwd"}}`, caller, n, n%50)
		var j judged
		if err := askFor(client, body, &j); err != nil {
			s.failed.Add(1)
			t.Errorf("caller %d: %v", caller, err)
			return
		}
		s.mu.Lock()
		s.said[j.DecisionID] = j
		s.mu.Unlock()
		s.answered.Add(1)
	}
}

func askFor(client *http.Client, body string, into any) error {
	res, err := client.Post("http://wary/v1/score", jsonType, strings.NewReader(body))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != 200 {
		err = fmt.Errorf("%d %s", res.StatusCode, answer)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(answer, into)
}

// swap puts the i-th pair of models in force and waits for an answer given since.
func (s *swapping) swap(t *testing.T, i int) {
	t.Helper()
	next := models.Serving{Champion: s.models[i%len(s.models)]}
	if i%3 > 0 {
		next.Challenger = s.models[(i+i%3)%len(s.models)]
	}
	if err := s.engine.SetModels(next); err != nil {
		t.Fatal(err)
	}
	for before := s.answered.Load(); s.answered.Load() == before && s.failed.Load() == 0; {
		runtime.Gosched()
	}
}

// TestSwapsUnderLoad swaps champion and challenger 1,000 times while callers ask: no
// request fails, every answer is wholly that of one model, and the log makes every
// one of them again, bit for bit, with what each challenger said.
func TestSwapsUnderLoad(t *testing.T) {
	s := newSwapping(t, 4)
	for i := range 1000 {
		s.swap(t, i)
	}
	close(s.done)
	s.clients.Wait()
	if n := s.failed.Load(); n != 0 {
		t.Fatalf("%d requests failed", n)
	}
	deciders, shadows := map[string]int{}, map[string]int{}
	for id, j := range s.said {
		m, r := s.of[j.Model.Digest], receipt(t, s.engine, id)
		if m == nil || j.Model.Version != m.Version() || r.Decision.ModelDigest != m.Digest() || r.Decision.Probability != j.Risk.Probability {
			t.Fatalf("the answer %+v is not that of one model, or not that of its receipt", j)
		}
		var p models.Prediction
		if m.Predict(&p, &r.Vector); p.Probability != j.Risk.Probability {
			t.Fatalf("model %s gives %v, the answer was %v", m.Version(), p.Probability, j.Risk.Probability)
		}
		deciders[m.Version()]++
		shadows[r.Shadow.Version]++
	}
	if len(deciders) != len(s.models) || len(shadows) != len(s.models)+1 {
		t.Errorf("not every model decided (%v) and was a challenger (%v): nothing was swapped under load", deciders, shadows)
	}
	n, different := replayed(t, s.dir, func(digest string) *models.Model { return s.of[digest] })
	if n != len(s.said) || different != 0 {
		t.Errorf("%d decisions in the log, %d answered; %d are not made again alike", n, len(s.said), different)
	}
	_, different = replayed(t, s.dir, func(string) *models.Model { return s.models[0] })
	if want := len(s.said) - deciders["a"]; different < want {
		t.Errorf("control: with one model for all, %d differ, want at least %d", different, want)
	}
}

func receipt(t *testing.T, e *engine.Engine, id string) *engine.Receipt {
	t.Helper()
	r, err := e.Receipt(id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// replayed makes every decision of the log again.
func replayed(t *testing.T, dir string, find func(digest string) *models.Model) (n, different int) {
	t.Helper()
	r := engine.NewReplayer(func(digest string) (*models.Model, error) { return find(digest), nil })
	r.Policies = filepath.Join(dir, engine.PolicyFolder)
	for rec, err := range journal.Records(filepath.Join(dir, "journal"), journal.Address{}) {
		if err != nil {
			t.Fatal(err)
		}
		got, ok, err := r.Replay(rec)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			continue
		}
		n++
		if !got.Identical {
			if different++; different < 3 {
				t.Log(got.Why)
			}
		}
	}
	return n, different
}

// TestReceiptShowsTheChallenger, as the contract has it; the answer itself does not.
func TestReceiptShowsTheChallenger(t *testing.T) {
	d := newDesk(t, nil)
	champion := d.engine.Model()
	challenger := modeltest.Load(t, "next", 3, 4)
	var shadow struct {
		DecisionID string `json:"decision_id"`
		Challenger *struct {
			Version, Digest, Decision string
			Risk                      struct{ Probability, Points float64 }
			Raw                       float64
			Contributions             map[string]float64
		}
	}
	ask := func(id string, s models.Serving) (answer, receipt got) {
		t.Helper()
		if err := d.engine.SetModels(s); err != nil {
			t.Fatal(err)
		}
		answer = d.do("POST", "/v1/score", jsonType, `{"attempt_id":"`+id+`","action":"login","subject":"anna","network":{"ip":"81.152.10.20"}}`)
		shadow.Challenger = nil
		if err := json.Unmarshal(answer.body, &shadow); err != nil || answer.status != 200 || shadow.Challenger != nil {
			t.Fatalf("%d %s", answer.status, answer.body)
		}
		receipt = d.do("GET", "/v1/decisions/"+shadow.DecisionID, "", "")
		if err := json.Unmarshal(receipt.body, &shadow); err != nil || receipt.status != 200 {
			t.Fatalf("%d %s", receipt.status, receipt.body)
		}
		return answer, receipt
	}
	if _, receipt := ask("alone", models.Serving{Champion: champion}); shadow.Challenger != nil {
		t.Errorf("a challenger that nobody named: %s", receipt.body)
	}
	_, receipt := ask("both", models.Serving{Champion: champion, Challenger: challenger})
	c := shadow.Challenger
	if c == nil || c.Version != "next" || c.Digest != challenger.Digest() || c.Decision != "deny" || c.Raw != 3 || c.Risk.Probability < 0.9 || c.Risk.Points < 99 || len(c.Contributions) == 0 {
		t.Errorf("%s", receipt.body)
	}
}
