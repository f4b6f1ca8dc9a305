package scopes

import (
	"maps"
	"slices"
	"time"
)

// Document is the section narrowing as it is written. Maps without another key are by
// level of risk; 0 sets no limit.
type Document struct {
	LeastUse map[uint8]float64             `yaml:"least_use"` // by sensitivity
	Risk     map[string]float64            `yaml:"risk"`
	Strength float64                       `yaml:"strength"`       // grants
	HalfLife int                           `yaml:"half_life_days"` // 0: 90
	Keep     []string                      `yaml:"keep"`
	History  map[string]int                `yaml:"history_days"`
	Validity map[string]int                `yaml:"validity_days"`
	Accounts map[string]int                `yaml:"accounts"`
	Payees   map[string]int                `yaml:"payees"`
	Amounts  map[string]map[string]float64 `yaml:"amounts"` // by currency, then level
}

// Table is what a policy says of sensitivity elsewhere. A part of a detail that has no
// row of its own has its type's.
type Table struct {
	Scopes   map[string]uint8
	Details  map[string]uint8
	Ceilings [Levels]uint8
}

// Rules are the section narrowing, checked. They are immutable.
type Rules struct {
	on       bool
	scopes   map[string]uint8
	details  map[string]uint8
	ceilings [Levels]uint8

	least    [MaxSensitivity + 1]float64
	risk     [Levels]float64
	strength float64
	halfLife time.Duration
	keep     []string
	history  [Levels]int
	validity [Levels]int
	accounts [Levels]int
	payees   [Levels]int
	amounts  map[string][Levels]float64
}

// levelNames are the engine's.
var levelNames = [Levels]string{"low", "medium", "high"}

// Limits of the section.
const (
	defaultStrength = 8
	defaultHalfLife = 90 // days
	maxStrength     = 1000
	maxDays         = 3650
	maxKeep         = 64
)

// Parse returns the rules of a document; nil is a policy without the section, under
// which nothing is narrowed here. fail is told of every defect with its path, such as
// "narrowing.risk.high".
func Parse(d *Document, t Table, fail func(path, format string, args ...any)) *Rules {
	r := &Rules{scopes: t.Scopes, details: t.Details, ceilings: t.Ceilings, strength: defaultStrength, halfLife: defaultHalfLife * 24 * time.Hour}
	if d == nil {
		return r
	}
	r.on = true
	p := reader{fail: fail}
	p.leastUse(r, d.LeastUse)
	r.risk = [Levels]float64{1, 1, 1}
	if len(d.Risk) > 0 {
		r.risk = rising(p, "narrowing.risk", d.Risk)
	}
	if d.Strength != 0 {
		r.strength = d.Strength
	}
	if !(r.strength >= 1 && r.strength <= maxStrength) {
		fail("narrowing.strength", "is %v, must be 1 to %d grants", d.Strength, maxStrength)
		r.strength = defaultStrength
	}
	if d.HalfLife != 0 {
		r.halfLife = time.Duration(d.HalfLife) * 24 * time.Hour
	}
	if d.HalfLife < 0 || d.HalfLife > maxDays {
		fail("narrowing.half_life_days", "is %d, must be 1 to %d", d.HalfLife, maxDays)
		r.halfLife = defaultHalfLife * 24 * time.Hour
	}
	if len(d.Keep) > maxKeep || slices.Contains(d.Keep, "") {
		fail("narrowing.keep", "has an empty name or more than %d", maxKeep)
	}
	r.keep = slices.Clone(d.Keep)
	r.history = falling(p, "narrowing.history_days", d.History, maxDays)
	r.validity = falling(p, "narrowing.validity_days", d.Validity, maxDays)
	r.accounts = falling(p, "narrowing.accounts", d.Accounts, 1000)
	r.payees = falling(p, "narrowing.payees", d.Payees, 1000)
	r.amounts = map[string][Levels]float64{}
	for _, currency := range slices.Sorted(maps.Keys(d.Amounts)) {
		path := "narrowing.amounts." + currency
		if currency != anyCurrency && !isCurrency(currency) {
			fail(path, "is no ISO 4217 code; write one, or %s for those not named", anyCurrency)
		}
		r.amounts[currency] = falling(p, path, d.Amounts[currency], 1e12)
	}
	return r
}

// anyCurrency is the row of amounts for currencies that have none of their own.
const anyCurrency = "other"

func isCurrency(s string) bool {
	return len(s) == 3 && !slices.ContainsFunc([]byte(s), func(c byte) bool { return c < 'A' || c > 'Z' })
}

// sensitivityOf returns the sensitivity of a scope.
func (r *Rules) sensitivityOf(scope string) uint8 { return row(r.scopes, scope) }

// sensitivityIn returns the sensitivity of a part of a detail, "" being all of it.
func (r *Rules) sensitivityIn(kind, part string) uint8 {
	if s, ok := r.details[ItemOf(kind, part)]; ok {
		return s
	}
	return row(r.details, kind)
}

func row(m map[string]uint8, name string) uint8 {
	if s, ok := m[name]; ok {
		return s
	}
	return m["unknown"]
}

// limit returns the most money in a currency that a level allows, 0 being any.
func (r *Rules) limit(currency string, level int) float64 {
	if row, ok := r.amounts[currency]; ok {
		return row[level]
	}
	return r.amounts[anyCurrency][level]
}

// reader reads the document and tells defects.
type reader struct {
	fail func(path, format string, args ...any)
}

// leastUse fills the least use by sensitivity. A sensitivity without a row has that of
// the one below it.
func (p reader) leastUse(r *Rules, rows map[uint8]float64) {
	for s := range rows {
		if s > MaxSensitivity {
			p.fail("narrowing.least_use", "has a row %d: sensitivities are 0 to %d", s, MaxSensitivity)
		}
	}
	for s := range r.least {
		if s > 0 {
			r.least[s] = r.least[s-1]
		}
		v, ok := rows[uint8(s)]
		switch {
		case !ok:
		case !(v >= 0 && v <= 1):
			p.fail("narrowing.least_use", "is %v for sensitivity %d, must be 0 to 1", v, s)
		case v < r.least[s]:
			p.fail("narrowing.least_use", "is %v for sensitivity %d, below that of a lower one: what is more sensitive must not need less use", v, s)
		default:
			r.least[s] = v
		}
	}
}

// checkLevels refuses rows that are no level's, and a section that lacks one.
func checkLevels[V any](p reader, path string, rows map[string]V) {
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		if !slices.Contains(levelNames[:], name) {
			p.fail(path+"."+name, "is no level; write low, medium and high")
		}
	}
	for _, name := range levelNames {
		if _, ok := rows[name]; !ok {
			p.fail(path, "needs a row %q", name)
		}
	}
}

// rising reads what more risk multiplies the least use by.
func rising(p reader, path string, rows map[string]float64) (out [Levels]float64) {
	checkLevels(p, path, rows)
	for l, name := range levelNames {
		out[l] = rows[name]
		if !(out[l] >= 1 && out[l] <= 1000) {
			p.fail(path+"."+name, "is %v, must be 1 to 1000", out[l])
		}
		if l > 0 && out[l] < out[l-1] {
			p.fail(path+"."+name, "is below that of %s: more risk must not need less use", levelNames[l-1])
		}
	}
	return out
}

// falling reads limits; 0 or a section left out is none.
func falling[N int | float64](p reader, path string, rows map[string]N, most N) (out [Levels]N) {
	if len(rows) == 0 {
		return out
	}
	checkLevels(p, path, rows)
	for l, name := range levelNames {
		out[l] = rows[name]
		if !(out[l] >= 0 && out[l] <= most) {
			p.fail(path+"."+name, "is %v, must be 0 (no limit) to %v", out[l], most)
		}
		if l > 0 && out[l-1] > 0 && (out[l] == 0 || out[l] > out[l-1]) {
			p.fail(path+"."+name, "is above that of %s: more risk must not allow more", levelNames[l-1])
		}
	}
	return out
}
