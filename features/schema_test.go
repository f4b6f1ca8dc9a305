package features

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// familyPrefixes are how the names of a family's features begin: those of the
// signal catalogue.
var familyPrefixes = [Families][]string{
	Geo: {"geo."}, Network: {"net."}, Device: {"dev."}, Velocity: {"vel."}, Baseline: {"his."},
	Session: {"tok.", "beh."}, Intent: {"con.", "pay."}, Client: {"tpp."},
}

// schemaFaults returns what is wrong with a table of features.
func schemaFaults(rows []Feature) []string {
	var faults []string
	name := regexp.MustCompile(`^[a-z]+\.[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	reason := regexp.MustCompile(`^[A-Z]+(_[A-Z]+)*$`)
	seen := map[string]bool{}
	last := Family(0)
	for i, f := range rows {
		fault := func(what string) { faults = append(faults, what+": "+f.Name) }
		switch {
		case f == (Feature{}):
			faults = append(faults, "no row at "+strconv.Itoa(i))
			continue
		case f.Doc == "" || f.Unit == "" || f.Missing == "":
			fault("row with a gap")
		case f.Family < last:
			fault("family out of order")
		case seen[f.Name]:
			fault("duplicate name")
		case !name.MatchString(f.Name):
			fault("malformed name")
		case !slices.ContainsFunc(familyPrefixes[f.Family], func(p string) bool { return strings.HasPrefix(f.Name, p) }):
			fault("name of another family")
		case f.Reason != "" && !reason.MatchString(f.Reason):
			fault("malformed reason")
		case f.Reason == "" && f.Risk == Rises:
			fault("raises the risk for no reason")
		case strings.ContainsAny(f.Doc+f.Missing, "|\n"):
			fault("text that breaks a table")
		}
		seen[f.Name] = true
		last = f.Family
	}
	return faults
}

func TestSchema(t *testing.T) {
	for _, f := range schemaFaults(Schema[:]) {
		t.Error(f)
	}
	if Width < 220 {
		t.Errorf("only %d features", Width)
	}
}

// TestSchemaFaults plants each fault once and sees it found.
func TestSchemaFaults(t *testing.T) {
	good := func() []Feature {
		return []Feature{
			{Name: "geo.a", Family: Geo, Unit: "0/1", Doc: "a", Missing: "never", Risk: Rises, Reason: "A"},
			{Name: "net.b", Family: Network, Unit: "0/1", Doc: "b", Missing: "never"},
		}
	}
	if f := schemaFaults(good()); len(f) != 0 {
		t.Fatal("the control has faults:", f)
	}
	for want, plant := range map[string]func(r []Feature){
		"no row":                        func(r []Feature) { r[1] = Feature{} },
		"row with a gap":                func(r []Feature) { r[1].Doc = "" },
		"family out of order":           func(r []Feature) { r[0].Family, r[0].Name = Device, "dev.a" },
		"duplicate name":                func(r []Feature) { r[1] = r[0] },
		"malformed name":                func(r []Feature) { r[1].Name = "net.B" },
		"name of another family":        func(r []Feature) { r[1].Name = "geo.b" },
		"malformed reason":              func(r []Feature) { r[0].Reason = "a" },
		"raises the risk for no reason": func(r []Feature) { r[0].Reason = "" },
		"text that breaks a table":      func(r []Feature) { r[0].Doc = "a|b" },
	} {
		rows := good()
		plant(rows)
		if f := schemaFaults(rows); len(f) != 1 || !strings.HasPrefix(f[0], want) {
			t.Errorf("planted %q, found %q", want, f)
		}
	}
}

// TestConstantsHaveRows reads the constants from the source: each has the row of
// its own index, in the order of the source.
func TestConstantsHaveRows(t *testing.T) {
	constants := namesOf(t, "index.go", func(n ast.Node) []string {
		if spec, ok := n.(*ast.ValueSpec); ok {
			return []string{spec.Names[0].Name}
		}
		return nil
	})
	rows := namesOf(t, "schema_rows.go", func(n ast.Node) []string {
		if kv, ok := n.(*ast.KeyValueExpr); ok {
			if _, row := kv.Value.(*ast.CompositeLit); row {
				return []string{kv.Key.(*ast.Ident).Name}
			}
		}
		return nil
	})
	if len(constants) != Width+1 || constants[Width] != "Width" {
		t.Fatalf("%d constants, Width is %d", len(constants), Width)
	}
	if !slices.Equal(constants[:Width], rows) {
		t.Error("constants and rows are not the same in the same order")
	}
}

// inflated are the beginnings of names of what an attack on others can raise: counts and
// rates of an address, a network, a device, a client or of everybody.
var inflated = []string{
	"vel.ip_attempts", "vel.ip_failures", "vel.subnet_", "vel.asn_", "vel.device_", "vel.client_", "vel.global_", "vel.ip_unknown",
	"net.users_per_", "net.devices_per_", "net.ip_internal_fail_rate", "dev.users_", "dev.fingerprint_users",
	"tpp.distinct_users", "tpp.new_user_ratio", "tpp.fail_rate", "tpp.reconsents", "tpp.attempts_rise", "tpp.consents_1h", "tpp.peer_group", "con.users_granting",
	"pay.users_per_payee",
}

// TestAnAttackNeverCalms: what guesses at other accounts raise never lowers the risk of an
// attempt among them. Whatever a model is trained on, it is told so.
func TestAnAttackNeverCalms(t *testing.T) {
	for _, prefix := range inflated {
		n := 0
		for _, f := range Schema {
			if !strings.HasPrefix(f.Name, prefix) {
				continue
			}
			n++
			if f.Risk != Rises {
				t.Errorf("%s may move the risk %s: guesses that raise it would make a takeover look safer", f.Name, f.Risk)
			}
		}
		if n == 0 {
			t.Errorf("no feature is named %s...", prefix)
		}
	}
}

func namesOf(t *testing.T, file string, pick func(ast.Node) []string) (names []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		names = append(names, pick(n)...)
		return true
	})
	return names
}

// TestNamesOfTheCatalogue checks names against the catalogue they come from.
func TestNamesOfTheCatalogue(t *testing.T) {
	b, err := os.ReadFile("../../shared/specs/signals.tsv")
	if err != nil {
		t.Skip("no signal catalogue: ", err)
	}
	n := 0
	for i := range Schema {
		if bytes.Contains(b, []byte("\n"+Schema[i].Name+"\t")) {
			n++
		}
	}
	if n < 220 {
		t.Errorf("only %d features are in the catalogue under their names", n)
	}
	t.Logf("%d of %d features are in the catalogue", n, Width)
}

func TestDigest(t *testing.T) {
	d := Digest()
	if len(d) != 64 || d != Digest() {
		t.Errorf("digest %q", d)
	}
}
