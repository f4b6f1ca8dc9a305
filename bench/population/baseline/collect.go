package baseline

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/waryauth/wary/bench/population"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/signals"
	"github.com/waryauth/wary/signals/geoip"
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
	{"small", 800, 75, "FR", usual | population.ReportOwn, signals.MissingAnonymity},
	{"tiny", 60, 150, "", usual | population.ReportTelemetry | population.ReportOwn, signals.MissingAnonymity},
}

// real is judged only: the first two files that everybody has, and the addresses
// that they know. No geo file enters training.
var real = setting{"real address space, city and ASN files", 12_000, 75, "GB", usual, signals.MissingAnonymity}

// shares kept of honest rows of people and of servers, and of failed guesses, by part.
// What ends training is drawn as training is, so that its loss is of the same mixture.
// Servers' calls are more than half of all, and much alike.
var (
	honestKept = [parts]float64{training: 0.3, stopping: 0.3, calibrating: 0.6, judging: 0.3}
	serverKept = [parts]float64{training: 0.03, stopping: 0.03, calibrating: 0.6, judging: 0.3}
	failedKept = [parts]float64{training: 0.03, stopping: 0.03, calibrating: 0.05, judging: 0.05}
)

// populations are how many times every setting is simulated to grow a model, each time
// with a world, people and attackers of its own. The first alone is judged by.
const populations = 2

// apart is between the seeds of two populations: above those of all settings.
const apart = 500_000

// collect runs every setting, of so many populations.
func (c *Recipe) collect(ctx context.Context, k *rows, populations int) error {
	total := 0
	for i := range settings {
		total += populations * c.users(settings[i]) * settings[i].days
	}
	told := func(days int) { c.progress(Simulating, days, total) }
	for n := range populations {
		seed := c.Seed + uint64(n)*apart
		world := population.SyntheticWorld(seed)
		if n > 0 {
			k.only = []part{training, stopping, calibrating}
		}
		for i := range settings {
			began := time.Now()
			if err := c.run(ctx, settings[i], seed, i, world, k, told); err != nil {
				return err
			}
			c.progress("", 0, 0)
			slog.Info("simulated", "setting", settings[i].name, "training", k.slices[training].Rows, "stopping", k.slices[stopping].Rows,
				"calibrating", k.slices[calibrating].Rows, "judging", k.slices[judging].Rows, "took", time.Since(began).Round(time.Second))
		}
	}
	return nil
}

// collectReal adds the rows of the setting over real address space, where its
// files are.
func (c *Recipe) collectReal(ctx context.Context, k *rows) error {
	files := geoip.Files{City: filepath.Join(c.Geo, "city.mmdb"), ASN: filepath.Join(c.Geo, "asn.mmdb")}
	if _, err := os.Stat(files.City); err != nil {
		slog.Warn("not judged on real address space", "because", err)
		return nil
	}
	truth := filepath.Join(c.Geo, "truth.mmdb")
	if _, err := os.Stat(truth); err != nil {
		slog.Warn("where people are is drawn, not another database's", "because", err)
		truth = ""
	}
	world, err := population.OpenWorld(files, truth, c.Seed)
	if err != nil {
		return err
	}
	only := rows{only: []part{judging}, loot: k.loot}
	told := func(days int) { c.progress(SimulatingReal, days, c.users(real)*real.days) }
	if err := c.run(ctx, real, c.Seed, len(settings), world, &only, told); err != nil {
		return err
	}
	c.progress("", 0, 0)
	slog.Info("simulated", "setting", real.name, "judging", only.slices[judging].Rows)
	k.judging, k.loot = append(k.judging, only.judging...), only.loot
	return nil
}

// users returns how many a setting has.
func (c *Recipe) users(s setting) int { return max(int(float64(s.users)*c.Scale), 50) }

// run simulates a setting and keeps a share of its rows. told is called once a
// simulated day with the users of it.
func (c *Recipe) run(ctx context.Context, s setting, seed uint64, number int, world *population.World, k *rows, told func(days int)) error {
	sim := population.New(population.Options{
		Seed: seed + uint64(number)*1000, Users: c.users(s), Days: s.days, World: world, Home: s.home, Reports: s.reports, Campaigns: campaigns(s),
	})
	draw := rand.New(rand.NewPCG(seed, uint64(number)))
	o := sim.Options()
	split := newSplitter(o)
	const day = int64(24 * time.Hour / time.Millisecond)
	tomorrow := o.Start.UnixMilli()
	for row := range population.Rows(sim, s.missing) {
		if row.At >= tomorrow {
			if err := ctx.Err(); err != nil {
				return err
			}
			told(o.Users)
			tomorrow += day
		}
		p := split.part(row)
		share := 1.0
		switch {
		case !row.Fraud && row.Present:
			share = honestKept[p]
		case !row.Fraud:
			share = serverKept[p]
		case !row.Takeover:
			share = failedKept[p]
		}
		u, pending := draw.Float64(), draw.Float64() < 0.15
		if p == left || u >= share {
			continue
		}
		kept := sample{*row, 1 / share, number}
		if pending && p < calibrating { // asked before the check
			hide(&kept.Vector)
		}
		if err := k.add(p, &kept); err != nil {
			return err
		}
	}
	return nil
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
