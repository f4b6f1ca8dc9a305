package feedback

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/signals"
)

// Rules say when there is enough evidence on a challenger. The zero value of each has
// a default.
type Rules struct {
	Error   float64       // chance of a wrong word, however often one looks; 0.05
	Harm    float64       // share of the legitimate attempts that the challenger may newly challenge; 0.01
	Ripe    time.Duration // the age from which on an attempt may speak against the challenger; 14 days
	Longest time.Duration // after so long without a word it shadows no more; 28 days
}

func (r *Rules) defaults() {
	r.Error, r.Harm = cmp.Or(r.Error, 0.05), cmp.Or(r.Harm, 0.01)
	r.Ripe, r.Longest = cmp.Or(r.Ripe, 14*24*time.Hour), cmp.Or(r.Longest, 28*24*time.Hour)
}

// Word is what the evidence says of a challenger.
type Word string

// Words.
const (
	Wait    Word = "wait"    // there is too little evidence yet
	Better  Word = "better"  // it catches more fraud and spares legitimate attempts: promote it
	Worse   Word = "worse"   // it catches less fraud
	Harmful Word = "harmful" // it would challenge too many legitimate attempts
	Alike   Word = "alike"   // so long have both been watched without a difference that shows
)

// Swap counts attempts of one kind by who would have challenged or denied them.
type Swap struct {
	Both       int `json:"both"`
	Champion   int `json:"champion"`   // it alone
	Challenger int `json:"challenger"` // it alone
	Neither    int `json:"neither"`
}

// Watch is what the log says of a challenger beside the champion, over the decisions
// that both looked at.
type Watch struct {
	Champion   string    `json:"champion"` // digests
	Challenger string    `json:"challenger"`
	From       time.Time `json:"from"`
	To         time.Time `json:"to"`
	Attempts   int       `json:"attempts"`
	// Decisions counts attempts by both outcomes, the champion's first.
	Decisions [engine.Deny + 1][engine.Deny + 1]int `json:"decisions"`
	Fraud     Swap                                  `json:"fraud"`      // as labels say, or a failed challenge
	Ripe      Swap                                  `json:"ripe_fraud"` // of that, what is older than Rules.Ripe
	Honest    Swap                                  `json:"legitimate"` // labelled so, or named by nobody so far
	// MoreFraud and LessFraud are the evidence, as likelihood ratios, that of the fraud
	// on which they disagree the challenger catches more, or less, than half. Harm is that
	// it newly challenges more legitimate attempts than Rules.Harm, and more than three
	// for two that the champion alone challenges; Harmless that it does not.
	MoreFraud float64 `json:"more_fraud"`
	LessFraud float64 `json:"less_fraud"`
	Harmless  float64 `json:"harmless"`
	Harm      float64 `json:"harm"`
	Word      Word    `json:"word"`
	Why       string  `json:"why"`
}

// Shadowed reads what became of the decisions that a challenger looked at beside a
// champion (digests), among attempts of the log. Its word may be asked for as often as
// one likes: the tests are valid at any time (Ville 1939; Robbins 1970).
//
// Who was denied never comes back as fraud. So an attempt that the champion alone
// denied counts as fraud unless it is known to be legitimate: censoring speaks for the
// champion, never for the challenger. For the same reason fraud speaks against the
// challenger only once it is ripe: what the champion stops, its challenge shows at
// once, and what it lets in, a label weeks later.
func Shadowed(ctx context.Context, rows iter.Seq2[*Row, error], champion, challenger string, now time.Time, rules Rules) (*Watch, error) {
	rules.defaults()
	w := &Watch{Champion: champion, Challenger: challenger, To: now}
	for r, err := range rows {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		if r.Decision.ModelDigest == champion && r.Shadow.Digest == challenger {
			w.take(r, now.Add(-rules.Ripe))
		}
	}
	w.judge(&rules)
	return w, nil
}

func (w *Watch) take(r *Row, ripe time.Time) {
	if w.Attempts == 0 {
		w.From = r.Logged
	}
	w.Attempts++
	was, is := r.Decision.Outcome, r.Shadow.Outcome
	w.Decisions[was][is]++
	if r.Label != signals.Fraud && (r.Label != 0 || was != engine.Deny) {
		w.Honest.add(was, is)
		return
	}
	w.Fraud.add(was, is)
	if r.Logged.Before(ripe) {
		w.Ripe.add(was, is)
	}
}

// mostApart is the share of the legitimate attempts that one alone challenges which may
// be the challenger's: two models that challenge equally many need not challenge the same.
const mostApart = 0.6

func (s *Swap) add(was, is engine.Outcome) {
	switch {
	case was > engine.Allow && is > engine.Allow:
		s.Both++
	case was > engine.Allow:
		s.Champion++
	case is > engine.Allow:
		s.Challenger++
	default:
		s.Neither++
	}
}

func (w *Watch) judge(rules *Rules) {
	honest := w.Honest.Both + w.Honest.Champion + w.Honest.Challenger + w.Honest.Neither
	w.MoreFraud, w.LessFraud = moreThanHalf(w.Fraud.Challenger, w.Fraud.Champion), moreThanHalf(w.Ripe.Champion, w.Ripe.Challenger)
	// Both must hold of a harmful one: the mean of two likelihood ratios is evidence against
	// both, the less of two is evidence for both.
	alone, apart := w.Honest.Challenger, w.Honest.Challenger+w.Honest.Champion
	w.Harmless = (ratio(alone, honest, rules.Harm, rules.Harm/2) + ratio(alone, apart, mostApart, 0.5)) / 2
	w.Harm = min(ratio(alone, honest, rules.Harm, 2*rules.Harm), ratio(alone, apart, mostApart, 0.75))
	enough := 1 / rules.Error
	disagreed := fmt.Sprintf("of %d attempts of fraud that one alone would have stopped, the challenger has %d", w.Fraud.Champion+w.Fraud.Challenger, w.Fraud.Challenger)
	newly := fmt.Sprintf("it would newly challenge %d of %d legitimate attempts, and no longer %d", w.Honest.Challenger, honest, w.Honest.Champion)
	switch {
	case w.LessFraud >= enough:
		w.Word, w.Why = Worse, fmt.Sprintf("of %d attempts of fraud old enough that one alone would have stopped, the champion has %d", w.Ripe.Champion+w.Ripe.Challenger, w.Ripe.Champion)
	case w.Harm >= enough:
		w.Word, w.Why = Harmful, newly
	case w.MoreFraud >= enough && w.Harmless >= enough:
		w.Word, w.Why = Better, disagreed+"; "+newly
	case w.Attempts > 0 && w.To.Sub(w.From) > rules.Longest:
		w.Word, w.Why = Alike, fmt.Sprintf("watched for %.0f days: %s; %s", w.To.Sub(w.From).Hours()/24, disagreed, newly)
	default:
		w.Word, w.Why = Wait, disagreed+"; "+newly
	}
}

// moreThanHalf returns the likelihood ratio of a share above one half, any with the
// same weight, against one half, after won wins and lost losses:
//
//	2 * Integral over p from 1/2 to 1 of p^won (1-p)^lost / (1/2)^n dp  =  sum over k <= won of C(n+1,k) / ((n+1) C(n,won))
//
// where n = won+lost. Where the share is one half or less, each win more or less makes
// a supermartingale of it: whoever looks after every disagreement sees 1/e or more with
// a chance of at most e (Ville 1939; for mixtures Robbins 1970, and Johari, Pekelis and
// Walsh 2022 for experiments that are looked at all the time). Only attempts on which
// the two disagree count, as in McNemar's test (1947).
func moreThanHalf(won, lost int) float64 {
	n := won + lost
	sum, term := 0.0, 1/float64(lost+1) // of k = won; each term makes the one before it
	for k := won; k >= 0 && term > sum*1e-17; k-- {
		sum += term
		term *= float64(k) / float64(n+2-k)
	}
	return min(sum, plenty)
}

// plenty is enough evidence for anybody, and finite: JSON has no infinity.
const plenty = 1e300

// ratio returns Wald's likelihood ratio (1945) of a share against another after hits
// of n. With share below against it is evidence that the true one is below against,
// and the other way round; where it is not, 1/e is reached with a chance of at most e,
// whenever one looks.
func ratio(hits, n int, against, share float64) float64 {
	h, m := float64(hits), float64(n-hits)
	return min(math.Exp(h*math.Log(share/against)+m*(math.Log1p(-share)-math.Log1p(-against))), plenty)
}
