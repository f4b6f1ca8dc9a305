// Package rba answers: does the published study of risk-based authentication come
// out again, and what does a model do on the same logins?
//
// The study is Wiefling, Jorgensen, Thunem, Lo Iacono, "Pump Up Password Security!
// Evaluating and Enhancing Risk-Based Authentication on a Real-World Large-Scale
// Online Service", ACM TOPS 2022 (doi 10.1145/3546069); its score is that of
// Freeman et al. (NDSS 2016). [Memory] computes the score from exact counts, by the
// same formula that the feature his.freeman_score has (features.Counts). [Run]
// takes logins in the order of their time, attacks them as the study did, and
// tells how often honest people are challenged where a wanted share of the attacks
// is. [Reader] reads the study's public data set (CC BY 4.0).
package rba

import (
	"time"

	"github.com/waryauth/wary/features"
)

// Login is one line of the study's data, or a simulated login told the same way.
type Login struct {
	At     time.Time
	User   string
	Values [features.FreemanTerms]string // in the order of features.FreemanAddress and so on
	Region string                        // with Country: where the address is; "" or "-" unknown

	Success  bool
	AttackIP bool // the address is on a list of attackers'
	// Takeover names the kind of attacker who made it, "" an honest login or a mere
	// guess. In the study's data every takeover is VeryTargeted.
	Takeover string
}

// VeryTargeted is the study's name for takeovers that happened.
const VeryTargeted = "very targeted"

// Memory holds exact counts of the successes seen.
type Memory struct {
	ids   [features.FreemanTerms]map[string]uint32 // number of a value
	all   [features.FreemanTerms][]uint32          // successes with it
	users map[string]*user
	total int
	// future, unless nil, is what the study's notebook counted: for the count m of a
	// group's first value it takes all logins, those to come too.
	future *Memory
}

// user is what one user's successes had.
type user struct {
	successes int
	seen      [features.FreemanTerms][]counted
}

// counted is a value and how often it came.
type counted struct{ value, n uint32 }

// NewMemory returns a memory that has seen nothing and looks back only.
func NewMemory() *Memory {
	m := &Memory{users: map[string]*user{}}
	for s := range m.ids {
		m.ids[s] = map[string]uint32{}
	}
	return m
}

// Compat returns a memory that peeks as the study's notebook does: whole has
// learned from all logins. It is for comparing with the notebook's own figures;
// causal scores differ by up to a tenth.
func Compat(whole *Memory) *Memory {
	m := NewMemory()
	m.future = whole
	return m
}

// History returns how many successes of a user were learned.
func (m *Memory) History(name string) int {
	if u := m.users[name]; u != nil {
		return u.successes
	}
	return 0
}

// Score returns the score of a login from what was learned before: NaN for a user
// without a success.
func (m *Memory) Score(l *Login) features.Freeman {
	c := features.Counts{Total: float64(m.total), Users: float64(len(m.users))}
	u := m.users[l.User]
	if u != nil {
		c.Mine = float64(u.successes)
	}
	for s, v := range l.Values {
		c.Values[s] = float64(len(m.ids[s]))
		id, known := m.ids[s][v]
		if !known {
			continue
		}
		c.All[s] = float64(m.all[s][id])
		if u != nil {
			c.User[s] = float64(u.count(s, id))
		}
	}
	if m.future != nil {
		c.Peeked = true
		c.Peek = [2]float64{m.future.count(features.FreemanAddress, l), m.future.count(features.FreemanAgent, l)}
	}
	return c.Score()
}

// count returns how many successes have the login's value of a term.
func (m *Memory) count(s int, l *Login) float64 {
	if id, ok := m.ids[s][l.Values[s]]; ok {
		return float64(m.all[s][id])
	}
	return 0
}

func (u *user) count(s int, value uint32) uint32 {
	for _, c := range u.seen[s] {
		if c.value == value {
			return c.n
		}
	}
	return 0
}

// Learn adds a success. It keeps the strings of a login that it has not seen.
func (m *Memory) Learn(l *Login) {
	u := m.users[l.User]
	if u == nil {
		u = &user{}
		m.users[l.User] = u
	}
	u.successes++
	m.total++
	for s, v := range l.Values {
		id, known := m.ids[s][v]
		if !known {
			id = uint32(len(m.all[s]))
			m.ids[s][v] = id
			m.all[s] = append(m.all[s], 0)
		}
		m.all[s][id]++
		u.learn(s, id)
	}
}

func (u *user) learn(s int, value uint32) {
	for i := range u.seen[s] {
		if c := &u.seen[s][i]; c.value == value {
			c.n++
			return
		}
	}
	u.seen[s] = append(u.seen[s], counted{value, 1})
}
