package evaluation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/waryauth/wary/bench/population"
	"github.com/waryauth/wary/engine/feedback"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/models/train"
	"github.com/waryauth/wary/signals"
)

// Log judges a model on the decisions in the log of a daemon's data folder, with
// the labels that feedback gave them; the daemon may run meanwhile. An attempt
// without a label that is older than settled before the last counts as legitimate;
// with settled 0 none does. Failed checks are left out: they gave nobody access.
// progress, unless nil, is called for each decision.
//
// The logistic regression beside it is fitted to the log itself: each user's
// attempts are scored by one fitted to other users'.
func Log(ctx context.Context, data string, settled time.Duration, m *models.Model, progress func()) (*Report, error) {
	l := logged{most: mostLogged, stride: 1}
	var read feedback.Report
	for row, err := range feedback.Window(data, time.Time{}, time.Time{}, feedback.WindowOptions{Report: &read}) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		if progress != nil {
			progress()
		}
		l.take(row)
	}
	rows := l.settle(settled)
	if len(rows) == 0 {
		return nil, fmt.Errorf("no attempt of the log is labelled, or old enough to count as legitimate (%d are of another feature schema)", read.OtherSchema)
	}
	s, d := l.set(rows, m)
	notes := []string{fmt.Sprintf("%d attempts labelled fraud, %d legitimate, %d without a label that are older than %s.", l.said[signals.Fraud], l.said[signals.Legitimate], l.presumed, settled)}
	if read.OtherSchema > 0 {
		notes = append(notes, fmt.Sprintf("%d decisions of another feature schema are left out.", read.OtherSchema))
	}
	if l.stride > 1 {
		notes = append(notes, fmt.Sprintf("Of the legitimate attempts one of %d is judged, and stands for as many.", l.stride))
	}
	values, err := crossed(ctx, s, d)
	switch {
	case errors.Is(err, errFew):
		notes = append(notes, "There are too few attempts to fit a logistic regression to.")
	case err != nil:
		return nil, err
	default:
		s.Scores = append(s.Scores, Score{"logistic regression", values})
	}
	r, err := s.Judge()
	if err != nil {
		return nil, err
	}
	r.Model, r.Digest, r.Notes = m.Version(), m.Digest(), notes
	return r, nil
}

// mostLogged bounds the attempts held in memory, about a kilobyte each.
const mostLogged = 300_000

// logged is attempts of a log. Where there are more than most, every other one that
// is not known to be fraud is dropped, again and again.
type logged struct {
	most     int
	kept     []attempt
	stride   int // of those not fraud, one of so many is kept
	others   int // seen that are not fraud
	last     time.Time
	said     map[signals.FeedbackValue]int
	presumed int
}

type attempt struct {
	vector features.Vector
	user   uint64
	at     time.Time
	label  signals.FeedbackValue
}

func (l *logged) take(c *feedback.Row) {
	l.last = c.Logged
	if c.Result == signals.Failure {
		return
	}
	label := c.Label
	if c.Source == signals.Challenge { // a challenge is no judge of who challenges
		label = 0
	}
	fraud := label == signals.Fraud
	if !fraud {
		if l.others++; l.others%l.stride != 0 {
			return
		}
	}
	user := uint64(c.User)
	if user == 0 { // nobody is known by the name: each is another
		user = uint64(c.At.Segment)<<40 ^ uint64(c.At.Offset)
	}
	l.kept = append(l.kept, attempt{*c.Vector, user, c.Logged, label})
	if len(l.kept) < l.most {
		return
	}
	l.stride *= 2
	n, odd := 0, false
	for i := range l.kept {
		a := &l.kept[i]
		if a.label != signals.Fraud {
			if odd = !odd; odd {
				continue
			}
		}
		l.kept[n] = *a
		n++
	}
	l.kept = l.kept[:n]
}

// settle returns the attempts that are known, or taken, to be fraud or legitimate.
func (l *logged) settle(settled time.Duration) (rows []*attempt) {
	l.said = map[signals.FeedbackValue]int{}
	for i := range l.kept {
		a := &l.kept[i]
		switch old := settled > 0 && l.last.Sub(a.at) > settled; {
		case a.label == signals.Fraud, a.label == signals.Legitimate:
			l.said[a.label]++
		case old:
			l.presumed++
		default:
			continue
		}
		rows = append(rows, a)
	}
	return rows
}

// set returns the attempts as they are judged, and as a matrix.
func (l *logged) set(rows []*attempt, m *models.Model) (*Set, *train.Data) {
	s := &Set{
		Source: "the log of a daemon", Families: []string{"legitimate", "fraud"}, Settings: []Setting{{Name: "log"}}, Probabilities: true,
		Scores: []Score{{Name: "model"}, {Name: "RBA score"}, {Name: "new network"}}, Seed: 1,
	}
	d := &train.Data{Columns: features.Width}
	var p models.Prediction
	for _, a := range rows {
		v := population.Row{Vector: a.vector}
		m.Predict(&p, &v.Vector)
		for i, x := range [...]float64{p.Probability, population.FreemanScore(&v), population.NewNetwork(&v)} {
			s.Scores[i].Values = append(s.Scores[i].Values, x)
		}
		r := Row{At: a.at.UnixMilli(), User: a.user, Weight: float32(l.stride)}
		if n := a.vector[features.HisNLogins]; n > 0 {
			r.History = int32(n)
		}
		if a.label == signals.Fraud {
			r.Takeover, r.Family, r.Weight = true, 1, 1
			r.Value = max(a.vector[features.PayAmount], 0)
			if r.Value != r.Value {
				r.Value = 0
			}
		}
		s.Rows = append(s.Rows, r)
		d.X, d.Y, d.Weight = append(d.X, a.vector[:]...), append(d.Y, float32(truth(&r))), append(d.Weight, r.Weight)
	}
	return s, d
}

// errFew says that there are too few rows of a label in some fold.
var errFew = errors.New("too few rows to fit to")

// folds are the parts of users that scores are crossed over, fewestFrauds the fraud
// that the others must have to be fitted to.
const (
	folds        = 5
	fewestFrauds = 20
)

// crossed scores each user's rows by a logistic regression fitted to the rows of
// users in other folds.
func crossed(ctx context.Context, s *Set, d *train.Data) ([]float64, error) {
	var columns []int
	for i := range d.Columns {
		columns = append(columns, i)
	}
	fold := func(i int) int { return int(s.Rows[i].User * 0x9e3779b97f4a7c15 >> 40 % folds) }
	out := make([]float64, len(s.Rows))
	for f := range folds {
		others := &train.Data{Columns: d.Columns}
		var n [2]int
		for i, y := range d.Y {
			if fold(i) != f {
				others.X = append(others.X, d.X[i*d.Columns:(i+1)*d.Columns]...)
				others.Y, others.Weight = append(others.Y, y), append(others.Weight, d.Weight[i])
				n[int(y)]++
			}
		}
		if n[0] < fewestFrauds || n[1] < fewestFrauds {
			return nil, errFew
		}
		l, err := Fit(ctx, others, columns)
		if err != nil {
			return nil, err
		}
		for i := range out {
			if fold(i) == f {
				out[i] = l.LogOdds(d.X[i*d.Columns : (i+1)*d.Columns])
			}
		}
	}
	return out, nil
}
