package evaluation

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// chart is lines over two axes, drawn as SVG without anything from outside it.
type chart struct {
	title string
	x, y  axis
	lines []line
}

// axis is an axis: from its first tick to its last.
type axis struct {
	label string
	ticks []float64
	log   bool
	share bool // ticks are told in percent
}

// line is one of a chart; values that are NaN or outside the axes break it.
type line struct {
	name   string
	colour int // by number, of the page's
	dashed bool
	points []Point
}

// A chart's size in its own units, which the page scales: on a phone about one to
// a pixel.
const (
	wide, high  = 420, 290
	left, right = 46, 398
	top, bottom = 12, 244
	lineHeight  = 16
)

// at returns where a value is between the ends of an axis, from 0 to 1.
func (a *axis) at(v float64) float64 {
	low, high := a.ticks[0], a.ticks[len(a.ticks)-1]
	if a.log {
		v, low, high = math.Log(v), math.Log(low), math.Log(high)
	}
	return (v - low) / (high - low)
}

func (a *axis) tell(v float64) string {
	if a.share {
		return short(100*v) + " %"
	}
	return short(v)
}

// short tells a number in three digits.
func short(v float64) string {
	if math.Abs(v) >= 1000 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// shares are the ticks of an axis from none to all.
func shares() axis { return axis{ticks: []float64{0, 0.2, 0.4, 0.6, 0.8, 1}, share: true} }

// svg draws the chart. Text in it is escaped.
func (c *chart) svg() template.HTML {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img" aria-label="%s">`, wide, high, template.HTMLEscapeString(c.title))
	for _, v := range c.x.ticks {
		x := left + (right-left)*c.x.at(v)
		fmt.Fprintf(&b, `<line class="grid" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>`,
			x, top, x, bottom, x, bottom+lineHeight, c.x.tell(v))
	}
	for _, v := range c.y.ticks {
		y := bottom - (bottom-top)*c.y.at(v)
		fmt.Fprintf(&b, `<line class="grid" x1="%d" y1="%.1f" x2="%d" y2="%.1f"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`,
			left, y, right, y, left-5, y+4, c.y.tell(v))
	}
	fmt.Fprintf(&b, `<text class="axis" x="%d" y="%d" text-anchor="middle">%s</text>`, (left+right)/2, high-8, template.HTMLEscapeString(c.x.label))
	for i := len(c.lines) - 1; i >= 0; i-- { // the first on top
		c.draw(&b, &c.lines[i])
	}
	b.WriteString("</svg>")
	return template.HTML(b.String()) // made of numbers and escaped text
}

// draw draws a line as one path.
func (c *chart) draw(b *strings.Builder, l *line) {
	var path strings.Builder
	pen := "M"
	for _, p := range l.points {
		x, y := c.x.at(p.X), c.y.at(p.Y)
		if !(x >= -1e-9 && x <= 1+1e-9 && y >= -1e-9 && y <= 1+1e-9) { // NaN too
			pen = "M"
			continue
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", pen, left+(right-left)*x, bottom-(bottom-top)*y)
		pen = "L"
	}
	dashed := ""
	if l.dashed {
		dashed = " dashed"
	}
	fmt.Fprintf(b, `<path class="line c%d%s" d="%s"><title>%s</title></path>`, l.colour, dashed, path.String(), template.HTMLEscapeString(l.name))
}
