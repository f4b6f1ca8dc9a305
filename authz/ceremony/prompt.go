package ceremony

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/internal/jose"
	"github.com/waryauth/wary/internal/store"
)

// Prompts that are not met. Whoever has somebody's password could ask them for proof
// again and again, until they give it to be left alone (prompt bombing, MITRE ATT&CK
// T1621): so after freePrompts without an answer each costs a pause, twice the one
// before, in which the next is refused without asking.
const (
	freePrompts  = 3
	firstPause   = 5 * time.Minute
	longestPause = 24 * time.Hour
	promptMemory = 30 * 24 * time.Hour
	openPrompts  = 8 // interactions that are remembered as asked
)

// prompts are what a person was asked for since they last met it.
type prompts struct {
	Open  []string  `json:"open"`            // interactions
	Unmet int       `json:"unmet"`           // asked for and not met, those open included
	Until time.Time `json:"until,omitempty"` // of the pause
}

func promptsKey(subject string) string { return "prompts:" + jose.Digest(subject) }

// pause returns how long nothing is asked for after so many prompts that were not met.
func pause(unmet int) time.Duration {
	if unmet < freePrompts {
		return 0
	}
	d := firstPause
	for range unmet - freePrompts {
		if d *= 2; d >= longestPause {
			return longestPause
		}
	}
	return d
}

// prompt counts that an interaction asks a person for more proof, once, or returns until
// when it may not: then they are not asked.
func (s *Server) prompt(ctx context.Context, in *authz.Interaction) (until time.Time, err error) {
	id, now := jose.Digest(in.ID)[:16], s.o.Now()
	counted := false
	err = store.Update(ctx, s.o.Store, promptsKey(in.Person.Subject), func(prev store.Value) ([]byte, store.Deadline, error) {
		var p prompts
		until, counted = time.Time{}, false
		if prev.Data != nil {
			if err := json.Unmarshal(prev.Data, &p); err != nil {
				return nil, 0, err
			}
		}
		switch {
		case slices.Contains(p.Open, id):
			return prev.Data, prev.Deadline, nil
		case now.Before(p.Until):
			until = p.Until
			return prev.Data, prev.Deadline, nil
		}
		counted = true
		p.Unmet++
		if p.Open = append(p.Open, id); len(p.Open) > openPrompts {
			p.Open = p.Open[1:]
		}
		p.Until = now.Add(pause(p.Unmet))
		next, err := json.Marshal(&p)
		return next, store.Until(now.Add(promptMemory)), err
	})
	switch {
	case err == nil && !until.IsZero():
		checked("prompt", "paused")
	case counted:
		checked("prompt", "asked")
	}
	return until, err
}

// met forgets what was asked of a person: they have met it.
func (s *Server) met(ctx context.Context, subject string) {
	err := store.Update(ctx, s.o.Store, promptsKey(subject), func(store.Value) ([]byte, store.Deadline, error) { return nil, 0, nil })
	if err != nil { // they are asked less often than they could be
		s.o.Log.Error("ceremony: forget prompts", "error", err)
	}
}
