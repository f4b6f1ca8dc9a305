package evaluation

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waryauth/wary/bench/rba"
)

// section is a part of the report, the same for page, text and terminal.
type section struct {
	title  string
	text   string
	tables []table
	charts []chart
}

// table has a first column of names, and others of numbers or reasons.
type table struct {
	head []string
	rows [][]string
}

func percent(x float64, digits int) string {
	if math.IsNaN(x) {
		return "-"
	}
	return strconv.FormatFloat(100*x, 'f', digits, 64) + " %"
}

func fixed(x float64, digits int) string {
	if math.IsNaN(x) {
		return "-"
	}
	return strconv.FormatFloat(x, 'f', digits, 64)
}

func (v Interval) tell() string {
	return fmt.Sprintf("%s (%s to %s)", percent(v.Value, 1), fixed(100*v.Low, 1), fixed(100*v.High, 1))
}

func whole(n int) string { return strconv.Itoa(n) }

// sections puts the report into parts.
func (r *Report) sections() []section {
	var out []section
	if len(r.Scores) > 0 {
		out = append(out, r.detection(), r.curves(), r.byFamily())
		if r.Missed != nil {
			out = append(out, r.misses())
		}
		out = append(out, r.byHistory())
		if r.Reliability != nil {
			out = append(out, r.calibration())
		}
		out = append(out, r.byValue(), r.byWeek())
	}
	if len(r.Settings) > 0 {
		out = append(out, r.bySetting())
	}
	if r.Study != nil {
		out = append(out, r.study())
	}
	if r.Leaks != nil {
		out = append(out, r.leaks())
	}
	return out
}

// names are those of the scores.
func (r *Report) names() (names []string) {
	for _, s := range r.Scores {
		names = append(names, s.Name)
	}
	return names
}

func (r *Report) detection() section {
	t := table{head: []string{"", "AUC", "average precision"}}
	for _, rate := range r.Rates {
		t.head = append(t.head, "caught at "+short(100*rate)+" %")
	}
	for _, s := range r.Scores {
		row := []string{s.Name, fmt.Sprintf("%s (%s to %s)", fixed(s.AUC.Value, 4), fixed(s.AUC.Low, 4), fixed(s.AUC.High, 4)), fixed(s.Precision, 3)}
		for _, c := range s.Caught {
			row = append(row, c.tell())
		}
		t.rows = append(t.rows, row)
	}
	for _, more := range []struct {
		name   string
		caught []float64
	}{{"in time: at the first success, or at what follows until money is moved", r.InTime}, {"each deployment at its own threshold", r.Own}} {
		if len(more.caught) == 0 {
			continue
		}
		row := []string{r.Scores[0].Name + ", " + more.name, "", ""}
		for _, c := range more.caught {
			row = append(row, percent(c, 1))
		}
		t.rows = append(t.rows, row)
	}
	cuts := []string{"threshold of " + r.Scores[0].Name, "", ""}
	for _, c := range r.Scores[0].Cuts {
		cuts = append(cuts, short(c.Score))
	}
	t.rows = append(t.rows, cuts)
	return section{
		title: "Detection",
		text: fmt.Sprintf("Share of takeovers caught where so many of the honest attempts are challenged. %d honest attempts and %d takeovers of %d users. "+
			"In brackets 95 %% intervals from a bootstrap that draws whole users. Average precision is for a share of takeovers of %s.",
			r.Counts[0], r.Counts[1], r.Users, short(r.Prior)),
		tables: []table{t},
	}
}

// lines makes a line of each score.
func (r *Report) lines(points func(*Judged) []Point) (lines []line) {
	for i := range r.Scores {
		lines = append(lines, line{name: r.Scores[i].Name, colour: i, points: points(&r.Scores[i])})
	}
	return lines
}

// challengedAxis is the share of honest attempts challenged, from one in ten
// thousand on.
func challengedAxis() axis {
	return axis{label: "honest attempts challenged", ticks: []float64{0.0001, 0.001, 0.01, 0.1, 1}, log: true, share: true}
}

func (r *Report) curves() section {
	caught := shares()
	caught.label = "takeovers caught"
	return section{
		title: "Curves",
		text: fmt.Sprintf("ROC: takeovers caught (up) by honest attempts challenged. Precision and recall: how many of those challenged are takeovers (up), by takeovers caught, "+
			"where %s of all attempts are takeovers.", percent(r.Prior, 2)),
		charts: []chart{
			{title: "ROC", x: challengedAxis(), y: shares(), lines: r.lines(func(j *Judged) []Point { return j.ROC })},
			{title: "Precision and recall", x: caught, y: shares(), lines: r.lines(func(j *Judged) []Point { return j.PR })},
		},
	}
}

func (r *Report) byFamily() section {
	t := table{head: []string{"family", "takeovers"}}
	for _, rate := range r.Rates {
		t.head = append(t.head, r.Scores[0].Name+" at "+short(100*rate)+" %")
	}
	for _, s := range r.Scores[1:] {
		t.head = append(t.head, s.Name+" at 1 %")
	}
	for _, f := range r.Families {
		if f.Rows == 0 {
			continue
		}
		name := f.Name
		if f.Unseen {
			name += " (not trained on)"
		}
		row := []string{name, whole(f.Rows)}
		for rate := range r.Rates {
			row = append(row, percent(f.Caught[0][rate], 1))
		}
		for k := range r.Scores[1:] {
			row = append(row, percent(f.Caught[k+1][mainRate], 1))
		}
		t.rows = append(t.rows, row)
	}
	return section{title: "By family of attack", text: "Share of each family's takeovers caught at the thresholds above, which are the same for all families.", tables: []table{t}}
}

func (b *Band) name() string {
	switch {
	case b.From == b.To:
		return whole(int(b.From))
	case b.To == math.MaxInt32:
		return whole(int(b.From)) + " and more"
	}
	return fmt.Sprintf("%d to %d", b.From, b.To)
}

func (r *Report) byHistory() section {
	t := table{head: []string{"successes before", "honest", "takeovers"}}
	for _, name := range r.names() {
		t.head = append(t.head, name+": challenged", "caught")
	}
	for i := range r.Bands {
		b := &r.Bands[i]
		row := []string{b.name(), whole(b.Rows[0]), whole(b.Rows[1])}
		for k := range r.Scores {
			row = append(row, percent(b.Challenged[k], 2), percent(b.Caught[k], 1))
		}
		t.rows = append(t.rows, row)
	}
	sizes := table{head: append([]string{"successes before", "honest"}, r.names()...)}
	lines := r.lines(func(*Judged) []Point { return nil })
	most := 0.01
	for _, h := range r.Histories {
		row := []string{whole(h.Size), whole(h.Rows)}
		for k, c := range h.Challenged {
			lines[k].points = append(lines[k].points, Point{float64(h.Size), c})
			row = append(row, percent(c, 2))
			if !math.IsNaN(c) {
				most = max(most, c)
			}
		}
		sizes.rows = append(sizes.rows, row)
	}
	return section{
		title:  "By length of history",
		text:   "Who is challenged at the threshold of 1 % of all honest attempts, by how many successes the user had before.",
		tables: []table{t, sizes},
		charts: []chart{{
			title: "Honest attempts challenged by length of history",
			x:     axis{label: "successes before", ticks: []float64{1, 10, 20, 30, 39}},
			y:     upTo(most, true), lines: lines,
		}},
	}
}

// upTo returns an axis from 0 to a round number at or above a value.
func upTo(v float64, share bool) axis {
	step := math.Pow(10, math.Floor(math.Log10(max(v, 1e-9))))
	for _, by := range [...]float64{0.2, 0.25, 0.5, 1, 2} {
		if 5*step*by >= v*(1-1e-9) {
			step *= by
			break
		}
	}
	return axis{ticks: []float64{0, step, 2 * step, 3 * step, 4 * step, 5 * step}, share: share}
}

func (r *Report) calibration() section {
	t := table{head: []string{"probability", "attempts", "predicted", "observed"}}
	c := line{name: r.Scores[0].Name, points: nil}
	for _, b := range r.Reliability.Bins {
		t.rows = append(t.rows, []string{short(b.Low) + " to " + short(b.High), whole(b.Rows), short(b.Predicted), short(b.Observed)})
		c.points = append(c.points, Point{b.Predicted, b.Observed})
	}
	from := table{head: []string{"at or above", "honest", "takeovers"}}
	for _, a := range r.Above {
		from.rows = append(from.rows, []string{short(a.Probability), percent(a.Honest, 3), percent(a.Takeovers, 1)})
	}
	scale := axis{ticks: []float64{1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1}, log: true}
	x := scale
	x.label = "predicted probability"
	return section{
		title: "Calibration",
		text: fmt.Sprintf("Predicted probability against the share of takeovers that came (up), takeovers weighed to %s of all. Expected calibration error: %s.",
			percent(r.Prior, 2), short(r.Reliability.ECE)),
		tables: []table{t, from},
		charts: []chart{{title: "Calibration", x: x, y: scale, lines: []line{
			c, {name: "perfect", colour: 4, dashed: true, points: []Point{{1e-6, 1e-6}, {1, 1}}},
		}}},
	}
}

func (r *Report) byValue() section {
	t := table{head: []string{"", "least loss", "where so many are challenged", "with no challenge"}}
	lines := r.lines(func(j *Judged) []Point { return j.Losses })
	most := 0.0
	for i := range r.Scores {
		j := &r.Scores[i]
		t.rows = append(t.rows, []string{j.Name, fixed(j.Least.Y, 1), percent(j.Least.X, 2), fixed(r.Nothing, 1)})
		most = max(most, min(j.Losses[0].Y, 2*r.Nothing))
	}
	x := challengedAxis()
	return section{
		title: "Loss by value",
		text: fmt.Sprintf("Loss of 1,000 attempts: what the takeovers that pass cost (the money that the attacker then moves; %s where none is moved) and %s for each honest attempt challenged. "+
			"These costs are stated, not measured; what is challenged is taken to be stopped; %s of the attempts are takeovers.", short(r.Costs.Takeover), short(r.Costs.Challenge), percent(r.Prior, 2)),
		tables: []table{t},
		charts: []chart{{title: "Loss by share challenged", x: x, y: upTo(max(most, r.Nothing), false), lines: lines}},
	}
}

func (r *Report) byWeek() section {
	t := table{head: []string{"week from", "honest", "takeovers", "AUC", "honest challenged", "caught", "PSI"}}
	for _, w := range r.Weeks {
		t.rows = append(t.rows, []string{w.From.Format(time.DateOnly), whole(w.Rows[0]), whole(w.Rows[1]), fixed(w.AUC, 4), percent(w.Challenged, 2), percent(w.Caught, 1), fixed(w.PSI, 3)})
	}
	return section{
		title: "Drift by week",
		text: "The model week by week, at the one threshold that challenges 1 % over all weeks. PSI is the population stability index of honest scores against the first week: " +
			"below 0.1 they lie as before, above 0.25 thresholds mean something else.",
		tables: []table{t},
	}
}

func (r *Report) bySetting() section {
	t := table{head: []string{"deployment", "honest", "takeovers"}}
	for _, name := range r.names() {
		t.head = append(t.head, name+": AUC", "caught")
	}
	for _, p := range r.Settings {
		name := p.Name
		if p.Apart {
			name += " (in no figure above)"
		}
		row := []string{name, whole(p.Rows[0]), whole(p.Rows[1])}
		for k := range p.AUC {
			row = append(row, fixed(p.AUC[k], 4), percent(p.Caught[k], 1))
		}
		t.rows = append(t.rows, row)
	}
	return section{title: "By deployment", text: "Each with its own threshold at 1 % of its honest attempts.", tables: []table{t}}
}

func (r *Report) study() section {
	t := table{head: []string{"attacker", "attacks caught", "attacks"}}
	for _, n := range rba.Sizes() {
		t.head = append(t.head, fmt.Sprintf("RBA after %d", n), "study")
	}
	t.head = append(t.head, "RBA share at 39", "study", "model share at 39", "model / RBA")
	s := section{
		title: "The published study",
		text: fmt.Sprintf("Risk-based authentication as Wiefling et al. (ACM TOPS 2022, doi 10.1145/3546069) evaluated it, again on %s: %d successful logins of %d users, none of them trained on. "+
			"Numbers after 4, 12 and 39 logins are the median over users of the challenges they met, at the threshold that catches the share of attacks named; shares are of the logins. "+
			"Naive, VPN and targeted attacks are made up as in the study, very targeted ones are takeovers that happened. "+
			"The study's people logged in to another service in another country: its columns are a yardstick of kind, the last column is the comparison on the same events. "+
			"What sets a threshold at 99.5 %% is the one attack in two hundred that looks most like its victim: here attackers also come from homes in the victim's country, and a user agent is shared by many, so that the RBA score challenges more people than in the study.",
			r.Study.Source, r.Study.Logins, r.Study.Users),
	}
	for i := range r.Study.Rows {
		row := &r.Study.Rows[i]
		cells := []string{row.Attacker, percent(row.TPR, 1), whole(row.Attacks)}
		for _, n := range rba.Sizes() {
			cells = append(cells, rba.Tell(row.RBA.Counts[n-1], 1), rba.Tell(row.At(n), 0))
		}
		model := math.NaN()
		if row.Other != nil {
			model = row.Other.Shares[rba.Longest-1]
		}
		cells = append(cells, fixed(row.RBA.Shares[rba.Longest-1], 3), fixed(row.At(rba.Longest)/rba.Longest, 3), fixed(model, 3), fixed(row.Ratio(), 3))
		t.rows = append(t.rows, cells)
		if row.Attacker == rba.VeryTargeted {
			s.charts = append(s.charts, studyChart(row))
		}
	}
	s.tables = []table{t}
	return s
}

// studyChart draws the median share of logins challenged by size of history.
func studyChart(row *rba.Row) chart {
	points := func(of func(n int) float64) (p []Point) {
		for n := 1; n <= rba.Longest; n++ {
			p = append(p, Point{float64(n), of(n)})
		}
		return p
	}
	c := chart{
		title: fmt.Sprintf("Median share of logins challenged, %s of very targeted attacks caught", percent(row.TPR, 0)),
		x:     axis{label: "logins so far", ticks: []float64{1, 10, 20, 30, 39}}, y: shares(),
		lines: []line{
			{name: "RBA score", colour: 1, points: points(func(n int) float64 { return row.RBA.Shares[n-1] })},
			{name: "published", colour: 1, dashed: true, points: points(func(n int) float64 { return row.At(n) / float64(n) })},
		},
	}
	if row.Other != nil {
		c.lines = slices.Insert(c.lines, 0, line{name: "model", points: points(func(n int) float64 { return row.Other.Shares[n-1] })})
	}
	return c
}

func (r *Report) leaks() section {
	families := table{head: []string{"features alone", "all attacks"}}
	var present []int
	for f := range r.Families {
		if r.Families[f].Rows > 0 {
			present = append(present, f+1)
			families.head = append(families.head, r.Families[f].Name)
		}
	}
	row := func(a *Alone) []string {
		cells := []string{a.Name, fixed(a.AUC, 3)}
		for _, f := range present {
			cells = append(cells, fixed(a.Of[f], 3))
		}
		return cells
	}
	for i := range r.Leaks.Families {
		families.rows = append(families.rows, row(&r.Leaks.Families[i]))
	}
	single := table{head: families.head}
	ranked := slices.SortedFunc(slices.Values(r.Leaks.Features), func(a, b Alone) int { return cmp.Or(cmp.Compare(b.AUC, a.AUC), cmp.Compare(a.Name, b.Name)) })
	for i := range ranked[:min(best, len(ranked))] {
		single.rows = append(single.rows, row(&ranked[i]))
	}
	above := r.Leaks.explained()
	s := section{
		title: "What single features know",
		text: fmt.Sprintf("AUC of each family of features alone (a logistic regression on them), and of the %d best single features, in whatever order serves them best. "+
			"What is above %g against a family of %d takeovers or more is explained or a leak of the label. Unexplained: %d.",
			best, Suspect, fewestAttacks, len(r.Leaks.Unexplained())),
		tables: []table{families, single},
	}
	if len(above.rows) > 0 {
		s.tables = append(s.tables, above)
	}
	return s
}

// explained puts together what one reason explains against one attack.
func (l *Leaks) explained() table {
	t := table{head: []string{"against", "AUC above " + short(Suspect) + " alone", "why that is no leak"}}
	names := map[[2]string][]string{}
	var order [][2]string
	for _, a := range l.Above {
		key := [2]string{cmp.Or(a.Attack, "all attacks"), cmp.Or(a.Why, "UNEXPLAINED")}
		if names[key] == nil {
			order = append(order, key)
		}
		names[key] = append(names[key], a.Name+" "+fixed(a.AUC, 3))
	}
	slices.SortStableFunc(order, func(a, b [2]string) int { return cmp.Compare(a[0], b[0]) })
	for _, key := range order {
		t.rows = append(t.rows, []string{key[0], strings.Join(names[key], ", "), key[1]})
	}
	return t
}

// shortName makes "RBA score" "rba_score".
func shortName(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(name), ",", ""), " ", "_")
}

// rounded keeps four significant digits.
func rounded(x float64) float64 {
	short, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 4, 64), 64)
	if err != nil {
		return x
	}
	return short
}
