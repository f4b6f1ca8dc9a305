package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Where the figures of the last whole run are kept, and the page with their table,
// from the root of the repository.
const (
	figuresFile = "bench/figures.tsv"
	modelsPage  = "docs/models-figures.md"
)

// Between these lines of the page stands what tables makes of the figures.
const (
	tablesBegin = "<!-- made by bench/figures from bench/figures.tsv -->\n"
	tablesEnd   = "<!-- end -->\n"
)

// writePage brings the page's tables up to date with the figures.
func writePage(page, figures string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	of, err := os.ReadFile(figures)
	if err != nil {
		return err
	}
	made, err := withTables(text, of)
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	return os.WriteFile(page, made, 0o644)
}

// withTables returns the page with the tables of those figures.
func withTables(page, figures []byte) ([]byte, error) {
	before, rest, ok := bytes.Cut(page, []byte(tablesBegin))
	_, after, ended := bytes.Cut(rest, []byte(tablesEnd))
	if !ok || !ended {
		return nil, errors.New("the lines between which the tables stand are missing")
	}
	return slices.Concat(before, []byte(tablesBegin), []byte(tables(string(figures))), []byte(tablesEnd), after), nil
}

// entry is what the figures say of one way of scoring a trial: numbers by name.
type entry struct {
	way    string
	values map[string]string
}

func (e *entry) number(name string) float64 {
	v, err := strconv.ParseFloat(e.values[name], 64)
	if err != nil {
		return 0
	}
	return v
}

// entries reads the notes "# model TRIAL WAY name=value..." and "# limit ...".
func entries(figures, trial string) []*entry {
	var all []*entry
	for line := range strings.Lines(figures) {
		words := strings.Fields(line)
		if len(words) < 5 || words[0] != "#" || words[1] != "model" && words[1] != "limit" || words[2] != trial {
			continue
		}
		i := slices.IndexFunc(all, func(e *entry) bool { return e.way == words[3] })
		if i < 0 {
			i = len(all)
			all = append(all, &entry{words[3], map[string]string{}})
		}
		for _, w := range words[4:] {
			if name, value, ok := strings.Cut(w, "="); ok {
				all[i].values[name] = value
			}
		}
	}
	return slices.DeleteFunc(all, func(e *entry) bool { return e.number("us") == 0 })
}

// kernels are our own ways that a peer is set against.
func kernels() []string { return []string{"avx512", "avx2", "go"} }

// label says what a way is.
func label(way string) string {
	known := map[string]string{
		"avx512":            "**AVX-512 kernel**",
		"avx2":              "**AVX2 kernel**",
		"go":                "**portable kernel**, Go",
		"plain":             "our plain walk, Go",
		"attribution":       "what serves, with attribution",
		"leaves":            "leaves, Go",
		"lightgbm":          "LightGBM single-row-fast, called from Go",
		"lightgbm_c_loop":   "LightGBM single-row-fast, loop in C",
		"lleaves":           "lleaves, loop in C",
		"tl2cgen":           "tl2cgen, loop in C",
		"tl2cgen_quantized": "tl2cgen quantized, loop in C",
		"onnxruntime":       "onnxruntime, loop in C",
	}
	if text, ok := known[way]; ok {
		return text
	}
	return way
}

// tables makes the page's tables of figures as they are kept.
func tables(figures string) string {
	var b strings.Builder
	if first, _, _ := strings.Cut(figures, "\n"); strings.HasPrefix(first, "# ") {
		fmt.Fprintf(&b, "\nMeasured on: %s.\n", first[2:])
	}
	for _, trial := range trials() {
		all := entries(figures, trial)
		if len(all) == 0 {
			fmt.Fprintf(&b, "\n### %s\n\nNot in the last whole run.\n", trial)
			continue
		}
		dims := strings.Split(trial, "x")
		fmt.Fprintf(&b, "\n### %s trees, %s leaves, %s features\n\n", dims[0], dims[1], dims[2])
		peersTable(&b, all)
		limitsTable(&b, all)
	}
	b.WriteString("\n")
	return b.String()
}

func peersTable(b *strings.Builder, all []*entry) {
	own := slices.DeleteFunc(kernels(), func(k string) bool { return of(all, k) == nil })
	b.WriteString("| one row at a time | us | cold, us |")
	for _, k := range own {
		fmt.Fprintf(b, " against %s |", k)
	}
	b.WriteString(" allocations | rows equal, bit for bit | most apart |\n|---|---|---|" + strings.Repeat("---|", len(own)) + "---|---|---|\n")
	for _, e := range all {
		fmt.Fprintf(b, "| %s | %.2f | %.1f |", label(e.way), e.number("us"), e.number("cold_us"))
		for _, k := range own {
			fmt.Fprintf(b, " %.1f |", e.number("us")/of(all, k).number("us"))
		}
		fmt.Fprintf(b, " %s | %s | %s |\n", e.values["allocations"], strings.Replace(e.values["equal"], "/", " of ", 1), e.values["apart"])
	}
}

func of(all []*entry, way string) *entry {
	if i := slices.IndexFunc(all, func(e *entry) bool { return e.way == way }); i >= 0 {
		return all[i]
	}
	return nil
}

// limitsTable sets the time of a row beside what the processor did in it.
func limitsTable(b *strings.Builder, all []*entry) {
	limited := slices.DeleteFunc(slices.Clone(all), func(e *entry) bool { return e.number("instructions") == 0 && e.number("bytes") == 0 })
	if len(limited) == 0 {
		return
	}
	ghz := 0.0
	for _, e := range limited {
		ghz = max(ghz, e.number("ghz"))
	}
	fmt.Fprintf(b, "\n| at %.1f GHz | us | instructions a row | in a cycle | bytes of tables | us to read them once |\n|---|---|---|---|---|---|\n", ghz)
	for _, e := range limited {
		fmt.Fprintf(b, "| %s | %.2f |", label(e.way), e.number("us"))
		if n := e.number("instructions"); n > 0 && ghz > 0 {
			fmt.Fprintf(b, " %.0f | %.1f |", n, n/(e.number("us")*1e3*ghz))
		} else {
			b.WriteString(" not counted | |")
		}
		if n := e.number("bytes"); n > 0 {
			fmt.Fprintf(b, " %.0f | %.2f |\n", n, e.number("read_us"))
		} else {
			b.WriteString(" | |\n")
		}
	}
}
