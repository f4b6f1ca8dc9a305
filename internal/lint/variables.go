package lint

import (
	"go/ast"
	"go/token"
	"strings"
)

// variable is a package variable: the folder, and its name in it.
type variable struct{ dir, name string }

// variables checks that package variables are sentinel errors, embedded files,
// metrics or constant tables, and that nothing assigns to one.
func (a *audit) variables() {
	declared := map[variable]bool{}
	specs := map[any]bool{} // the declarations at package level, to tell a local of the same name
	for _, f := range a.files {
		for _, decl := range f.Decls {
			group, ok := decl.(*ast.GenDecl)
			if !ok || group.Tok != token.VAR || f.test || f.ignored {
				continue
			}
			for _, spec := range group.Specs {
				v := spec.(*ast.ValueSpec)
				specs[v] = true
				a.declaration(f, group, v)
				for _, name := range v.Names {
					declared[variable{f.dir, name.Name}] = true
				}
			}
		}
	}
	for _, f := range a.files {
		for _, target := range targets(f.File) {
			v, ok := a.rooted(f, specs, target)
			if ok && declared[v] {
				a.at(target.Pos(), "assigns to the package variable %s of %s", v.name, v.dir)
			}
		}
	}
}

func (a *audit) declaration(f *file, group *ast.GenDecl, v *ast.ValueSpec) {
	if embeds(group.Doc) || embeds(v.Doc) {
		return
	}
	for i, name := range v.Names {
		if name.Name == "_" { // a compile-time assertion declares nothing
			continue
		}
		var value ast.Expr
		if len(v.Values) == len(v.Names) {
			value = v.Values[i]
		}
		if !a.allowed(f, name.Name, v.Type, value) {
			a.at(name.Pos(), "package variable %s is no sentinel error, embedded file, metric or constant table", name.Name)
		}
	}
}

func (a *audit) allowed(f *file, name string, typ, value ast.Expr) bool {
	if f.Name.Name == "main" && name == a.Linked {
		_, text := value.(*ast.BasicLit)
		return text
	}
	if array, ok := typ.(*ast.ArrayType); ok && array.Len != nil && value != nil {
		return true
	}
	switch v := value.(type) {
	case *ast.CompositeLit:
		return len(v.Elts) > 0 // an empty one is memory to be filled, not a table
	case *ast.CallExpr:
		return a.allowedCall(f, name, v)
	}
	return false
}

func (a *audit) allowedCall(f *file, name string, call *ast.CallExpr) bool {
	switch fun := call.Fun.(type) {
	case *ast.ArrayType: // a conversion: []byte("...")
		return true
	case *ast.FuncLit:
		return returnsArray(fun.Type)
	case *ast.Ident:
		if madeOfLiterals(fun.Name, call.Args) {
			return true
		}
		for _, other := range a.packages[f.dir] {
			for _, decl := range other.Decls {
				if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == fun.Name {
					return returnsArray(fn.Type)
				}
			}
		}
	case *ast.SelectorExpr:
		pkg, ok := fun.X.(*ast.Ident)
		if !ok {
			return false
		}
		switch from := f.imports[pkg.Name]; from {
		case "errors", "fmt":
			return sentinel(name) && (fun.Sel.Name == "New" || fun.Sel.Name == "Errorf")
		default:
			return from != "" && from == a.Metrics
		}
	}
	return false
}

// madeOfLiterals reports whether a call is a table's constructor, such as
// newShape, over rows that are written out.
func madeOfLiterals(constructor string, rows []ast.Expr) bool {
	for _, row := range rows {
		if _, literal := row.(*ast.CompositeLit); !literal {
			return false
		}
	}
	return strings.HasPrefix(constructor, "new") && len(rows) > 0
}

func sentinel(name string) bool {
	return strings.HasPrefix(name, "Err") || strings.HasPrefix(name, "err")
}

// returnsArray reports whether a function's one result is an array: a value
// that is copied, as a table is.
func returnsArray(fn *ast.FuncType) bool {
	if fn.Results == nil || fn.Results.NumFields() != 1 {
		return false
	}
	array, ok := fn.Results.List[0].Type.(*ast.ArrayType)
	return ok && array.Len != nil
}

func embeds(doc *ast.CommentGroup) bool {
	if doc == nil {
		return false
	}
	for _, c := range doc.List {
		if strings.HasPrefix(c.Text, "//go:embed ") {
			return true
		}
	}
	return false
}

// targets returns what a file assigns to: the left sides, what ++ and range
// write, and what delete, clear and copy change.
func targets(f *ast.File) []ast.Expr {
	var all []ast.Expr
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				all = append(all, n.Lhs...)
			}
		case *ast.IncDecStmt:
			all = append(all, n.X)
		case *ast.RangeStmt:
			if n.Tok == token.ASSIGN {
				all = append(all, n.Key)
				if n.Value != nil {
					all = append(all, n.Value)
				}
			}
		case *ast.CallExpr:
			if fun, ok := n.Fun.(*ast.Ident); ok && len(n.Args) > 0 {
				switch fun.Name {
				case "delete", "clear", "copy":
					all = append(all, n.Args[0])
				}
			}
		}
		return true
	})
	return all
}

// rooted finds the package variable at the root of an expression such as
// table[i].field, in this package or, by its import, in another of the module.
func (a *audit) rooted(f *file, specs map[any]bool, x ast.Expr) (variable, bool) {
	for {
		switch e := x.(type) {
		case *ast.ParenExpr:
			x = e.X
		case *ast.StarExpr:
			x = e.X
		case *ast.IndexExpr:
			x = e.X
		case *ast.SliceExpr:
			x = e.X
		case *ast.SelectorExpr:
			if pkg, ok := e.X.(*ast.Ident); ok && pkg.Obj == nil && f.imports[pkg.Name] != "" {
				dir, own := a.folder(f.imports[pkg.Name])
				return variable{dir, e.Sel.Name}, own
			}
			x = e.X
		case *ast.Ident:
			// A name that the file does not resolve belongs to the package, as
			// does one declared by a statement at package level.
			global := e.Obj == nil || specs[e.Obj.Decl]
			return variable{f.dir, e.Name}, global && !strings.HasSuffix(f.Name.Name, "_test")
		default:
			return variable{}, false
		}
	}
}
