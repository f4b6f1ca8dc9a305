// Package lists answers: who is on which list?
//
// A [List] names people, clients and places that a policy treats alike, with the
// verdict on them. [Parse] checks lists as they are written, [Bind] makes them ready to
// be asked on the score path, where identifiers are keyed hashes, and [Bound.Hits] asks.
package lists

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/signals"
)

// Limits of a policy's lists: a fact names one in a byte, and holds its name.
const (
	MaxLists = 255
	maxName  = 1024 // bytes
)

// List names people, clients and places that are treated alike.
type List struct {
	Name      string
	Verdict   features.Outcome
	subjects  []string
	clients   []string
	countries []signals.Country
	networks  signals.Networks
}

// Document is a list as it is written.
type Document struct {
	Name      string   `yaml:"name"`
	Verdict   string   `yaml:"verdict"`
	Subjects  []string `yaml:"subjects"`
	Clients   []string `yaml:"clients"`
	Countries []string `yaml:"countries"` // ISO 3166-1 alpha-2
	Networks  []string `yaml:"networks"`  // CIDR
}

// Parse returns the lists of documents. fail is told of every defect with its path,
// such as "lists[2].networks[0]"; outcome reads the verdict at a path.
func Parse(docs []Document, fail func(path, format string, args ...any), outcome func(path, v string) features.Outcome) (out []List) {
	if len(docs) > MaxLists {
		fail("lists", "are %d, at most %d", len(docs), MaxLists)
		return nil
	}
	names := map[string]bool{}
	for i, d := range docs {
		path := fmt.Sprintf("lists[%d]", i)
		if d.Name == "" || len(d.Name) > maxName || names[d.Name] {
			fail(path, "needs a name of its own, of at most %d bytes", maxName)
		}
		names[d.Name] = true
		l := List{Name: d.Name, Verdict: outcome(path+".verdict", d.Verdict), subjects: d.Subjects, clients: d.Clients}
		for j, s := range d.Countries {
			if len(s) != 2 || s != strings.ToUpper(s) {
				fail(fmt.Sprintf("%s.countries[%d]", path, j), "%q is no ISO 3166-1 alpha-2 code", s)
				continue
			}
			l.countries = append(l.countries, signals.Country{s[0], s[1]})
		}
		l.networks = signals.ParseNetworks(d.Networks, func(j int, what string) {
			fail(fmt.Sprintf("%s.networks[%d]", path, j), "%q %s", d.Networks[j], what)
		})
		if len(d.Subjects)+len(d.Clients)+len(d.Countries)+len(d.Networks) == 0 {
			fail(path, "is empty")
		}
		out = append(out, l)
	}
	return out
}

// Denies reports whether a list denies a person or a client by name. Of places it knows
// nothing: it is for where there is no trace to look at.
func Denies(ls []List, subject, client string) bool {
	return slices.ContainsFunc(ls, func(l List) bool {
		return l.Verdict == features.Denied && (slices.Contains(l.subjects, subject) || slices.Contains(l.clients, client))
	})
}

// Bound are lists with their identifiers hashed. They are immutable.
type Bound []bound

type bound struct {
	verdict   features.Outcome
	subjects  []features.Key
	clients   []features.Key
	countries []signals.Country
	networks  signals.Networks
}

// Bind returns lists ready to be asked about traces of a hasher.
func Bind(ls []List, h features.Hasher) Bound {
	out := make(Bound, len(ls))
	for i, l := range ls {
		b := bound{verdict: l.Verdict, countries: l.countries, networks: l.networks}
		for _, s := range l.subjects {
			b.subjects = append(b.subjects, h.Key(features.KindUser, s))
		}
		for _, c := range l.clients {
			b.clients = append(b.clients, h.Key(features.KindClient, c))
		}
		slices.Sort(b.subjects)
		slices.Sort(b.clients)
		out[i] = b
	}
	return out
}

// Listed holds, by verdict, the number of the first list that said so, from 1; 0 is
// none. It is recorded in the fact, since the log holds no address.
type Listed [features.Denied + 1]uint8

// Hits returns the lists that an attempt is on.
func (b Bound) Hits(t *features.Trace, o *signals.Observation) (out Listed) {
	for i := range b {
		l := &b[i]
		if out[l.verdict] == 0 && l.has(t, o) {
			out[l.verdict] = uint8(i + 1)
		}
	}
	return out
}

func (l *bound) has(t *features.Trace, o *signals.Observation) bool {
	if _, ok := slices.BinarySearch(l.subjects, t.Typed); ok && t.Typed != 0 {
		return true
	}
	if _, ok := slices.BinarySearch(l.clients, t.Client); ok && t.Client != 0 {
		return true
	}
	if slices.Contains(l.countries, o.Place.Country) && o.Place.Country != (signals.Country{}) {
		return true
	}
	return l.networks.Has(o.Address.IP)
}
