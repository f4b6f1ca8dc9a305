package authz

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/waryauth/wary/engine"
)

// TestATokenWithoutADecisionCannotBeWrittenDown holds the package to what its types
// promise, by its source: approvals are made of decisions, or of the policy where there is none, and whatever signs an
// access token or writes a code takes an approval.
func TestATokenWithoutADecisionCannotBeWrittenDown(t *testing.T) {
	pkg := source(t)
	makers := map[string]bool{}  // functions that make an Approval
	signers := map[string]bool{} // functions that name the type of access tokens to a signer
	takers := map[string]bool{}  // functions that spend an approval
	for name, fn := range pkg {
		ast.Inspect(fn, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit:
				if id, ok := n.Type.(*ast.Ident); ok && id.Name == "Approval" {
					makers[name] = true
				}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Sign" && len(n.Args) > 0 {
					if id, ok := n.Args[0].(*ast.Ident); ok && id.Name == "AccessTokenType" {
						signers[name] = true
					}
				}
				if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "take" {
					takers[name] = true
				}
			}
			return true
		})
	}
	for what, c := range map[string]struct {
		got  map[string]bool
		want []string
	}{
		"make approvals":     {makers, []string{"approval", "judge", "unanswered"}}, // judge: of a decision; approval: of one at rest; unanswered: of the policy's table of faults
		"sign access tokens": {signers, []string{"issue"}},
		"spend approvals":    {takers, []string{"issue", "issueCode"}},
	} {
		if got := slices.Sorted(maps.Keys(c.got)); !slices.Equal(got, c.want) {
			t.Errorf("functions that %s: %v, want %v", what, got, c.want)
		}
	}
	for _, name := range []string{"issue", "issueCode"} {
		if !takesApproval(pkg[name]) {
			t.Errorf("%s does not take an approval", name)
		}
	}
	if takesApproval(pkg["Revoke"]) {
		t.Error("the control: this looks for approvals and finds them everywhere")
	}
}

func source(t *testing.T) map[string]*ast.FuncDecl {
	t.Helper()
	fset := token.NewFileSet()
	files, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*ast.FuncDecl{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
				out[fn.Name.Name] = fn
			}
		}
	}
	return out
}

func takesApproval(fn *ast.FuncDecl) bool {
	return slices.ContainsFunc(fn.Type.Params.List, func(f *ast.Field) bool {
		star, ok := f.Type.(*ast.StarExpr)
		if !ok {
			return false
		}
		id, ok := star.X.(*ast.Ident)
		return ok && id.Name == "Approval"
	})
}

// TestOtherPackagesCannotMakeAnApproval compiles what another package might try.
func TestOtherPackagesCannotMakeAnApproval(t *testing.T) {
	fset := token.NewFileSet()
	files, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	var parsed []*ast.File
	for _, name := range files {
		if !strings.HasSuffix(name, "_test.go") {
			f, err := parser.ParseFile(fset, name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			parsed = append(parsed, f)
		}
	}
	own := hollow{}
	config := types.Config{Importer: own, Error: func(error) {}} // imports are hollow: what they declare does not matter here
	pkg, _ := config.Check("authz", fset, parsed, nil)
	own["authz"] = pkg
	compile := func(body string) error {
		f, err := parser.ParseFile(fset, "other.go", "package other\n\nimport \"authz\"\n\nvar a *authz.Authority\n\n"+body, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = (&types.Config{Importer: own}).Check("other", fset, []*ast.File{f}, nil)
		return err
	}
	for body, want := range map[string]string{
		`var _ = authz.Approval{decision: "mine"}`:                                        "unexported field decision",
		`func f(p *authz.Approval) { p.decision = "mine" }`:                               "decision",
		`func f(p *authz.Approval) { a.issue(nil, p, nil, nil, authz.Possession{}, "") }`: "issue",
		`var _, _ = a.approve(nil, nil)`:                                                  "approve",
		`var _ = a.Keys().current()`:                                                      "current",
	} {
		if err := compile(body); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error about %q", body, err, want)
		}
	}
	if err := compile(`var _ = a.Issuer()`); err != nil { // the control: ordinary use compiles
		t.Error(err)
	}
	if (&Approval{}).take() || (*Approval)(nil).take() {
		t.Error("the zero approval, which another package can make, was good")
	}
}

// hollow imports empty packages, and those it was given.
type hollow map[string]*types.Package

func (h hollow) Import(path string) (*types.Package, error) {
	if p := h[path]; p != nil {
		return p, nil
	}
	p := types.NewPackage(path, path[strings.LastIndexByte(path, '/')+1:])
	p.MarkComplete()
	return p, nil
}

func TestAnApprovalIsGoodOnce(t *testing.T) {
	p := &Approval{stage: Redeemed, decision: "d"}
	if !p.take() || p.take() {
		t.Fatal("an approval is good exactly once")
	}
}

// TestNarrowingOnlyShrinks draws questions and decisions, sensible and not: what is
// approved is within what was asked and within what was decided, in the order asked.
func TestNarrowingOnlyShrinks(t *testing.T) {
	a := &Authority{}
	a.o.Lives.defaults()
	names := []string{"openid", "profile", "accounts", "payments", "admin", "x"}
	rapid.Check(t, func(t *rapid.T) {
		q := &question{stage: Redeemed, client: &Client{ID: "c"}, subject: "s", scopes: rapid.SliceOfDistinct(rapid.SampledFrom(names), rapid.ID).Draw(t, "asked")}
		for i := range rapid.IntRange(0, 4).Draw(t, "details") {
			q.details = append(q.details, Detail{Type: fmt.Sprint("t", i), Raw: fmt.Append(nil, i)})
		}
		d := &engine.Decision{Outcome: engine.Allow}
		d.Grant.Scopes = rapid.SliceOf(rapid.SampledFrom(names)).Draw(t, "granted")
		d.Grant.TTLSeconds = rapid.IntRange(1, 400).Draw(t, "ttl")
		for i := range d.Grant.Details {
			d.Grant.Details[i] = rapid.Bool().Draw(t, "stays")
		}
		v, err := a.judge(q, d)
		if err != nil {
			t.Fatal(err)
		}
		last := -1
		for _, s := range v.approval.scopes {
			at := slices.Index(q.scopes, s)
			if at <= last || !slices.Contains(d.Grant.Scopes, s) {
				t.Fatalf("approved %v of %v, decided %v", v.approval.scopes, q.scopes, d.Grant.Scopes)
			}
			last = at
		}
		kept := 0
		for i, detail := range q.details {
			in := slices.ContainsFunc(v.approval.details, func(x Detail) bool { return x.Type == detail.Type })
			if in != d.Grant.Details[i] {
				t.Fatalf("detail %d: approved %v, decided %v", i, in, d.Grant.Details[i])
			}
			if in {
				kept++
			}
		}
		if kept != len(v.approval.details) || len(v.approval.removed) != len(q.scopes)-len(v.approval.scopes)+len(q.details)-kept {
			t.Fatalf("%d kept and %d removed", kept, len(v.approval.removed))
		}
		for _, r := range v.approval.removed {
			if r.Because == "" {
				t.Fatal("removed without a reason")
			}
		}
	})
}
