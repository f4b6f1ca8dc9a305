package scoreapi

import (
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/signals"
)

// AppendDecision appends the answer to an attempt, as the contract has it, to
// dst. The attempt gives back its id and its authorization details.
func AppendDecision(dst []byte, d *engine.Decision, a *signals.Attempt) []byte {
	dst = append(dst, `{"decision_id":"`...)
	dst = d.ID.Append(dst)
	dst = append(dst, `","attempt_id":`...)
	dst = appendString(dst, a.ID)
	dst = appendVerdict(dst, d)
	if d.Outcome != engine.Deny {
		dst = appendGrant(dst, d, a)
	}
	return append(appendProvenance(dst, d), '}')
}

func appendVerdict(dst []byte, d *engine.Decision) []byte {
	dst = append(dst, `,"decision":"`...)
	dst = append(dst, engine.OutcomeNames[d.Outcome]...)
	dst = append(dst, `","risk":`...)
	dst = appendRisk(dst, d.Probability, d.Points, d.Level)
	dst = append(dst, `,"reasons":[`...)
	for i := range d.Reasons {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendReason(dst, &d.Reasons[i])
	}
	dst = append(dst, ']')
	if d.Outcome != engine.StepUp {
		return dst
	}
	dst = append(dst, `,"step_up":{"acr_values":`...)
	dst = appendStrings(dst, d.Challenge.ACRValues)
	dst = append(dst, `,"amr":`...)
	dst = appendStrings(dst, d.Challenge.AMR)
	dst = append(dst, `,"max_age":`...)
	dst = strconv.AppendInt(dst, int64(d.Challenge.MaxAge), 10)
	return append(dst, '}')
}

func appendRisk(dst []byte, probability float64, points uint8, level engine.Level) []byte {
	dst = append(dst, `{"probability":`...)
	dst = appendFloat(dst, probability, 64)
	dst = append(dst, `,"points":`...)
	dst = strconv.AppendUint(dst, uint64(points), 10)
	dst = append(dst, `,"level":"`...)
	dst = append(dst, level.String()...)
	return append(dst, `"}`...)
}

func appendReason(dst []byte, r *engine.Reason) []byte {
	dst = append(dst, `{"code":`...)
	dst = appendString(dst, r.Code)
	dst = append(dst, `,"family":`...)
	dst = appendString(dst, r.Family)
	dst = append(dst, `,"contribution":`...)
	dst = appendFloat(dst, float64(r.Contribution), 32)
	if r.Feature != "" {
		dst = append(dst, `,"feature":`...)
		dst = appendString(dst, r.Feature)
		dst = append(dst, `,"value":`...)
		dst = appendFloat(dst, float64(r.Value), 32)
	}
	return append(dst, '}')
}

func appendGrant(dst []byte, d *engine.Decision, a *signals.Attempt) []byte {
	g := &d.Grant
	dst = append(dst, `,"grant":{`...)
	if len(g.Scopes)+len(g.Removed) > 0 {
		dst = append(dst, `"scopes":`...)
		dst = appendStrings(dst, g.Scopes)
		dst = append(dst, ',')
	}
	dst = append(dst, `"removed":[`...)
	for i, r := range g.Removed {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"scope":`...)
		dst = appendString(dst, r.Scope)
		dst = append(dst, `,"because":"`...)
		dst = r.AppendBecause(dst)
		dst = append(dst, `"}`...)
	}
	dst = append(dst, ']')
	if len(a.Intent.Details) > 0 {
		dst = append(dst, `,"authorization_details":[`...)
		for i := range a.Intent.Details {
			if i > 0 {
				dst = append(dst, ',')
			}
			if g.Details[i] {
				dst = append(dst, a.Intent.Details[i].Raw...)
			} else {
				dst = append(dst, "null"...)
			}
		}
		dst = append(dst, ']')
	}
	dst = append(dst, `,"token_ttl_s":`...)
	dst = strconv.AppendInt(dst, int64(g.TTLSeconds), 10)
	dst = append(dst, `,"sender_constraint":"`...)
	dst = append(dst, g.Constraint.String()...)
	return append(dst, `"}`...)
}

// appendProvenance appends how well the subject is known, and what made the decision.
func appendProvenance(dst []byte, d *engine.Decision) []byte {
	dst = append(dst, `,"history":{"successes":`...)
	dst = strconv.AppendUint(dst, uint64(d.History.Successes), 10)
	dst = append(dst, `,"confidence":"`...)
	if d.History.Established {
		dst = append(dst, "established"...)
	} else {
		dst = append(dst, "learning"...)
	}
	dst = append(dst, `"},"model":{"version":`...)
	dst = appendString(dst, d.ModelVersion)
	dst = append(dst, `,"digest":`...)
	dst = appendString(dst, d.ModelDigest)
	dst = append(dst, `},"policy":{"version":`...)
	dst = strconv.AppendUint(dst, uint64(d.PolicyVersion), 10)
	dst = append(dst, `,"digest":`...)
	dst = appendString(dst, d.PolicyDigest)
	dst = append(dst, `},"degraded":[`...)
	first := true
	for b := range engine.DegradedBits {
		if d.Degraded&(1<<b) == 0 {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, '"')
		dst = append(dst, engine.DegradedNames[b]...)
		dst = append(dst, '"')
	}
	return append(dst, ']')
}

// AppendExplained appends the answer to an evaluation with the whole vector, every
// family's contribution and the counterfactual, where there is one.
func AppendExplained(dst []byte, x *engine.Assessment) []byte {
	dst = AppendDecision(dst, &x.Decision, &x.Attempt)
	dst = append(dst[:len(dst)-1], `,"explain":{"vector":`...)
	dst = appendVector(dst, &x.Vector)
	dst = append(dst, `,"contributions":`...)
	dst = appendContributions(dst, &x.Prediction.Contributions)
	if x.Counterfactual != nil {
		dst = append(dst, `,"counterfactual":`...)
		dst = AppendCounterfactual(dst, x.Counterfactual)
	}
	return append(dst, "}}"...)
}

// AppendCounterfactual appends a counterfactual.
func AppendCounterfactual(dst []byte, c *engine.Counterfactual) []byte {
	dst = append(dst, `{"families":[`...)
	for i, f := range c.Families {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, f.String())
	}
	if len(c.Families) == 0 {
		dst = append(dst, `],"because":`...)
		return append(appendString(dst, c.Because), '}')
	}
	dst = append(dst, `],"risk":`...)
	return append(appendRisk(dst, c.Probability, c.Points, c.Level), '}')
}

// AppendReceipt appends a past decision and what was said of it since.
func AppendReceipt(dst []byte, r *engine.Receipt) []byte {
	d, t := &r.Decision, &r.Trace
	dst = append(dst, `{"decision_id":"`...)
	dst = r.ID.Append(dst)
	dst = append(dst, `","logged":`...)
	dst = appendTime(dst, r.Logged)
	dst = append(dst, `,"attempt":{"id":`...)
	dst = appendKey(dst, r.Attempt)
	dst = append(dst, `,"time":`...)
	dst = appendTime(dst, time.UnixMilli(t.Time))
	dst = append(dst, `,"action":"`...)
	dst = append(dst, t.Action.String()...)
	dst = append(dst, `","result":"`...)
	dst = append(dst, t.Result.String()...)
	dst = append(dst, '"')
	for _, k := range [...]struct {
		name string
		key  features.Key
	}{{"subject", t.Typed}, {"address", t.Address}, {"device", t.Device}, {"client", t.Client}} {
		if k.key != 0 {
			dst = append(append(append(dst, `,"`...), k.name...), `":`...)
			dst = appendKey(dst, k.key)
		}
	}
	if c := t.CountryCode.String(); c != "" {
		dst = append(dst, `,"country":`...)
		dst = appendString(dst, c)
	}
	dst = append(dst, `,"scopes":`...)
	dst = appendStrings(dst, r.Asked)
	dst = append(dst, `,"authorization_details":`...)
	dst = appendStrings(dst, r.AskedDetails)
	dst = append(dst, '}')
	if r.Resumes != nil {
		dst = append(dst, `,"previous_decision_id":"`...)
		dst = append(r.Resumes.Append(dst), '"')
	}
	dst = appendVerdict(dst, d)
	if d.Outcome != engine.Deny {
		var none signals.Attempt
		dst = appendGrant(dst, d, &none)
	}
	dst = appendProvenance(dst, d)
	dst = append(dst, `,"raw":`...)
	dst = appendFloat(dst, r.Raw, 64)
	dst = append(dst, `,"vector":`...)
	dst = appendVector(dst, &r.Vector)
	dst = append(dst, `,"contributions":`...)
	dst = appendContributions(dst, &r.Contributions)
	if r.Shadow.Digest != "" {
		dst = appendShadow(dst, &r.Shadow)
	}
	dst = append(dst, `,"taught":`...)
	dst = strconv.AppendBool(dst, r.Taught)
	dst = append(dst, `,"said":[`...)
	for i := range r.Said {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendSaid(dst, &r.Said[i])
	}
	return append(dst, "]}"...)
}

// appendShadow appends what the challenger made of the attempt.
func appendShadow(dst []byte, s *engine.Shadow) []byte {
	dst = append(dst, `,"challenger":{"version":`...)
	dst = appendString(dst, s.Version)
	dst = append(dst, `,"digest":`...)
	dst = appendString(dst, s.Digest)
	dst = append(dst, `,"decision":"`...)
	dst = append(dst, engine.OutcomeNames[s.Outcome]...)
	dst = append(dst, `","risk":`...)
	dst = appendRisk(dst, s.Probability, s.Points, s.Level)
	dst = append(dst, `,"raw":`...)
	dst = appendFloat(dst, s.Raw, 64)
	dst = append(dst, `,"contributions":`...)
	dst = appendContributions(dst, &s.Contributions)
	return append(dst, '}')
}

func appendSaid(dst []byte, s *engine.Said) []byte {
	dst = append(dst, `{"logged":`...)
	dst = appendTime(dst, s.Logged)
	dst = append(dst, `,"time":`...)
	dst = appendTime(dst, s.Time)
	if s.Resumed != nil {
		dst = append(dst, `,"kind":"resumed","decision_id":"`...)
		return append(s.Resumed.Append(dst), `"}`...)
	}
	dst = append(dst, `,"kind":"`...)
	dst = append(dst, s.Kind.String()...)
	dst = append(dst, `","value":"`...)
	dst = append(dst, s.Value.String()...)
	dst = append(dst, `","source":"`...)
	dst = append(dst, s.Source.String()...)
	dst = append(dst, '"')
	if s.Note != "" {
		dst = append(dst, `,"note":`...)
		dst = appendString(dst, s.Note)
	}
	return append(dst, '}')
}

func appendVector(dst []byte, v *features.Vector) []byte {
	dst = append(dst, '{')
	for i := range v {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, features.Schema[i].Name)
		dst = append(dst, ':')
		dst = appendFloat(dst, float64(v[i]), 32)
	}
	return append(dst, '}')
}

func appendContributions(dst []byte, c *[features.Families]float32) []byte {
	dst = append(dst, '{')
	for i := range c {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, features.FamilyNames[i])
		dst = append(dst, ':')
		dst = appendFloat(dst, float64(c[i]), 32)
	}
	return append(dst, '}')
}

// appendKey appends a keyed hash as hexadecimal digits.
func appendKey(dst []byte, k features.Key) []byte {
	dst = append(dst, '"')
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, hexDigits[k>>shift&15])
	}
	return append(dst, '"')
}

func appendTime(dst []byte, t time.Time) []byte {
	dst = append(dst, '"')
	dst = t.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	return append(dst, '"')
}

// appendFloat appends a number in the shortest form that reads back the same;
// what JSON cannot say is null.
func appendFloat(dst []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	return strconv.AppendFloat(dst, f, 'g', -1, bits)
}

func appendStrings(dst []byte, ss []string) []byte {
	dst = append(dst, '[')
	for i, s := range ss {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, s)
	}
	return append(dst, ']')
}

const hexDigits = "0123456789abcdef"

// appendString appends a JSON string. Invalid UTF-8 becomes U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			if r, n := utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
		}
		dst = append(dst, s[start:i]...)
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			dst = append(dst, "\ufffd"...)
		}
		i++
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}
