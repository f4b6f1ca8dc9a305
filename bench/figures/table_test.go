package main

import (
	"os"
	"strings"
	"testing"
)

const someFigures = `# Some processor, 2 cores, go1.26.0 linux/amd64
# model 300x31x120: there is no avx512 kernel for it on this processor
# model 300x31x120 avx2 us=2.000 cold_us=5.00 allocations=0 equal=4096/4096 apart=0
# limit 300x31x120 avx2 ghz=3.00 bytes=90000 read_us=1.500
# model 300x31x120 go us=4.000 cold_us=9.06 allocations=0 equal=4096/4096 apart=0
# model 300x31x120 leaves us=24.000 cold_us=30.00 allocations=1 equal=4096/4096 apart=0
# model 300x31x120 lleaves us=10.000 cold_us=12.00 allocations=0 equal=317/4096 apart=6.2e-15
# limit 300x31x120 go instructions=48000
go_300x31x120_vs_leaves	6	>=5	ok
`

func TestTables(t *testing.T) {
	got := tables(someFigures)
	for _, want := range []string{
		"Measured on: Some processor, 2 cores, go1.26.0 linux/amd64.\n",
		"### 300 trees, 31 leaves, 120 features\n",
		"| one row at a time | us | cold, us | against avx2 | against go | allocations | rows equal, bit for bit | most apart |\n",
		"| **portable kernel**, Go | 4.00 | 9.1 | 2.0 | 1.0 | 0 | 4096 of 4096 | 0 |\n",
		"| leaves, Go | 24.00 | 30.0 | 12.0 | 6.0 | 1 | 4096 of 4096 | 0 |\n",
		"| lleaves, loop in C | 10.00 | 12.0 | 5.0 | 2.5 | 0 | 317 of 4096 | 6.2e-15 |\n",
		"| at 3.0 GHz | us | instructions a row | in a cycle | bytes of tables | us to read them once |\n",
		"| **AVX2 kernel** | 2.00 | not counted | | 90000 | 1.50 |\n",
		"| **portable kernel**, Go | 4.00 | 48000 | 4.0 | | |\n",
		"### 500x63x200\n\nNot in the last whole run.\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("without %q:\n%s", want, got)
		}
	}
}

func TestWithTables(t *testing.T) {
	page := "# Page\n" + tablesBegin + "old\n" + tablesEnd + "after\n"
	got, err := withTables([]byte(page), []byte(someFigures))
	if want := "# Page\n" + tablesBegin + tables(someFigures) + tablesEnd + "after\n"; err != nil || string(got) != want {
		t.Errorf("%v: %s", err, got)
	}
	for _, broken := range []string{"# Page\n", "# Page\n" + tablesBegin, tablesEnd + tablesBegin} {
		if got, err := withTables([]byte(broken), nil); err == nil {
			t.Errorf("%q became %q", broken, got)
		}
	}
}

// TestPage: the page shows the figures that are kept.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../../" + modelsPage)
	if err != nil {
		t.Fatal(err)
	}
	figures, err := os.ReadFile("../../" + figuresFile)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := withTables(page, figures); err != nil || string(got) != string(page) {
		t.Errorf("%s is not as %s says (error %v): go run ./bench/figures -page", modelsPage, figuresFile, err)
	}
}
