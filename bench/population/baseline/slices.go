package baseline

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/waryauth/wary/bench/population"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/models/train"
)

// part says what a row is for.
type part uint8

const (
	left        part = iota
	training         // trees are grown from it
	stopping         // and ended where the loss on this later slice is smallest
	calibrating      // of the same days, other people
	judging
	parts
)

// names of the parts in the card and in the table.
var names = [parts]string{"left", "training", "stopping", "calibrating", "judging"}

// held is the family that is no part of training.
const held = population.PushFatigue

// splitter sorts the rows of a run into parts. By time: training from the first day,
// when nobody has a history yet, as on a daemon that has just been set up, until stop,
// stopping and calibrating until cut, then judging. By campaign: one that began
// before a slice is in that slice no more. By user, of ten: three are for judging
// alone, and of the others four end training and three calibrate.
type splitter struct {
	stop, cut int64
	began     map[int32]int64 // campaign: its first attempt
}

func newSplitter(o population.Options) *splitter {
	start := o.Start.UnixMilli()
	days := func(n int) int64 { return start + int64(n)*int64(24*time.Hour/time.Millisecond) }
	return &splitter{stop: days(o.Days * 5 / 9), cut: days(o.Days * 2 / 3), began: map[int32]int64{}}
}

func (s *splitter) part(r *population.Row) part {
	began := r.At
	if r.Campaign > 0 {
		if first, ok := s.began[r.Campaign]; ok {
			began = first
		} else {
			s.began[r.Campaign] = r.At
		}
	}
	group := group(r.User)
	if r.User < 0 { // nobody's name goes with its campaign
		group = 3 + r.Campaign%7
	}
	switch {
	case group < 3:
		if r.At >= s.cut && began >= s.cut {
			return judging
		}
		return left
	case r.Family == held || r.At >= s.cut:
		return left
	case r.At < s.stop:
		return training
	case began < s.stop:
		return left
	case group < 7:
		return stopping
	}
	return calibrating
}

// group spreads users evenly over 0 to 9.
func group(user int32) int32 {
	return int32(uint32(user) * 2654435761 >> 8 % 10)
}

// sample is a row that was kept, and how many it stands for.
type sample struct {
	population.Row
	weight  float64
	setting int
}

// Weights of fraud in training, against 1 of an honest row: the first success of a
// campaign on an account is what matters, and few; what follows looks like the account
// by then; failed guesses are many, easily told and give nobody access.
const (
	takeoverWeight = 5
	laterWeight    = 0.3
	failedWeight   = 0.1
)

// label says what the steps are to learn or to judge of a sample, and its weight.
// Trees learn all fraud, weighted so; calibrating and judging are about takeovers
// alone, each row weighing as many as it stands for.
func (s *sample) label(p part) (y, w float32) {
	switch {
	case p >= calibrating && s.Takeover:
		return 1, float32(s.weight)
	case p >= calibrating:
		return 0, float32(s.weight)
	case s.Entry:
		return 1, takeoverWeight
	case s.Takeover:
		return 1, laterWeight
	case s.Fraud:
		return 1, failedWeight
	}
	return 0, 1
}

// rows are those that were kept, by part: matrices as LightGBM reads them for the
// first two, and what was simulated for the others.
type rows struct {
	only   []part       // unless empty, no other part is kept
	table  *train.Table // unless nil, gets every row
	forget bool         // keep none: the table is all that is wanted

	grown                [calibrating]train.Data
	calibrating, judging []sample
	slices               [parts]models.Slice
	weights              [parts]struct{ fraud, all float64 }
	loot                 map[theft]float32 // what was then stolen, of the judged
}

// theft is a campaign's way into an account of a setting.
type theft struct {
	setting        int
	campaign, user int32
}

// add keeps a sample and writes it into the table. What calibrates and judges is
// told and written only where Row.Judged says that it is judged by.
func (k *rows) add(p part, s *sample) error {
	if len(k.only) > 0 && !slices.Contains(k.only, p) {
		return nil
	}
	if p == judging && s.Takeover {
		k.steal(s)
	}
	y, w := s.label(p)
	if p < calibrating || s.Judged() {
		k.count(p, s.At, y, w)
		if err := k.write(p, s, y, w); err != nil {
			return err
		}
	}
	switch {
	case k.forget:
	case p == calibrating:
		k.calibrating = append(k.calibrating, *s)
	case p == judging:
		k.judging = append(k.judging, *s)
	default:
		d := &k.grown[p]
		d.Columns = features.Width
		d.X, d.Y, d.Weight = append(d.X, s.Vector[:]...), append(d.Y, y), append(d.Weight, w)
	}
	return nil
}

// steal adds what a takeover's payment moves to what its campaign has from the
// account.
func (k *rows) steal(s *sample) {
	if k.loot == nil {
		k.loot = map[theft]float32{}
	}
	if amount := s.Vector[features.PayAmount]; amount > 0 { // not where it is missing
		k.loot[s.theft()] += amount
	}
}

func (s *sample) theft() theft { return theft{s.setting, s.Campaign, s.User} }

func (k *rows) write(p part, s *sample, y, w float32) error {
	if k.table == nil {
		return nil
	}
	return k.table.Append(&train.Row{X: s.Vector[:], Label: y, Weight: w, Slice: names[p], At: time.UnixMilli(s.At)})
}

func (k *rows) count(p part, at int64, y, w float32) {
	s, t := &k.slices[p], time.UnixMilli(at).UTC()
	if s.Rows == 0 || t.Before(s.From) {
		s.From = t
	}
	if t.After(s.To) {
		s.To = t
	}
	s.Name = names[p]
	s.Rows++
	s.Fraud += int(y)
	k.weights[p].all += float64(w)
	k.weights[p].fraud += float64(y * w)
	s.Share = k.weights[p].fraud / k.weights[p].all
}

// told returns the slices for the card.
func (k *rows) told() (out []models.Slice) {
	for p := training; p < parts; p++ {
		if k.slices[p].Rows > 0 {
			out = append(out, k.slices[p])
		}
	}
	return out
}

// print tells what was kept.
func (k *rows) print(w io.Writer) {
	for _, s := range k.told() {
		fmt.Fprintf(w, "%-12s %8d rows, %6d of fraud (%.4f by weight), %s to %s\n", s.Name, s.Rows, s.Fraud, s.Share,
			s.From.Format(time.DateOnly), s.To.Format(time.DateOnly))
	}
}
