package engine

import (
	"maps"
	"slices"
	"strings"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/signals"
)

// feed is a name under which attempts give a number, and the feature that it is.
type feed struct {
	name    string
	feature int
}

// feed writes the numbers that came with the attempt into the vector, where the
// policy says which features they are. Others are counted.
func (x *Assessment) feed(p *Policy) {
	unknown := 0
	for i := range x.Attempt.External {
		number := &x.Attempt.External[i]
		at, ok := slices.BinarySearchFunc(p.feeds, number.Name, func(f feed, name string) int { return strings.Compare(f.name, name) })
		if !ok {
			unknown++
			continue
		}
		features.Feed(&x.Vector, p.feeds[at].feature, number.Value)
	}
	if unknown > 0 {
		unknownExternalTotal.Add(unknown)
	}
}

// feeds reads which feature each name is.
func (c *compiler) feeds(d *document) {
	names := map[string]string{} // by feature
	for _, name := range slices.Sorted(maps.Keys(d.External)) {
		path, of := "external."+name, d.External[name]
		i, ok := features.FeedOf(of)
		switch other := names[of]; {
		case !ok:
			c.fail(path, "%q is no feature of a feed: see External in docs/features.md", of)
		case other != "":
			c.fail(path, "is %s, which %s is already", of, other)
		case name == "" || len(name) > maxText:
			c.fail(path, "must have 1 to %d bytes", maxText)
		}
		names[of] = name
		c.policy.feeds = append(c.policy.feeds, feed{name, i})
	}
}

// How little is known of a subject, as the policy distinguishes it.
const (
	noHistory    = iota // no success yet
	shortHistory        // a few: History.Established is false
	historyKinds int    = iota
)

// historyNames are the policy's words for them.
var historyNames = [historyKinds]string{noHistory: "none", shortHistory: "learning"}

var historyCodes = [historyKinds]string{noHistory: "NO_HISTORY", shortHistory: "SHORT_HISTORY"}

// stranger returns the least strict answer to a subject of whom little is known, and
// the reason's code; Undecided where the policy says nothing of it.
func (p *Policy) stranger(in *inputs) (least Outcome, code string) {
	kind := shortHistory
	switch {
	case in.history.Successes == 0:
		kind = noHistory
	case in.history.Established:
		return features.Undecided, ""
	}
	return p.history[kind][in.action], historyCodes[kind]
}

// strangers reads the answers to those of whom little is known.
func (c *compiler) strangers(d *document) {
	for name := range d.History {
		if !slices.Contains(historyNames[:], name) {
			c.fail("history."+name, "is no kind of history; write %s", strings.Join(historyNames[:], ", "))
		}
	}
	for kind, name := range historyNames {
		if row, ok := d.History[name]; ok {
			c.perAction("history."+name, row, &c.policy.history[kind])
		}
	}
	for a := range signals.Actions {
		if c.policy.history[noHistory][a] < c.policy.history[shortHistory][a] {
			c.fail("history.learning", "is stricter than none for %s: less known must not be treated milder", signals.Action(a))
		}
	}
}
