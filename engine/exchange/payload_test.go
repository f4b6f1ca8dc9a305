package exchange

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/segmentio/kafka-go"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/signals"
)

const schemaFolder = "../../docs/schemas"

// published returns the published schemas by the URNs that messages name.
func published(t testing.TB) map[string]*jsonschema.Schema {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(schemaFolder, "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no schemas (%v)", err)
	}
	out := map[string]*jsonschema.Schema{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		c := jsonschema.NewCompiler()
		c.AssertFormat()
		urn := schemaPrefix + strings.TrimSuffix(filepath.Base(path), ".json")
		if err := c.AddResource(urn, doc); err != nil {
			t.Fatal(err)
		}
		if out[urn], err = c.Compile(urn); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// check says how a document breaks the schema that its message names.
func check(schemas map[string]*jsonschema.Schema, m *kafka.Message) error {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(m.Value))
	if err != nil {
		return err
	}
	return schemas[header(m, "ce_dataschema")].Validate(doc)
}

// full is a decision of which everything is known.
func full() *engine.Fact {
	r := &engine.Receipt{ID: engine.ID{Node: 7, Tag: 1}, Logged: testStart, Attempt: 1, Resumes: &engine.ID{Node: 7, Tag: 2}, Asked: []string{"a\"\\\x01é", "b"}, Taught: true, Raw: -3.25}
	r.Trace = features.Trace{Time: testStart.UnixMilli(), User: 2, Typed: 3, Client: 4, Address: 5, Device: 6, Payee: 7, CountryCode: signals.Country{'G', 'B'}, Action: signals.Payment, Result: signals.Success}
	for i := range r.Vector {
		r.Vector[i] = float32(i) / 3
	}
	r.Vector[0], r.Vector[1], r.Vector[2] = float32(math.NaN()), 1e30, -1e-30
	r.Decision = engine.Decision{
		Outcome: engine.StepUp, Probability: 0.25, Points: 88, Level: 2, Degraded: engine.DegradedGeo | engine.DegradedModel,
		Reasons:   []engine.Reason{{Code: "NEW_COUNTRY", Family: "geo", Contribution: 1.5, Feature: "geo_new"}, {Code: "LISTED", Contribution: float32(math.Inf(1))}},
		Challenge: engine.Challenge{ACRValues: []string{"loa3"}, AMR: []string{"hwk"}, MaxAge: 300},
		Grant:     engine.Grant{Scopes: []string{"b"}, TTLSeconds: 300, Constraint: engine.DPoPConstraint},
		History:   engine.History{Successes: 12, Established: true}, ModelVersion: "1", PolicyVersion: 3,
		ModelDigest: "sha256:" + strings.Repeat("0a", 32), PolicyDigest: "sha256:" + strings.Repeat("0b", 32),
	}
	r.Shadow = engine.Shadow{Version: "2", Digest: "sha256:cc", Outcome: engine.Deny, Probability: 1, Raw: math.NaN()}
	return &engine.Fact{Logged: testStart, Decision: r, Schema: strings.Repeat("0c", 8)}
}

// samples are facts of every kind, from a log and by hand.
func samples(t testing.TB) (out []kafka.Message) {
	t.Helper()
	e := newEngine(t)
	everything(t, e, 12)
	for _, m := range messages(t, e) {
		out = append(out, m.message)
	}
	amount, bound := 12.5, true
	denied := full()
	denied.Decision.Decision.Outcome = engine.Deny
	for _, f := range []*engine.Fact{
		full(), denied,
		{Logged: testStart, Event: &engine.EventFact{ID: 1, Type: signals.PaymentSettled, Subject: 2, Client: 3, Time: testStart.UnixMilli(), Method: "m", Kind: "k", Credential: 4, Device: 5, Session: 6, Consent: 7, Payee: 8, Amount: &amount, Currency: "EUR", KeyBound: &bound}},
		{Logged: testStart, Change: &engine.ChangeFact{What: "model", Digest: "sha256:" + strings.Repeat("0a", 32), Version: "1", Challenger: "sha256:" + strings.Repeat("0b", 32), ChallengerVersion: "2"}},
	} {
		m, _, err := messageOf(f, 7, nil)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
	dead := &deadJSON{Time: testStart, Reason: strings.Repeat("r", 2000), ID: "i", Topic: Told, Place: "1:2", Bytes: 3, Value: []byte{0xff, 0}}
	return append(out, deadMessage(dead, 7, []byte("k")), deadMessage(&deadJSON{Time: testStart, Place: "1:2"}, 7, []byte("k")))
}

// TestDocuments keep the published schemas, and messages are CloudEvents 1.0 in binary
// mode (Kafka protocol binding, section 3.2). The controls are documents with a member
// more, one less, and another kind of value.
func TestDocuments(t *testing.T) {
	schemas := published(t)
	seen, refused := map[string]bool{}, 0
	for _, m := range samples(t) {
		seen[header(&m, "ce_type")] = true
		if err := check(schemas, &m); err != nil {
			t.Errorf("%s: %v", m.Value, err)
		}
		for _, name := range []string{"ce_id", "ce_source", "ce_type"} {
			if header(&m, name) == "" {
				t.Errorf("%s is missing", name)
			}
		}
		if header(&m, "ce_specversion") != "1.0" || header(&m, "content-type") != "application/json" || len(m.Key) == 0 {
			t.Errorf("headers %q, key %q", m.Headers, m.Key)
		}
		if _, err := time.Parse(time.RFC3339Nano, header(&m, "ce_time")); err != nil {
			t.Error(err)
		}
		for _, change := range []func(map[string]any){
			func(d map[string]any) { d["more"] = 1 },
			func(d map[string]any) { delete(d, "node") },
			func(d map[string]any) { d["node"] = "seven" },
		} {
			var d map[string]any
			if err := json.Unmarshal(m.Value, &d); err != nil {
				t.Fatal(err)
			}
			change(d)
			m.Value, _ = json.Marshal(d)
			if check(schemas, &m) == nil {
				t.Errorf("control: %s is accepted", m.Value)
			}
			refused++
		}
	}
	if len(seen) != 5 || refused == 0 {
		t.Errorf("types %v", seen)
	}
	told := kafka.Message{Value: documentOf("f", "d", "fraud"), Headers: []kafka.Header{{Key: "ce_dataschema", Value: []byte(schemaPrefix + "told.v1")}}}
	if err := check(schemas, &told); err != nil {
		t.Error(err)
	}
}

// TestDecisionDocument reads back what was written, number by number.
func TestDecisionDocument(t *testing.T) {
	f := full()
	m, _, err := messageOf(f, 7, []byte("before"))
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Scopes  []string   `json:"scopes_asked"`
		Vector  []*float32 `json:"vector"`
		Raw     float64    `json:"raw"`
		User    string     `json:"user"`
		Reasons []struct {
			Code         string
			Contribution *float32
		}
	}
	if err := json.Unmarshal(m.Value, &d); err != nil {
		t.Fatal(err)
	}
	r := f.Decision
	if len(d.Vector) != features.Width || d.Vector[0] != nil || d.Raw != r.Raw || d.User != "0000000000000002" || string(m.Key) != d.User || m.Topic != Decisions {
		t.Errorf("document %s, key %s", m.Value, m.Key)
	}
	for i := 1; i < len(d.Vector); i++ {
		if *d.Vector[i] != r.Vector[i] {
			t.Errorf("vector[%d] is %v, want %v", i, *d.Vector[i], r.Vector[i])
		}
	}
	if d.Scopes[0] != r.Asked[0] || d.Reasons[1].Contribution != nil || *d.Reasons[0].Contribution != 1.5 {
		t.Errorf("document %s", m.Value)
	}
	f.Decision.Decision.Outcome = 0
	if _, _, err := messageOf(f, 7, nil); err == nil {
		t.Error("a decision without an outcome has a document")
	}
}

// TestKeys: the user, or the client, or the node.
func TestKeys(t *testing.T) {
	f := full()
	f.Decision.Trace.User = 0
	m, _, _ := messageOf(f, 7, nil)
	if string(m.Key) != "0000000000000004" {
		t.Errorf("key %s", m.Key)
	}
	m, _, _ = messageOf(&engine.Fact{Change: &engine.ChangeFact{What: "typing"}}, 7, nil)
	if string(m.Key) != "node-7" {
		t.Errorf("key %s", m.Key)
	}
}
