package baseline

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/waryauth/wary/bench/population"
	"github.com/waryauth/wary/bench/rba"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/signals"
)

// studied is the deployment of the published study: one country, long enough for
// many to log in 40 times. Neither its people, its clients, its campaigns nor its
// days are in any other simulation.
var studied = setting{"study: one country, usual reports", 6000, 120, "GB", usual, signals.MissingAnonymity}

// studySeed is added to the seed of the simulations.
const studySeed = 1_000_003

// Study repeats the published experiment, for the RBA score and for a model.
func (c *Recipe) Study(ctx context.Context, m *models.Model) (*rba.Study, error) {
	s := studied
	sim := population.New(population.Options{
		Seed: c.Seed + studySeed, Users: c.users(s), Days: s.days, World: population.SyntheticWorld(c.Seed + studySeed), Home: s.home, Reports: s.reports,
		Campaigns: campaigns(s), Start: time.Date(2027, 1, 4, 0, 0, 0, 0, time.UTC),
	})
	o := sim.Options()
	run := rba.NewRun(o.Seed)
	seen := population.NewObserver(o.World.Locator, s.missing, o.Users)
	var p models.Prediction
	tomorrow := o.Start.AddDate(0, 0, 1)
	for l := range sim.Attempts() {
		if !l.Attempt.Time.Before(tomorrow) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			c.progress(Studying, o.Users, o.Users*s.days)
			tomorrow = tomorrow.AddDate(0, 0, 1)
		}
		row := seen.See(&l)
		login, ok := login(&l, seen.Observation())
		if !ok {
			continue
		}
		other := math.NaN()
		if row.Success {
			m.Predict(&p, &row.Vector)
			other = p.LogOdds
		}
		run.See(&login, other)
	}
	c.progress("", 0, 0)
	out := run.Result()
	out.Source = fmt.Sprintf("%d simulated people over %d days, seed %d", o.Users, s.days, o.Seed)
	return out, nil
}

// login tells an attempt as the study's data would, if it is one to log in: by the
// account's owner, or by whoever passes for them. Attacks in which the owner logs in
// in person are none that the study knows.
func login(l *population.Labelled, o *signals.Observation) (rba.Login, bool) {
	a := &l.Attempt
	if l.Unattended || a.Action != signals.Login && a.Action != signals.Authorize {
		return rba.Login{}, false
	}
	out := rba.Login{
		At: a.Time, User: strconv.Itoa(l.UserIndex), Region: strconv.FormatUint(uint64(o.Place.Region), 10), Success: a.Authentication.Result == signals.Success,
	}
	switch l.Family {
	case population.Ordinary:
	case population.Stuffing, population.Spraying:
		out.AttackIP = true
		fallthrough
	case population.Targeted, population.SIMSwap, population.PushFatigue:
		out.Takeover = "takeover: " + l.Family.String()
	case population.VeryTargeted:
		out.Takeover = rba.VeryTargeted
	default:
		return rba.Login{}, false
	}
	out.Values = [features.FreemanTerms]string{
		a.Network.IP, strconv.FormatUint(uint64(o.Network.ASN), 10), o.Place.Country.String(),
		a.Headers.UserAgent, o.Agent.Browser + " " + o.Agent.BrowserVersion, o.Agent.OS + " " + o.Agent.OSVersion, strconv.Itoa(int(o.Agent.Class)),
	}
	return out, true
}
