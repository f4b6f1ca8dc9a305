package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"

	"github.com/waryauth/wary/internal/journal"
	"github.com/waryauth/wary/models"
)

// Replayed says how a decision of the log came out when it was made again.
type Replayed struct {
	At        journal.Address
	Decision  *Decision // as logged
	Identical bool
	Why       string // where it is not identical, or cannot be made again
}

// Replayer makes the decisions of a log again, from the vector as scored, the
// model and the policy of the time.
type Replayer struct {
	// Find returns the model of a digest, or an error that says why there is none.
	Find func(digest string) (*models.Model, error)
	// Policies is the folder of policies by digest, for those whose change retention has removed.
	Policies string

	models   map[string]*models.Model
	policies map[string]*Policy
	unread   map[string]error // why a policy of the log is none to this program
	schema   [8]byte
	logged   Assessment
	again    Assessment
	a, b     []byte
}

// NewReplayer returns a replayer that finds models through find.
func NewReplayer(find func(digest string) (*models.Model, error)) *Replayer {
	return &Replayer{Find: find, models: map[string]*models.Model{}, policies: map[string]*Policy{}, unread: map[string]error{}, schema: schemaMark()}
}

// Replay takes the next record of a log, in order. It reports false for a record
// that is no decision. What it returns is good until the next call.
func (r *Replayer) Replay(rec journal.Record) (out Replayed, ok bool, err error) {
	switch rec.Kind {
	case KindChange:
		return out, false, r.learn(rec)
	case KindDecision:
	default:
		return out, false, nil
	}
	out = Replayed{At: rec.At, Decision: &r.logged.Decision}
	if err := r.logged.readDecision(rec.Payload); err != nil {
		return out, true, err
	}
	out.Why = r.remake(&r.logged)
	out.Identical = out.Why == ""
	return out, true, nil
}

// learn keeps a policy that came into force.
func (r *Replayer) learn(rec journal.Record) error {
	var c change
	if err := json.Unmarshal(rec.Payload, &c); err != nil {
		return err
	}
	if c.What != "policy" || r.policies[c.Digest] != nil {
		return nil
	}
	p, err := ParsePolicy(c.Text)
	if err != nil { // an earlier program may have taken what this one refuses
		r.unread[c.Digest] = err
		return nil
	}
	r.policies[p.Digest] = p
	return nil
}

// policy returns the policy of a digest, from the log or from the data folder.
func (r *Replayer) policy(digest string) (*Policy, error) {
	if err := r.unread[digest]; err != nil {
		return nil, fmt.Errorf("policy %s: %w", digest, err)
	}
	p := r.policies[digest]
	if p == nil {
		p = r.kept(digest)
	}
	if p == nil {
		return nil, fmt.Errorf("policy %s is neither in the log nor in the data folder", digest)
	}
	return p, nil
}

// kept returns a policy from the data folder, or nil.
func (r *Replayer) kept(digest string) *Policy {
	text, err := os.ReadFile(policyPath(r.Policies, digest))
	if err != nil {
		return nil
	}
	p, err := ParsePolicy(text)
	if err != nil || p.Digest != digest {
		return nil
	}
	r.policies[p.Digest] = p // digest lies in the fact's bytes
	return p
}

// remake makes a logged decision again and says how it differs, or "".
func (r *Replayer) remake(old *Assessment) string {
	if old.fact.schema != r.schema {
		return "scored under another feature schema"
	}
	p, err := r.policy(old.Decision.PolicyDigest)
	if err != nil {
		return err.Error()
	}
	m, err := r.model(old.Decision.ModelDigest)
	if err != nil {
		return err.Error()
	}
	for _, n := range old.inputs.listed {
		if int(n) > len(p.lists) {
			return fmt.Sprintf("the receipt names list %d, the policy has %d", n, len(p.lists))
		}
	}
	x := &r.again
	x.Vector, x.inputs, x.Trace = old.Vector, old.inputs, old.Trace
	x.predict(m)
	if math.Float64bits(x.Prediction.Raw) != math.Float64bits(old.Prediction.Raw) || x.Prediction.Contributions != old.Prediction.Contributions {
		return fmt.Sprintf("the model gives %v, the receipt says %v", x.Prediction.Raw, old.Prediction.Raw)
	}
	x.decide(p)
	r.a, r.b = appendAnswer(r.a[:0], &x.Decision), appendAnswer(r.b[:0], &old.Decision)
	if !bytes.Equal(r.a, r.b) {
		return fmt.Sprintf("the policy gives %+v, the receipt says %+v", x.Decision, old.Decision)
	}
	if m, err = r.model(old.Shadow.Digest); err != nil {
		return "challenger: " + err.Error()
	}
	x.challenge(m, p, nil) // nothing is timed
	r.a, r.b = x.Shadow.append(r.a[:0]), old.Shadow.append(r.b[:0])
	if !bytes.Equal(r.a, r.b) {
		return fmt.Sprintf("the challenger gives %+v, the receipt says %+v", x.Shadow, old.Shadow)
	}
	return ""
}

// model returns the model of a digest; of "" none, since none answered.
func (r *Replayer) model(digest string) (*models.Model, error) {
	if digest == "" {
		return nil, nil
	}
	if m := r.models[digest]; m != nil {
		return m, nil
	}
	m, err := r.Find(digest)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", digest, err)
	}
	r.models[strings.Clone(digest)] = m // it lies in the fact's bytes, which the next fact overwrites
	return m, nil
}
