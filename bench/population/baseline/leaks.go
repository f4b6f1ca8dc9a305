package baseline

import (
	"slices"

	"github.com/waryauth/wary/bench/population"
	"github.com/waryauth/wary/features"
)

// reasons say why a family of features, or one of it, that alone tells a family of
// attacks from honest attempts nearly always does not leak the label: it measures
// what the attack consists of.
var reasons = [...]struct {
	attack   population.Family
	families []features.Family
	why      string
}{
	{population.Stuffing, []features.Family{features.Network, features.Velocity, features.Client, features.Session},
		"guesses in bulk: one address, network or client tries many accounts and mostly fails; in a small deployment they are much of all traffic"},
	{population.Spraying, []features.Family{features.Network, features.Velocity, features.Client, features.Session},
		"guesses in bulk: one address, network or client tries many accounts and mostly fails; in a small deployment they are much of all traffic"},
	{population.Stuffing, []features.Family{features.Device, features.Baseline, features.Geo, features.Intent},
		"whoever guesses in bulk knows only names and passwords: place, device and habits are not the victim's"},
	{population.Spraying, []features.Family{features.Device, features.Baseline, features.Geo, features.Intent},
		"whoever guesses in bulk knows only names and passwords: place, device and habits are not the victim's"},
	{population.StolenToken, []features.Family{features.Geo, features.Network, features.Device, features.Velocity, features.Baseline, features.Session, features.Intent, features.Client},
		"a token is used by a program, and set against honest people who are present: whatever tells machines from people parts them. Honest servers' calls are counted apart"},
	{population.ConsentPhish, []features.Family{features.Client, features.Velocity, features.Intent, features.Network},
		"the attack is a client that nobody knows yet: its age, and all that is counted for it, begin at nothing"},
	{population.RogueClient, []features.Family{features.Client, features.Intent, features.Velocity},
		"the attack is a client that suddenly asks many people for more than before"},
	{population.SIMSwap, []features.Family{features.Session, features.Device},
		"the attack is an account recovery by a number just taken over, on a phone that the account never had"},
	{population.PushFatigue, []features.Family{features.Velocity, features.Network, features.Session},
		"the attack is one confirmation after another, refused until one is given: failures of this user, from this address, minutes ago"},
	{population.PushFatigue, []features.Family{features.Device, features.Baseline, features.Geo},
		"whoever asks knows only the name: place, device and habits are not the victim's"},
	{population.Malware, []features.Family{features.Session, features.Intent},
		"the attack is a program at work in the victim's session: what it does, and how it types, is all that differs"},
}

// reason explains a feature, or a family of features, against an attack; "" where
// nothing does.
func reason(name, attack string) string {
	family := slices.Index(features.FamilyNames[:], name)
	for i := range features.Schema {
		if features.Schema[i].Name == name {
			family = int(features.Schema[i].Family)
		}
	}
	for _, r := range reasons {
		if r.attack.String() == attack && slices.Contains(r.families, features.Family(family)) {
			return r.why
		}
	}
	return ""
}
