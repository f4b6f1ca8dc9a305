// Package lint answers: does the code keep the house rules?
//
// [House] is the policy as data: the rooms in the order the data flows, what may
// never be reached, and the budgets. [Check] reads a module's source files itself
// and returns what breaks the policy. It runs no command: the output of a
// command is not among the inputs by which go test caches a result, so a test
// built on one keeps passing after the code has changed.
//
// The package's own tests hold this module to the policy, and plant each
// violation once in a small module to see it caught.
package lint

import (
	"cmp"
	"fmt"
	"go/token"
	"io/fs"
	"slices"
)

// Policy is what a module is held to. Folders are slash-separated and relative
// to the module's root; a folder stands for everything under it as well.
type Policy struct {
	Rooms       []string      // top-level folders in the order the data flows: one imports only those above it
	Measures    []string      // folders that simulate, measure and test: they do not count as packages of the product
	Joins       []string      // rooms whose folders may import their own children and siblings
	Unreachable []Unreachable // imports refused however long the chain

	FileLines    int // lines of a file
	FuncLines    int // lines of a function, from its first to its last
	PackageLines int // lines of a package without its tests and constant tables
	Depth        int // packages on the longest chain of imports within the module
	Packages     int // folders that hold Go source, those of Measures left out
	Interfaces   int // interface types declared, constraints not counted

	Metrics string // import path whose calls may initialise a package variable
	Linked  string // the one variable of a main package that the linker sets

	Texts   []string // patterns, of a base name or a whole path, of the files read as text
	Outside []string // folders that are no part of the source
}

// Unreachable says that no folder of From may import one of To, directly or
// through others. An entry of To is a folder or another module's import path.
type Unreachable struct {
	From, To []string
}

// House is the policy of this module. It is not to be changed to make a build
// pass: an entry changes together with a page in docs/decisions.
func House() Policy {
	return Policy{
		Rooms:    []string{"internal", "signals", "features", "models", "engine", "authz", "console", "bench", "cmd"},
		Measures: []string{"bench", "internal/lint", "internal/store/storetest", "models/modeltest"},
		Joins:    []string{"bench", "cmd"},
		Unreachable: []Unreachable{
			{From: []string{"signals", "features", "models"}, To: []string{"internal/journal", "internal/store"}},
			{From: []string{"cmd/waryd"}, To: []string{"models/train", "github.com/ebitengine/purego"}},
		},
		FileLines:    600,
		FuncLines:    70,
		PackageLines: 4000,
		Depth:        8,
		Packages:     30,
		Interfaces:   10,
		Metrics:      "github.com/VictoriaMetrics/metrics",
		Linked:       "version",
		Texts:        []string{"*.go", "*.md", "*.sh", "*.yaml", "*.yml", "Makefile", ".ci/run"},
		Outside:      []string{".git", "data", "bin", "run"},
	}
}

// Check holds the module at the root of fsys to the policy and returns what
// breaks it, one "file:line: message" each, sorted by place. The error says
// that the source could not be read, or is not Go.
func Check(fsys fs.FS, p Policy) ([]string, error) {
	s, err := read(fsys, p)
	if err != nil {
		return nil, fmt.Errorf("read source: %w", err)
	}
	a := audit{Policy: p, source: s}
	a.imports()
	a.budgets()
	a.comments()
	a.variables()
	a.texts()
	slices.SortFunc(a.found, func(x, y finding) int {
		return cmp.Or(cmp.Compare(x.at.Filename, y.at.Filename), cmp.Compare(x.at.Line, y.at.Line), cmp.Compare(x.text, y.text))
	})
	var lines []string
	for _, f := range a.found {
		lines = append(lines, f.String())
	}
	return slices.Compact(lines), nil
}

// audit collects what breaks the policy in a source.
type audit struct {
	Policy
	*source
	found []finding
}

type finding struct {
	at   token.Position
	text string
}

func (f finding) String() string {
	if f.at.Line == 0 { // about a whole file or folder
		return f.at.Filename + ": " + f.text
	}
	return fmt.Sprintf("%s:%d: %s", f.at.Filename, f.at.Line, f.text)
}

func (a *audit) at(pos token.Pos, format string, args ...any) {
	a.found = append(a.found, finding{a.fset.Position(pos), fmt.Sprintf(format, args...)})
}

func (a *audit) whole(path, format string, args ...any) {
	a.found = append(a.found, finding{token.Position{Filename: path}, fmt.Sprintf(format, args...)})
}
