package main

import (
	"fmt"
	"html/template"
	"math"
	"strings"

	"github.com/waryauth/wary/bench/population"
)

// point is one of a line: a day and a share.
type point struct{ x, y float64 }

// line is one of a plot; its number is its colour on the page.
type line struct {
	name   string
	points []point
}

// A plot's size in its own units, which the page scales.
const (
	wide, high  = 620, 280
	left, right = 52, 600
	top, bottom = 12, 236
)

// draw draws lines over the days, up to a share, with marks where the new attack and
// its first label come.
func (s *story) draw(title string, most float64, lines []line) plot {
	p := plot{Title: title}
	var b strings.Builder
	x := func(day float64) float64 { return left + (right-left)*day/float64(s.days) }
	y := func(share float64) float64 { return bottom - (bottom-top)*math.Min(share/most, 1) }
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img" aria-label="%s">`, wide, high, template.HTMLEscapeString(title))
	for i := 0; i <= 4; i++ {
		share := most * float64(i) / 4
		fmt.Fprintf(&b, `<line class="grid" x1="%d" y1="%.1f" x2="%d" y2="%.1f"/><text x="%d" y="%.1f" text-anchor="end">%.3g %%</text>`, left, y(share), right, y(share), left-6, y(share)+4, 100*share)
	}
	for day := 0; day <= s.days; day += 7 {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%d</text>`, x(float64(day)), bottom+18, day)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">days</text>`, (left+right)/2, bottom+36)
	for _, mark := range []struct {
		day  float64
		what string
	}{{begins, "attack begins"}, {s.first, "first label"}, {s.first + wantedDays, "two weeks later"}} {
		fmt.Fprintf(&b, `<line class="mark" x1="%.1f" y1="%d" x2="%.1f" y2="%d"><title>%s</title></line>`, x(mark.day), top, x(mark.day), bottom, mark.what)
	}
	for i, l := range lines {
		var path strings.Builder
		pen := "M"
		for _, q := range l.points {
			if math.IsNaN(q.y) {
				pen = "M"
				continue
			}
			fmt.Fprintf(&path, "%s%.1f %.1f", pen, x(q.x), y(q.y))
			pen = "L"
		}
		fmt.Fprintf(&b, `<path class="line c%d" d="%s"><title>%s</title></path>`, i, path.String(), template.HTMLEscapeString(l.name))
		p.Lines = append(p.Lines, l.name)
	}
	b.WriteString("</svg>")
	p.SVG = template.HTML(b.String()) // numbers and escaped text
	return p
}

// plots are recall on the paper by champion, and what the deployment saw by week.
func (s *story) plots() []plot {
	fresh, others := line{name: s.family.String() + ", on people that no model was grown from"}, line{name: "all other families, there"}
	for i, r := range s.reigns {
		until := float64(s.days)
		if i+1 < len(s.reigns) {
			until = s.reigns[i+1].day
		}
		fresh.points = append(fresh.points, point{r.day, r.exam.caught[s.family]}, point{until, r.exam.caught[s.family]})
		rest := s.rest(&r.exam)
		others.points = append(others.points, point{r.day, rest}, point{until, rest})
	}
	live, honest := line{name: s.family.String() + ", stopped in the deployment, by week"}, line{name: "honest successes challenged or denied, by week"}
	for i, w := range s.weeks() {
		middle := float64(7*i) + 3.5
		live.points = append(live.points, point{middle, w.stopped[ofNew] / w.entries[ofNew]}) // 0/0 is NaN
		honest.points = append(honest.points, point{middle, w.challenged / w.honest})
	}
	return []plot{
		s.draw("Caught at 1 % challenged", 1, []line{fresh, others, live}),
		s.draw("False challenges", 0.04, []line{honest}),
	}
}

// rest returns what of the other families is caught.
func (s *story) rest(e *exam) float64 {
	var caught, all float64
	for f := population.Family(1); int(f) < population.FamilyCount; f++ {
		if f != s.family {
			caught += e.caught[f] * float64(e.entries[f])
			all += float64(e.entries[f])
		}
	}
	return caught / math.Max(all, 1)
}
