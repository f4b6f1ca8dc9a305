package features

import "math"

// Groups of the Freeman score, and their sub-features. The first of each is the
// group's top.
const (
	FreemanAddress = iota // address, autonomous system, country
	FreemanASN
	FreemanCountry
	FreemanAgent // user agent, browser, operating system, type of device
	FreemanBrowser
	FreemanOS
	FreemanClass
	FreemanTerms int = iota
)

// freemanWeights are those of the published study.
var freemanWeights = [FreemanTerms]float64{
	0.6, 0.3, 0.1,
	0.5386653840551359, 0.2680451498625666, 0.18818295100109536, 0.0051065150812021525,
}

// Counts are what the Freeman score of a login is made of: successes before it.
// User and All count those with the login's value of each term; Values counts
// the distinct values of each term so far.
type Counts struct {
	User, All, Values [FreemanTerms]float64
	Mine              float64 // n_u, of the user
	Total             float64 // N, of all users
	Users             float64 // M, users seen
	// Peek holds m of each group's top where it is not All: the study's own
	// notebook counted future logins too.
	Peek   [2]float64
	Peeked bool
}

// Freeman is the score of Freeman et al. (NDSS 2016) as Wiefling et al. computed
// it (ACM TOPS 2022, doi 10.1145/3546069): the likelihood of the login's values
// for everybody over that for the user, and its parts.
type Freeman struct {
	Address, Agent float64 // the factors of the two groups
	Score          float64 // both times (1/M)/(n_u/N)
}

// Bare returns the score without the last factor, which makes heavy users look
// safer.
func (f Freeman) Bare() float64 { return f.Address * f.Agent }

// Score computes the score. A user without a success, or a world without one,
// has none: NaN.
func (c *Counts) Score() Freeman {
	if c.Mine <= 0 || c.Total <= 0 || c.Users <= 0 {
		return Freeman{math.NaN(), math.NaN(), math.NaN()}
	}
	f := Freeman{Address: c.group(FreemanAddress, FreemanAgent, 0), Agent: c.group(FreemanAgent, FreemanTerms, 1)}
	f.Score = f.Address * f.Agent * (1 / c.Users) / (c.Mine / c.Total)
	return f
}

// group returns G/L of the terms from top to end.
func (c *Counts) group(top, end, number int) float64 {
	local, unseen, rest := freemanWeights[top]*(c.User[top]/c.Mine), 1.0, 0.0
	for s := top + 1; s < end; s++ {
		local += freemanWeights[s] * (c.User[s] / c.Mine)
		unseen += c.Values[s]
		rest += freemanWeights[s] * (c.All[s] / c.Total)
	}
	m := c.All[top]
	if c.Peeked {
		m = c.Peek[number]
	}
	size := float64(end - top)
	attack := 1 / size
	if m > 0 {
		attack = m / (m + size)
	}
	global := freemanWeights[top]*attack*(max(c.All[top], 1)/(c.Total+unseen)) + rest
	if local == 0 {
		local = global / 4
	}
	return global / local
}
