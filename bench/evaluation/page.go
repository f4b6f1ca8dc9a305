package evaluation

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"
	"text/tabwriter"

	"github.com/waryauth/wary/bench/rba"
)

//go:embed page.html
var pageText string

// shown is what the page's template reads.
type shown struct {
	*Report
	Tiles    []tile
	Sections []shownSection
}

// tile is a figure at the top.
type tile struct{ Name, Value, Note string }

type shownSection struct {
	ID, Title, Text string
	Charts          []shownChart
	Tables          []shownTable
}

type shownChart struct {
	Title  string
	SVG    template.HTML
	Legend []shownLine
}

type shownLine struct {
	Name   string
	Colour int
	Dashed bool
}

// shownTable is a table; a long one is folded under its name.
type shownTable struct {
	Head   []string
	Rows   [][]string
	Folded string
}

// foldedFrom is from how many rows on a table is folded.
const foldedFrom = 16

// WritePage writes the report as one HTML page: no script, nothing from outside,
// readable on a phone and in the dark.
func (r *Report) WritePage(w io.Writer) error {
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	page := shown{Report: r, Tiles: r.tiles()}
	for n, s := range r.sections() {
		out := shownSection{ID: fmt.Sprintf("s%d", n+1), Title: s.title, Text: s.text}
		for i := range s.charts {
			c := shownChart{Title: s.charts[i].title, SVG: s.charts[i].svg()}
			for _, l := range s.charts[i].lines {
				c.Legend = append(c.Legend, shownLine{l.name, l.colour, l.dashed})
			}
			out.Charts = append(out.Charts, c)
		}
		for _, t := range s.tables {
			st := shownTable{Head: t.head, Rows: t.rows}
			if len(t.rows) >= foldedFrom {
				st.Folded = fmt.Sprintf("%d rows", len(t.rows))
			}
			out.Tables = append(out.Tables, st)
		}
		page.Sections = append(page.Sections, out)
	}
	return t.Execute(w, page)
}

// tiles are the figures that are looked for first.
func (r *Report) tiles() (tiles []tile) {
	if len(r.Scores) > 0 {
		j := &r.Scores[0]
		for k, rate := range r.Rates {
			if rate == 0.001 || k == mainRate {
				tiles = append(tiles, tile{"takeovers caught", percent(j.Caught[k].Value, 1), "where " + short(100*rate) + " % of honest attempts are challenged"})
			}
		}
		tiles = append(tiles, tile{"AUC", fixed(j.AUC.Value, 4), fmt.Sprintf("%s to %s", fixed(j.AUC.Low, 4), fixed(j.AUC.High, 4))})
	}
	for _, f := range r.Families {
		if f.Unseen && f.Rows > 0 {
			tiles = append(tiles, tile{"caught of an attack never trained on", percent(f.Caught[0][mainRate], 1), strings.ReplaceAll(f.Name, "_", " ") + ", at 1 %"})
		}
	}
	if r.Study != nil {
		for i := range r.Study.Rows {
			if row := &r.Study.Rows[i]; row.Attacker == rba.VeryTargeted && !math.IsNaN(row.Ratio()) {
				tiles = append(tiles, tile{"challenges against the RBA score's", fixed(row.Ratio(), 3),
					fmt.Sprintf("median share after 39 logins, %s of very targeted attacks caught", percent(row.TPR, 0))})
			}
		}
	}
	return tiles
}

// WriteMarkdown writes the report's tables as Markdown, without the charts.
func (r *Report) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Quality\n\n%s\n\n", r.heading())
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "- %s\n", n)
	}
	if tiles := r.tiles(); len(tiles) > 0 {
		b.WriteString("\n| | | |\n|---|---|---|\n")
		for _, t := range tiles {
			fmt.Fprintf(&b, "| %s | **%s** | %s |\n", t.Name, t.Value, t.Note)
		}
	}
	for _, s := range r.sections() {
		if len(s.tables) == 0 {
			continue // charts alone
		}
		fmt.Fprintf(&b, "\n## %s\n%s\n", s.title, s.text)
		for _, t := range s.tables {
			fmt.Fprintf(&b, "\n| %s |\n|---|%s\n", strings.Join(t.head, " | "), strings.Repeat("---|", len(t.head)-1))
			for _, row := range t.rows {
				fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// heading says in a line what was judged.
func (r *Report) heading() string {
	model := r.Model
	if r.Digest != "" {
		model += " (" + r.Digest + ")"
	}
	if model == "" {
		return r.Source + "."
	}
	return fmt.Sprintf("Model %s on %s.", model, r.Source)
}

// Print writes the sections of the given titles as text, all of them without one.
func (r *Report) Print(w io.Writer, titles ...string) error {
	fmt.Fprintln(w, r.heading())
	for _, s := range r.sections() {
		wanted := len(titles) == 0
		for _, t := range titles {
			wanted = wanted || t == s.title
		}
		if !wanted {
			continue
		}
		fmt.Fprintf(w, "\n%s\n", s.title)
		for _, t := range s.tables {
			tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
			for _, row := range append([][]string{t.head}, t.rows...) {
				fmt.Fprintln(tw, strings.Join(row, "\t")+"\t")
			}
			if err := tw.Flush(); err != nil {
				return err
			}
		}
	}
	return nil
}
