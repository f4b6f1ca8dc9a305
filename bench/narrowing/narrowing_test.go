package narrowing

import (
	"testing"

	"github.com/waryauth/wary/bench/population"
)

// TestLessIsGrantedThatNobodyUses, and nobody is refused for good what they need.
func TestLessIsGrantedThatNobodyUses(t *testing.T) {
	r := Run(population.Options{Seed: 1, Users: 1500, Days: 60})
	t.Logf("%+v", r)
	before, after := Share(r.UnusedBefore, r.Before), Share(r.UnusedAfter, r.After)
	if r.Grants < 100 || after >= before {
		t.Errorf("unused: %.3f before, %.3f after, of %d grants", before, after, r.Grants)
	}
	if r.Refused != 0 || Share(r.Asked, r.Used) > 0.05 {
		t.Errorf("%d uses are refused, %d only after asking again, of %d", r.Refused, r.Asked, r.Used)
	}
	if again := Run(population.Options{Seed: 1, Users: 1500, Days: 60}); again != r {
		t.Errorf("%+v, then %+v", r, again)
	}
}
