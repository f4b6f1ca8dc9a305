package lint

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// budgets checks the sizes of files, functions, packages and of the module, and
// that no function is called init. What a generator wrote has no length limit.
func (a *audit) budgets() {
	interfaces := []string{}
	for _, f := range a.files {
		if f.test {
			continue
		}
		if f.lines > a.FileLines && !f.generated {
			a.whole(f.path, "has %d lines, the budget of a file is %d", f.lines, a.FileLines)
		}
		a.functions(f)
		interfaces = append(interfaces, interfacesOf(f)...)
	}
	for _, dir := range a.dirs() {
		a.packageLines(dir)
	}
	if n := a.counted(); n > a.Packages {
		a.whole("go.mod", "the module has %d packages, the budget is %d", n, a.Packages)
	}
	if n := len(interfaces); n > a.Interfaces {
		a.whole("go.mod", "the module declares %d interfaces, the budget is %d: %s", n, a.Interfaces, strings.Join(interfaces, " "))
	}
}

// counted returns how many packages the product has.
func (a *audit) counted() (n int) {
	for dir := range a.packages {
		if !slices.ContainsFunc(a.Measures, func(m string) bool { return dir == m || strings.HasPrefix(dir, m+"/") }) {
			n++
		}
	}
	return n
}

func (a *audit) packageLines(dir string) {
	lines := 0
	for _, f := range a.packages[dir] {
		if !f.test && !f.generated {
			lines += f.lines - a.tableLines(f)
		}
	}
	if lines > a.PackageLines {
		a.whole(dir, "has %d lines, the budget of a package is %d", lines, a.PackageLines)
	}
}

// tableLines returns how many lines of a file are constant tables: groups of
// constants, and package variables that are one composite literal. As in a function,
// they do not count: a row more is not more to understand.
func (a *audit) tableLines(f *file) (lines int) {
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST && g.Tok != token.VAR {
			continue
		}
		for _, spec := range g.Specs {
			v := spec.(*ast.ValueSpec)
			if g.Tok == token.CONST || len(v.Values) == 1 && isLiteral(v.Values[0]) {
				lines += a.fset.Position(v.End()).Line - a.fset.Position(v.Pos()).Line + 1
			}
		}
	}
	return lines
}

func (a *audit) functions(f *file) {
	ast.Inspect(f.File, func(n ast.Node) bool {
		switch fn := n.(type) {
		case *ast.FuncDecl:
			if fn.Name.Name == "init" && fn.Recv == nil {
				a.at(fn.Pos(), "no init(): build what is needed where it is needed")
			}
			a.length(f, fn.Name.Name, fn.Type.Pos(), fn.Body)
		case *ast.FuncLit:
			a.length(f, "a function literal", fn.Pos(), fn.Body)
		}
		return true
	})
}

func (a *audit) length(f *file, name string, start token.Pos, body *ast.BlockStmt) {
	if body == nil || f.generated || isTable(body) {
		return
	}
	lines := a.fset.Position(body.End()).Line - a.fset.Position(start).Line + 1
	if lines > a.FuncLines {
		a.at(start, "%s has %d lines, the budget of a function is %d", name, lines, a.FuncLines)
	}
}

// isTable reports whether a function only returns one composite literal. The
// function literals inside it are measured on their own.
func isTable(body *ast.BlockStmt) bool {
	if len(body.List) != 1 {
		return false
	}
	ret, ok := body.List[0].(*ast.ReturnStmt)
	if !ok || len(ret.Results) != 1 {
		return false
	}
	return isLiteral(ret.Results[0])
}

// isLiteral reports whether a value is one composite literal, or its address.
func isLiteral(value ast.Expr) bool {
	if address, ok := value.(*ast.UnaryExpr); ok && address.Op == token.AND {
		value = address.X
	}
	_, ok := value.(*ast.CompositeLit)
	return ok
}

// interfacesOf names the interface types that a file declares, constraints of
// type parameters left out.
func interfacesOf(f *file) []string {
	var names []string
	ast.Inspect(f.File, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok {
			if i, ok := spec.Type.(*ast.InterfaceType); ok && !isConstraint(i) {
				names = append(names, f.dir+"."+spec.Name.Name)
			}
		}
		return true
	})
	return names
}

func isConstraint(i *ast.InterfaceType) bool {
	for _, m := range i.Methods.List {
		if len(m.Names) > 0 {
			continue
		}
		switch t := m.Type.(type) {
		case *ast.BinaryExpr, *ast.UnaryExpr: // A | B, ~A
			return true
		case *ast.Ident:
			if t.Name == "comparable" {
				return true
			}
		}
	}
	return false
}
