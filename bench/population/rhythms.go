package population

import (
	"log/slog"
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/signals"
	"github.com/waryauth/wary/signals/typing"
)

// typingDays is how long a deployment collects what accepted logins were typed like
// before it learns a typing table of its own from them: until then nothing is known
// of rhythms, as in any deployment that is new.
const typingDays = 14

// Bounds of what a table is learnt from.
const (
	mostRhythms  = 20 // of an account
	mostAccounts = 1500
)

// rhythms are what accepted logins were typed like, by account and class of device,
// an attacker's among them: nobody has caught them yet.
type rhythms struct {
	until int64 // Unix milliseconds; 0 before the first attempt
	seen  map[keyboard]int
	all   [][]typing.Summary
}

type keyboard struct {
	user  features.Key
	class signals.DeviceClass
}

// learn takes the attempt of a trace, and returns a table once, when enough days have
// passed. Without enough accounts there is none.
func (r *rhythms) learn(t *features.Trace, a *signals.Attempt) *typing.Table {
	switch {
	case r.until == 0:
		*r = rhythms{until: t.Time + typingDays*msPerDay, seen: map[keyboard]int{}}
	case r.seen == nil:
		return nil
	case t.Time >= r.until:
		table, err := typing.Train(r.all, time.UnixMilli(r.until))
		if err != nil {
			slog.Debug("no typing table", "because", err)
		}
		r.seen, r.all = nil, nil
		return table
	}
	if t.Rhythm.Mark == 0 || a.Authentication.Result != signals.Success {
		return nil
	}
	k := keyboard{t.User, t.Rhythm.Class}
	i, known := r.seen[k]
	if !known {
		if len(r.all) == mostAccounts {
			return nil
		}
		i = len(r.all)
		r.seen[k], r.all = i, append(r.all, nil)
	}
	if len(r.all[i]) < mostRhythms {
		r.all[i] = append(r.all[i], typing.Summary(a.Behaviour.Keys.Rhythm))
	}
	return nil
}
