package baseline

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waryauth/wary/models"
)

// TestQualityIsOfTheShippedModel: docs/quality.md names the digest of the embedded model and
// has its card's figures. `wary evaluate --markdown docs/quality.md` writes it anew.
func TestQualityIsOfTheShippedModel(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "quality.md"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := models.Baseline()
	if err != nil {
		t.Fatal(err)
	}
	if why := stale(string(b), m.Digest(), m.Card().Metrics); why != "" {
		t.Errorf("docs/quality.md is stale, it does not say %q: wary evaluate --markdown docs/quality.md", why)
	}
	// The control: another model, and the same with other figures.
	if stale(string(b), strings.Repeat("0", 64), m.Card().Metrics) == "" || stale(string(b), m.Digest(), map[string]float64{"caught_at_0.01": 0.1234}) == "" {
		t.Error("the page of another model is not found out")
	}
}

// stale returns what a page should say of a model and does not.
func stale(page, digest string, metrics map[string]float64) string {
	for _, want := range []string{
		digest,
		fmt.Sprintf("| takeovers caught | **%.1f %%** | where 1 %% of honest attempts are challenged |", 100*metrics["caught_at_0.01"]),
		fmt.Sprintf("| takeovers caught | **%.1f %%** | where 0.1 %% of honest attempts are challenged |", 100*metrics["caught_at_0.001"]),
	} {
		if !strings.Contains(page, want) {
			return want
		}
	}
	return ""
}
