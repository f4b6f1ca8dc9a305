package lint

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// source is the text of a module, its Go files parsed.
type source struct {
	module   string
	fset     *token.FileSet
	files    []*file
	packages map[string][]*file // by folder; without testdata, nested modules and programs that the build ignores
	plain    []plain
}

type plain struct {
	path string
	data []byte
}

type file struct {
	*ast.File
	path, dir string
	lines     int
	test      bool
	generated bool
	ignored   bool              // constrained to "ignore": a program beside a package, run by hand
	imports   map[string]string // import path by the name that the file gives it
}

// read walks the module once. Every file that the policy reads as text is kept;
// Go files outside testdata and nested modules are parsed too.
func read(fsys fs.FS, p Policy) (*source, error) {
	mod, err := fs.ReadFile(fsys, "go.mod")
	if err != nil {
		return nil, err
	}
	s := &source{module: modulePath(mod), fset: token.NewFileSet(), packages: map[string][]*file{}}
	if s.module == "" {
		return nil, errors.New("go.mod names no module")
	}
	err = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains(p.Outside, name):
			return fs.SkipDir
		case !d.Type().IsRegular() || !matches(p.Texts, name):
			return nil
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		s.plain = append(s.plain, plain{name, data})
		if path.Ext(name) != ".go" || foreign(fsys, path.Dir(name)) {
			return nil
		}
		return s.parse(name, data)
	})
	return s, err
}

func (s *source) parse(name string, data []byte) error {
	// Objects are resolved: variables needs to tell a local name from the package's.
	tree, err := parser.ParseFile(s.fset, name, data, parser.ParseComments)
	if err != nil {
		return err
	}
	f := &file{
		File:      tree,
		path:      name,
		dir:       path.Dir(name),
		lines:     bytes.Count(data, []byte("\n")),
		test:      strings.HasSuffix(name, "_test.go"),
		generated: ast.IsGenerated(tree),
		ignored:   ignored(tree),
		imports:   map[string]string{},
	}
	for _, im := range tree.Imports {
		to, err := strconv.Unquote(im.Path.Value)
		if err != nil {
			return fmt.Errorf("%s: import path: %w", name, err)
		}
		f.imports[importName(im, to)] = to
	}
	s.files = append(s.files, f)
	if !f.ignored {
		s.packages[f.dir] = append(s.packages[f.dir], f)
	}
	return nil
}

// dirs returns the folders that hold packages, sorted.
func (s *source) dirs() []string { return slices.Sorted(maps.Keys(s.packages)) }

// folder returns the module's folder of an import path.
func (s *source) folder(importPath string) (string, bool) {
	if importPath == s.module {
		return ".", true
	}
	return strings.CutPrefix(importPath, s.module+"/")
}

func modulePath(mod []byte) string {
	for line := range strings.Lines(string(mod)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "module "); ok {
			return strings.Trim(strings.TrimSpace(name), `"`)
		}
	}
	return ""
}

// foreign reports whether a folder is test data or part of a nested module.
func foreign(fsys fs.FS, dir string) bool {
	for ; dir != "."; dir = path.Dir(dir) {
		if path.Base(dir) == "testdata" {
			return true
		}
		if _, err := fs.Stat(fsys, dir+"/go.mod"); err == nil {
			return true
		}
	}
	return false
}

func ignored(tree *ast.File) bool {
	for _, group := range tree.Comments {
		if group.Pos() > tree.Package {
			break
		}
		for _, c := range group.List {
			if x, err := constraint.Parse(c.Text); err == nil && x.String() == "ignore" {
				return true
			}
		}
	}
	return false
}

// importName is the name under which a file knows an import. Without an alias it
// is taken from the path: the last element that is not a major version.
func importName(im *ast.ImportSpec, to string) string {
	if im.Name != nil {
		return im.Name.Name
	}
	base := path.Base(to)
	if strings.HasPrefix(base, "v") && strings.Trim(base[1:], "0123456789") == "" && base != "v" {
		base = path.Base(path.Dir(to))
	}
	return base
}

// matches reports whether a pattern fits the base name of a file or its path.
func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		base, _ := path.Match(p, path.Base(name))
		whole, _ := path.Match(p, name)
		return base || whole
	})
}

// within reports whether a path is one of the folders or lies under one.
func within(name string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(f string) bool {
		return name == f || strings.HasPrefix(name, f+"/")
	})
}
