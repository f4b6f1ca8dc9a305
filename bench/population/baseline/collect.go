package baseline

import (
	"math/rand/v2"
	"time"

	"github.com/waryauth/wary/bench/population"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/signals"
)

// setting is one simulated deployment: how large it is, whom it serves, what it
// reports and which geo files it has. The baseline must serve them all.
type setting struct {
	name    string
	users   int
	days    int
	home    string
	reports population.Reports
	missing signals.Missing
}

const (
	usual = population.ReportDevice | population.ReportClock | population.ReportLanguage | population.ReportSession |
		population.ReportCredential | population.ReportClient | population.ReportKeys | population.ReportConsent
	plain = population.ReportLanguage | population.ReportClient
	noGeo = signals.MissingPlace | signals.MissingNetwork | signals.MissingAnonymity
)

// settings are the deployments trained on. The first is the one judged.
var settings = [...]setting{
	{"everything reported, all files", 12_000, 75, "", population.ReportAll, 0},
	{"one country, usual reports", 12_000, 75, "GB", usual, signals.MissingAnonymity},
	{"usual reports, no anonymizer file", 8_000, 75, "", usual &^ population.ReportKeys, signals.MissingAnonymity},
	{"address and browser only", 8_000, 75, "DE", plain, signals.MissingAnonymity},
	{"no geo files", 8_000, 75, "", population.ReportAll, noGeo},
	{"small", 800, 75, "FR", usual, signals.MissingAnonymity},
	{"tiny", 60, 150, "", usual | population.ReportTelemetry, signals.MissingAnonymity},
}

// real is judged only: the first two files that everybody has, and the addresses
// that they know. No geo file enters training.
var real = setting{"real address space, city and ASN files", 12_000, 75, "GB", usual, signals.MissingAnonymity}

// part says what a row is for.
type part uint8

const (
	left part = iota
	training
	validation // early stopping and calibration
	judging
	parts
)

// held is the family that is no part of training.
const held = population.PushFatigue

// warmUp is how long nothing is kept: nobody has a history yet.
const warmUp = 7

// splitter sorts the rows of a run into parts: by time, so that training is
// before the cut and judging after it; by user, since of ten a user is in
// judging always (3), in validation always (1) or never in either; and by
// campaign, since judging has only those that began after the cut.
type splitter struct {
	start, cut int64
	began      map[int32]bool // campaigns seen before the cut
}

func newSplitter(o population.Options) *splitter {
	start := o.Start.UnixMilli()
	days := func(n int) int64 { return start + int64(n)*int64(24*time.Hour/time.Millisecond) }
	return &splitter{start: days(warmUp), cut: days(o.Days * 2 / 3), began: map[int32]bool{}}
}

func (s *splitter) part(r *population.Row) part {
	if r.At < s.cut {
		if r.Campaign > 0 {
			s.began[r.Campaign] = true
		}
	} else if s.began[r.Campaign] {
		return left
	}
	group := group(r.User)
	if r.User < 0 { // nobody's name goes with its campaign
		group = 3 + r.Campaign%7
	}
	switch {
	case r.At < s.start:
		return left
	case r.At >= s.cut && group < 3:
		return judging
	case r.At >= s.cut || group < 3 || r.Family == held:
		return left
	case group == 3:
		return validation
	}
	return training
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

// shares kept of honest rows and of failed guesses, by part.
var (
	honestKept = [parts]float64{training: 0.12, validation: 0.25, judging: 0.3}
	failedKept = [parts]float64{training: 0.15, validation: 0.3, judging: 0.05}
)

// collect runs a setting and keeps its rows by part.
func collect(c setting, number int, seed uint64, world *population.World, scale float64) (kept [parts][]sample, o population.Options) {
	sim := population.New(population.Options{
		Seed: seed + uint64(number)*1000, Users: max(int(float64(c.users)*scale), 50), Days: c.days, World: world, Home: c.home, Reports: c.reports,
		Campaigns: campaigns(c),
	})
	o = sim.Options()
	draw := rand.New(rand.NewPCG(seed, uint64(number)))
	split := newSplitter(o)
	for row := range population.Rows(sim, c.missing) {
		p := split.part(row)
		share := 1.0
		if !row.Fraud {
			share = honestKept[p]
		} else if !row.Takeover {
			share = failedKept[p]
		}
		u, pending := draw.Float64(), draw.Float64() < 0.15
		if p == left || u >= share {
			continue
		}
		s := sample{*row, 1 / share, number}
		if pending && p == training { // asked before the check
			hide(&s.Vector)
		}
		kept[p] = append(kept[p], s)
	}
	return kept, o
}

// hide takes out what an attempt scored before its check cannot tell.
func hide(v *features.Vector) {
	var empty features.Vector
	empty.Reset()
	for _, i := range [...]int{features.TokResultFailed, features.VelUserFailThenSuccess} {
		v[i] = empty[i]
	}
}

// campaigns keeps a small deployment from having none.
func campaigns(c setting) *[population.FamilyCount]float64 {
	all := population.DefaultCampaigns
	if c.users < 2000 {
		for f := range all {
			all[f] *= min(2000/float64(c.users), 10)
		}
	}
	return &all
}
