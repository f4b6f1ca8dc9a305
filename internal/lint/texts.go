package lint

import (
	"bytes"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// comments checks that each package has a comment that begins with a question.
func (a *audit) comments() {
	for _, dir := range a.dirs() {
		files := slices.Clone(a.packages[dir])
		if slices.ContainsFunc(files, func(f *file) bool { return !f.test }) {
			files = slices.DeleteFunc(files, func(f *file) bool { return f.test })
		}
		files = slices.DeleteFunc(files, func(f *file) bool { return f.Doc == nil })
		if len(files) == 0 {
			a.whole(dir, "has no package comment")
		}
		for _, f := range files {
			if !asks(f.Doc.Text()) {
				a.at(f.Doc.Pos(), "the package comment does not begin with the question the package answers")
			}
		}
	}
}

// asks reports whether the first sentence of a comment is a question.
func asks(doc string) bool {
	paragraph, _, _ := strings.Cut(doc, "\n\n")
	words := strings.Fields(paragraph)
	end := slices.IndexFunc(words, func(w string) bool { return strings.ContainsAny(w[len(w)-1:], ".?!") })
	return end >= 0 && strings.HasSuffix(words[end], "?")
}

// texts checks what may not be written in any file: work put off, paths of one
// machine, and skipped tests that do not say why.
func (a *audit) texts() {
	deferred := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME)\b`)
	machine := regexp.MustCompile(`(?:^|[^\w./$}~-])/(?:work|home|root|tmp)/`)
	for _, p := range a.plain {
		line := 0
		for text := range bytes.Lines(p.data) {
			line++
			at := token.Position{Filename: p.path, Line: line}
			if m := deferred.Find(text); m != nil {
				a.found = append(a.found, finding{at, string(m) + ": do it, or file it where work is planned"})
			}
			if path.Ext(p.path) != ".go" && machine.Match(text) {
				a.found = append(a.found, finding{at, "names a path of one machine"})
			}
		}
	}
	for _, f := range a.files {
		a.literals(f, machine)
		a.skips(f)
	}
}

// literals looks for machine paths in the strings of a Go file. Tests may hold
// them as input.
func (a *audit) literals(f *file, machine *regexp.Regexp) {
	if f.test {
		return
	}
	ast.Inspect(f.File, func(n ast.Node) bool {
		lit, ok := n.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return true
		}
		if text, err := strconv.Unquote(lit.Value); err == nil && machine.MatchString(text) {
			a.at(lit.Pos(), "names a path of one machine")
		}
		return true
	})
}

func (a *audit) skips(f *file) {
	if f.imports["testing"] == "" {
		return
	}
	ast.Inspect(f.File, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		fun, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || !strings.HasPrefix(fun.Sel.Name, "Skip") {
			return true
		}
		if on, ok := fun.X.(*ast.Ident); ok && slices.Contains([]string{"t", "b", "f", "tb"}, on.Name) && silent(fun.Sel.Name, call.Args) {
			a.at(call.Pos(), "skips a test without saying why")
		}
		return true
	})
}

func silent(method string, args []ast.Expr) bool {
	switch method {
	case "SkipNow":
		return true
	case "Skip", "Skipf":
		if len(args) == 0 {
			return true
		}
		first, ok := args[0].(*ast.BasicLit)
		return ok && (first.Value == `""` || first.Value == "``")
	}
	return false
}
