package main

import (
	"fmt"
	"html/template"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	_ "embed"

	"github.com/waryauth/wary/bench/population"
)

// week is what the deployment itself saw in seven days.
type week struct {
	honest, challenged float64 // honest successes with the person present, and those challenged or denied
	entries, stopped   [2]float64
}

// Attacks of a week: those of the new family, and the others.
const (
	ofNew = iota
	ofOthers
)

// weeks returns the weeks from the first on.
func (s *story) weeks() []week {
	out := make([]week, (s.days+6)/7)
	for _, x := range s.seen {
		n := int(math.Floor(x.at.Sub(s.start).Hours() / 24 / 7))
		if n < 0 || n >= len(out) {
			continue
		}
		w, of := &out[n], ofOthers
		switch x.family {
		case population.Ordinary:
			w.honest++
			w.challenged += float64(index(x.challenged))
			continue
		case s.family:
			of = ofNew
		}
		w.entries[of]++
		w.stopped[of] += float64(index(x.challenged))
	}
	return out
}

func index(b bool) int {
	if b {
		return 1
	}
	return 0
}

// outcome is what the run set out to show.
type outcome struct {
	before, after float64 // recall of the new family at 1 % challenged, by the champion when it began and the last within the time
	days          float64 // from the first label to the first champion that catches 80 %; NaN if none does
	lost          float64 // the most that another family lost, in shares
	loser         population.Family
}

// Goals of the run.
const (
	wantedRecall = 0.80
	wantedDays   = 14
	mostLost     = 0.02
	fewEntries   = 100 // of a family on the paper: of fewer two points are a single attempt or two
)

func (o *outcome) ok() bool {
	return o.after >= wantedRecall && o.days <= wantedDays && o.lost <= mostLost
}

func (s *story) outcome() outcome {
	first, last := s.reigns[0].exam, s.reigns[0].exam
	out := outcome{days: math.NaN()}
	for _, r := range s.reigns {
		if r.day < begins {
			first = r.exam
		}
		last = r.exam
		if math.IsNaN(out.days) && r.day >= begins && r.exam.caught[s.family] >= wantedRecall {
			out.days = r.day - s.first
		}
	}
	out.before, out.after, out.lost = first.caught[s.family], last.caught[s.family], math.Inf(-1)
	for f := population.Family(1); int(f) < population.FamilyCount; f++ {
		if lost := first.caught[f] - last.caught[f]; f != s.family && first.entries[f] >= fewEntries && lost > out.lost {
			out.lost, out.loser = lost, f
		}
	}
	return out
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

// caughtTable is the share of each family that each champion catches on the paper.
func (s *story) caughtTable() (rows [][]string) {
	head := []string{"caught at 1 % challenged", "takeovers"}
	for _, r := range s.reigns {
		head = append(head, fmt.Sprintf("day %.0f", r.day))
	}
	rows = append(rows, head)
	for f := population.Family(1); int(f) < population.FamilyCount; f++ {
		name := f.String()
		if f == s.family {
			name += " (new)"
		}
		row := []string{name, fmt.Sprint(s.reigns[0].exam.entries[f])}
		for _, r := range s.reigns {
			row = append(row, percent(r.exam.caught[f]))
		}
		rows = append(rows, row)
	}
	row := []string{"all", ""}
	for _, r := range s.reigns {
		row = append(row, percent(r.exam.all))
	}
	return append(rows, row)
}

// weekTable is what the deployment saw.
func (s *story) weekTable() [][]string {
	rows := [][]string{{"week", "honest", "challenged", s.family.String(), "stopped", "other takeovers", "stopped"}}
	share := func(a, b float64) string {
		if b == 0 {
			return "-"
		}
		return percent(a / b)
	}
	for i, w := range s.weeks() {
		rows = append(rows, []string{fmt.Sprint(i + 1), fmt.Sprint(w.honest), share(w.challenged, w.honest),
			fmt.Sprint(w.entries[ofNew]), share(w.stopped[ofNew], w.entries[ofNew]), fmt.Sprint(w.entries[ofOthers]), share(w.stopped[ofOthers], w.entries[ofOthers])})
	}
	return rows
}

// told says in a line each what the run shows.
func (s *story) told() []string {
	o, within := s.outcome(), "not within the run"
	if !math.IsNaN(o.days) {
		within = fmt.Sprintf("%.1f days after its first label", o.days)
	}
	word := "short"
	if o.ok() {
		word = "ok"
	}
	return []string{
		fmt.Sprintf("%d people, %d attempts, %d labels; %s begins on day %d, its first label comes on day %.1f.", s.users, s.attempts, s.labels, s.family, begins, s.first),
		fmt.Sprintf("%s caught at 1 %% challenged: %s before, %s after; %s reached %s (goal: within %d days).", s.family, percent(o.before), percent(o.after), percent(wantedRecall), within, wantedDays),
		fmt.Sprintf("The most that another family lost: %.1f points, %s (goal: at most %.0f). %s.", 100*o.lost, o.loser, 100*mostLost, word),
	}
}

func (s *story) print(w io.Writer) error {
	for _, line := range s.told() {
		fmt.Fprintln(w, line)
	}
	for _, table := range [][][]string{s.caughtTable(), s.weekTable()} {
		fmt.Fprintln(w)
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		for _, row := range table {
			fmt.Fprintln(tw, strings.Join(row, "\t")+"\t")
		}
		if err := tw.Flush(); err != nil {
			return err
		}
	}
	return nil
}

//go:embed page.html
var pageText string

// shown is what the page's template reads.
type shown struct {
	Told   []string
	Events []string
	Plots  []plot
	Tables [][][]string
}

type plot struct {
	Title string
	SVG   template.HTML
	Lines []string
}

func (s *story) writePage(path string) error {
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	page := shown{Told: s.told(), Plots: s.plots(), Tables: [][][]string{s.caughtTable(), s.weekTable()}}
	for _, e := range s.events {
		page.Events = append(page.Events, fmt.Sprintf("Day %.0f: %s", e.day, e.what))
	}
	if err := t.Execute(f, page); err != nil {
		return err
	}
	return f.Close()
}
