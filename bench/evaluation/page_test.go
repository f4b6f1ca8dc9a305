package evaluation

import (
	"encoding/xml"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/waryauth/wary/bench/rba"
)

// full is a report with every section.
func full(t *testing.T) *Report {
	t.Helper()
	s := made()
	r, err := s.Judge()
	if err != nil {
		t.Fatal(err)
	}
	r.Model, r.Digest, r.Notes = "m-1", "sha256:ab", []string{"a <note>"}
	r.Leaks = &Leaks{}
	r.Leaks.Note(s, Alone{Name: "geo", AUC: 0.99, Of: []float64{0.99, 0.9, math.NaN()}}, false, func(string, string) string { return "" })
	c := rba.Curve{}
	for i := range c.Shares {
		c.Counts[i], c.Shares[i] = 1, 1/float64(i+1)
	}
	half := c
	for i := range half.Shares {
		half.Shares[i] /= 2
	}
	r.Study = &rba.Study{Source: "made-up people", Logins: 10, Users: 5, Rows: []rba.Row{{Attacker: rba.VeryTargeted, TPR: 0.83, Attacks: 3, RBA: c, Other: &half}, {Attacker: rba.Naive, TPR: 0.995, RBA: c}}}
	return r
}

// The page needs nothing from outside it, runs nothing, is well formed, and says
// everything.
func TestPage(t *testing.T) {
	var b strings.Builder
	r := full(t)
	if err := r.WritePage(&b); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, refused := range []string{"<script", "http:", "https:", "src=", "url(", "@import", "<link", "javascript", "onclick", "NaN", "Inf", "<people>", "<note>", "ZgotmplZ"} {
		if strings.Contains(page, refused) {
			t.Errorf("the page has %q", refused)
		}
	}
	for _, wanted := range []string{"name=\"viewport\"", "made-up &lt;people&gt;", "m-1", "sha256:ab", "targeted (not trained on)", "elsewhere (in no figure above)", "UNEXPLAINED", "0.500", "prefers-color-scheme"} {
		if !strings.Contains(page, wanted) {
			t.Errorf("the page has no %q", wanted)
		}
	}
	for _, s := range r.sections() {
		if !strings.Contains(page, "<h2>"+s.title+"</h2>") {
			t.Errorf("no section %q", s.title)
		}
	}
	drawn := regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(page, -1)
	if len(drawn) != 6 {
		t.Errorf("%d charts", len(drawn))
	}
	for _, svg := range drawn {
		for d := xml.NewDecoder(strings.NewReader(svg)); ; {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%v in %s", err, svg)
			}
		}
	}
}

// A chart puts its points where its axes say.
func TestChart(t *testing.T) {
	c := chart{
		title: "a & b", x: axis{ticks: []float64{0.01, 0.1, 1}, log: true, share: true}, y: axis{ticks: []float64{0, 10}},
		lines: []line{{name: "l", points: []Point{{0.01, 0}, {0.1, 5}, {0.2, math.NaN()}, {1, 10}, {0.001, 1}}}},
	}
	svg := string(c.svg())
	// Left to right 46 to 398, down 244 to 12: a tenth is in the middle of two decades.
	if want := `d="M46.0 244.0L222.0 128.0M398.0 12.0"`; !strings.Contains(svg, want) {
		t.Errorf("no %s in %s", want, svg)
	}
	if !strings.Contains(svg, `aria-label="a &amp; b"`) || !strings.Contains(svg, ">10 %</text>") {
		t.Errorf("%s", svg)
	}
}

func TestUpTo(t *testing.T) {
	for v, want := range map[float64]float64{0.034: 0.05, 0.05: 0.05, 0.051: 0.1, 0.8: 1, 130: 250, 530: 1000, 99: 100} {
		a := upTo(v, false)
		near(t, "top", a.ticks[5], want, want*1e-12)
	}
}

// Every table row has as many cells as its head, in Markdown as on the page.
func TestMarkdown(t *testing.T) {
	var b strings.Builder
	r := full(t)
	if err := r.WriteMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	columns := 0
	tables := 0
	for line := range strings.Lines(b.String()) {
		n := strings.Count(line, "|") - 1
		if n < 0 {
			columns = 0
			continue
		}
		if columns == 0 {
			columns = n
			tables++
		}
		if n != columns {
			t.Errorf("%d cells in a table of %d: %s", n, columns, line)
		}
	}
	if tables < 12 || !strings.HasPrefix(b.String(), "# Quality\n\nModel m-1 (sha256:ab) on made-up <people>.") {
		t.Errorf("%d tables in %s", tables, b.String()[:200])
	}
}

func TestPrint(t *testing.T) {
	r := full(t)
	var some, all strings.Builder
	if err := r.Print(&some, "Detection"); err != nil {
		t.Fatal(err)
	}
	if err := r.Print(&all); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(some.String(), "By deployment") || !strings.Contains(some.String(), "caught at 0.1 %") || !strings.Contains(all.String(), "By deployment") {
		t.Errorf("%s\n%s", &some, &all)
	}
}
