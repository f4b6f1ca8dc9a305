package authz

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/features/scopes"
)

// TestExamplesOfTheScopesPage: the page's worked examples come out as it says, with the
// default policy. They were worked out by hand.
func TestExamplesOfTheScopesPage(t *testing.T) {
	page, err := os.ReadFile("../docs/scopes.md")
	if err != nil {
		t.Fatal(err)
	}
	rules := engine.DefaultPolicy().Narrowing
	examples := 0
	for line := range strings.Lines(string(page)) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		var cells []string
		for c := range strings.SplitSeq(strings.Trim(strings.TrimSpace(line), "|"), "|") {
			cells = append(cells, strings.Trim(strings.TrimSpace(c), "`"))
		}
		if len(cells) < 4 { // another table's
			continue
		}
		q := &scopes.Question{Level: slices.Index(engine.LevelNames[:], cells[1]), Now: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)}
		if q.Level < 0 {
			continue
		}
		examples++
		detail := strings.HasPrefix(cells[0], "{")
		if detail {
			q.Details = []Detail{{Type: strings.Split(cells[0], `"`)[3], Raw: []byte(cells[0])}}
		} else {
			q.Scopes = strings.Fields(cells[0])
			q.Use = evidence(t, cells[2])
			cells = slices.Delete(cells, 2, 3)
		}
		k := rules.Narrow(q)
		kept := strings.Join(k.Scopes, " ")
		if detail && len(k.Details) > 0 {
			kept = string(k.Details[0].Raw)
		}
		var withheld []string
		for _, r := range k.Removed {
			name := r.Scope + r.Part
			if name == "" {
				name = r.Detail
			}
			withheld = append(withheld, name+":"+string(r.Code))
		}
		if kept != cells[2] || strings.Join(withheld, " ") != cells[3] {
			t.Errorf("%s\nkept %s, withheld %v", line, kept, withheld)
		}
	}
	if examples != 19 {
		t.Errorf("the page has %d examples that can be read, want 19", examples)
	}
}

// evidence reads what an example says is known.
func evidence(t *testing.T, text string) (e scopes.Evidence) {
	if text == "nothing" {
		return e
	}
	for part := range strings.SplitSeq(text, ", ") {
		words := strings.Fields(part)
		var c scopes.Count
		if _, err := fmt.Sscanf(words[len(words)-1], "%f/%f", &c.Used, &c.Granted); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		counts := scopes.Counts{words[len(words)-2]: c}
		var others int
		switch {
		case words[0] == "person":
			e.Person = counts
		case len(words) == 2:
			e.Client = counts
		default:
			if _, err := fmt.Sscan(words[0], &others); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			for range others {
				e.Peers = append(e.Peers, counts)
			}
		}
	}
	return e
}
