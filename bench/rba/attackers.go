package rba

import (
	"math/rand/v2"
	"strings"

	"github.com/waryauth/wary/features"
)

// Attackers that the study makes up, in the order of their care. The fourth,
// VeryTargeted, is takeovers that happened.
const (
	Naive    = "naive"    // attack addresses of the whole world, popular user agents
	VPN      = "VPN"      // the victim's country, popular user agents
	Targeted = "targeted" // the victim's region, or network where that is unknown; browser and system of the victim's kind
)

// pool is a uniform sample of what came past, of fixed size (Vitter's algorithm R),
// so that what is popular is drawn as often as it is used.
type pool struct {
	kept []Login
	seen int
}

const poolSize = 512

func (p *pool) add(draw *rand.Rand, l *Login) {
	p.seen++
	if len(p.kept) < poolSize {
		p.kept = append(p.kept, *l)
	} else if i := draw.IntN(p.seen); i < poolSize {
		p.kept[i] = *l
	}
}

// other draws a login of another user, or nil where eight draws find none.
func (p *pool) other(draw *rand.Rand, user string) *Login {
	if p == nil || len(p.kept) == 0 {
		return nil
	}
	for range 8 {
		if l := &p.kept[draw.IntN(len(p.kept))]; l.User != user {
			return l
		}
	}
	return nil
}

// arsenal is what attackers draw from: only what came before.
type arsenal struct {
	draw    *rand.Rand
	attacks pool // from addresses of attackers
	all     pool
	country map[string]*pool
	region  map[string]*pool
	network map[string]*pool
	kind    map[string]*pool // of browser and system
}

func newArsenal(seed uint64) *arsenal {
	return &arsenal{
		draw:    rand.New(rand.NewPCG(seed, 0x726261)),
		country: map[string]*pool{}, region: map[string]*pool{}, network: map[string]*pool{}, kind: map[string]*pool{},
	}
}

// see adds a login to what can be drawn: successes, and attackers' addresses.
func (a *arsenal) see(l *Login) {
	if l.AttackIP {
		a.attacks.add(a.draw, l)
	}
	if !l.Success || l.Takeover != "" {
		return
	}
	a.all.add(a.draw, l)
	a.within(a.country, l.Values[features.FreemanCountry], l)
	a.within(a.network, l.Values[features.FreemanASN], l)
	a.within(a.kind, kind(l), l)
	if key := region(l); key != "" {
		a.within(a.region, key, l)
	}
}

func (a *arsenal) within(pools map[string]*pool, key string, l *Login) {
	p := pools[key]
	if p == nil {
		p = &pool{}
		pools[key] = p
	}
	p.add(a.draw, l)
}

// region names a login's region, or "" where it is unknown.
func region(l *Login) string {
	if l.Region == "" || l.Region == "-" {
		return ""
	}
	return l.Values[features.FreemanCountry] + "/" + l.Region
}

// kind is the browser and the system without their versions.
func kind(l *Login) string {
	return unversioned(l.Values[features.FreemanBrowser]) + "/" + unversioned(l.Values[features.FreemanOS])
}

// unversioned cuts "Chrome Mobile 46.0.2490" to "Chrome Mobile".
func unversioned(s string) string {
	words := strings.Fields(s)
	for len(words) > 1 && words[len(words)-1][0] >= '0' && words[len(words)-1][0] <= '9' {
		words = words[:len(words)-1]
	}
	return strings.Join(words, " ")
}

// attack makes an attempt of an attacker on the user of a login. It reports false
// where nothing has come yet that it could be made of.
func (a *arsenal) attack(attacker string, victim *Login) (Login, bool) {
	agents := &a.all
	var from *Login
	switch attacker {
	case Naive:
		from = a.attacks.other(a.draw, victim.User)
	case VPN:
		from = a.country[victim.Values[features.FreemanCountry]].other(a.draw, victim.User)
	case Targeted:
		places := a.region[region(victim)]
		if region(victim) == "" {
			places = a.network[victim.Values[features.FreemanASN]]
		}
		from = places.other(a.draw, victim.User)
		agents = a.kind[kind(victim)]
	}
	with := agents.other(a.draw, victim.User)
	if from == nil || with == nil {
		return Login{}, false
	}
	out := Login{At: victim.At, User: victim.User, Takeover: attacker, Region: from.Region, Success: true}
	copy(out.Values[:features.FreemanAgent], from.Values[:features.FreemanAgent])
	copy(out.Values[features.FreemanAgent:], with.Values[features.FreemanAgent:])
	return out, true
}
