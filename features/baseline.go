package features

import "math"

func extractBaseline(v *Vector, x *input) {
	if !x.subject {
		return
	}
	u := &x.p.User
	is := u.lookAt(&x.now)
	v[HisNLogins] = float32(u.Successes)
	v[HisLearningMode] = one(u.Learning())
	v[HisPastStepUpPassRate] = share(float32(u.StepUpsPassed), float32(u.StepUpsPassed)+float32(u.StepUpsFailed))
	v[HisPastStepUps30d] = is.stepUpsMonth()
	v[HisPastDenies30d] = is.deniesMonth()
	v[HisKnownCountries] = float32(len(u.of(ofCountry)))
	v[HisKnownDevices] = float32(len(u.of(ofDevice)))
	v[HisKnownNetworks] = float32(len(u.of(ofASN)))
	if u.gap.n > 0 {
		v[HisTypicalGapDays] = float32(math.Exp(float64(u.gap.mean))) / (msPerDay / 1000)
	}
	if x.history {
		baselineTime(v, x)
		baselineFreeman(v, x)
	}
}

// Learning reports whether too little is known of the user to compare with:
// fewer than 5 successes, or on fewer than 2 days.
func (u *User) Learning() bool { return u.Successes < 5 || u.SuccessDays < 2 }

func baselineTime(v *Vector, x *input) {
	u := &x.p.User
	v[HisHistoryDays] = x.daysSince(millis(u.FirstSuccess))
	v[HisDaysSinceLastLogin] = x.daysSince(u.LastSuccess)
	local := x.t.local(&x.now)
	v[HisHourOfDayLikelihood] = likelihood(u.hours[:], hourOf(local), 0.5)
	v[HisDayOfWeekLikelihood] = likelihood(u.weekdays[:], weekdayOf(local), 1)
}

// likelihood returns how likely bin i of a circular histogram is, against all
// bins alike. Of each value, centre falls into its own bin and the rest into its
// two neighbours; one imagined value is spread over all bins.
func likelihood(bins []uint8, i int, centre float32) float32 {
	n := len(bins)
	total := float32(0)
	for _, b := range bins {
		total += float32(b)
	}
	sides := float32(bins[(i+n-1)%n]) + float32(bins[(i+1)%n])
	here := centre*float32(bins[i]) + (1-centre)/2*sides
	return (here*float32(n) + 1) / (total + 1)
}

func baselineFreeman(v *Vector, x *input) {
	u, t, all := &x.p.User, x.t, &x.p.Totals
	c := Counts{
		Mine: float64(u.Successes), Total: float64(all.Successes), Users: float64(all.Users),
		User: [FreemanTerms]float64{
			count(u.of(ofAddress), t.Address), count(u.of(ofASN), t.ASN), count(u.of(ofCountry), t.Country),
			count(u.of(ofAgent), t.Agent), count(u.of(ofBrowser), t.Browser), count(u.of(ofOS), t.OS), count(u.of(ofClass), t.Class),
		},
		All: [FreemanTerms]float64{
			float64(x.p.Address.Successes), float64(x.p.ASN.Successes), float64(x.p.Country),
			float64(x.p.Agent), float64(x.p.Browser), float64(x.p.OS), float64(x.p.Class),
		},
		Values: [FreemanTerms]float64{
			float64(all.Addresses), float64(all.ASNs), float64(all.Countries),
			float64(all.Agents), float64(all.Browsers), float64(all.Systems), float64(all.Classes),
		},
	}
	f := c.Score()
	address, agent := float32(math.Log(f.Address)), float32(math.Log(f.Agent))
	v[HisFreemanAddress], v[HisFreemanAgent] = address, agent
	v[HisFreemanNoPrior] = address + agent
	v[HisFreemanScore] = float32(math.Log(f.Score))
}

func count(slots []slot, k Key) float64 {
	if s := seen(slots, short(k)); s != nil {
		return float64(s.count)
	}
	return 0
}
