package feedback

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/waryauth/wary/signals"
)

// duckdb is where scripts/deps-duckdb.sh puts DuckDB.
const duckdb = "../../data/duckdb"

// TestDuckDB reads an export by the commands of docs/data.md, word for word.
func TestDuckDB(t *testing.T) {
	home, err := filepath.Abs(duckdb)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(home, "bin", "duckdb")); err != nil {
		t.Skip("DuckDB is not there: scripts/deps.sh duckdb fetches it")
	}
	text, err := os.ReadFile("../../docs/data.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := regexp.MustCompile(`(?m)^    (data/duckdb/bin/duckdb .*)$`).FindAllStringSubmatch(string(text), -1)
	// What they must say of the log below, counted by hand.
	want := []string{
		"day,decision,label,n\n2026-05-01,allow,fraud,1\n2026-05-01,allow,legitimate,1\n2026-05-01,allow,NULL,1\n2026-05-02,allow,fraud,1\n2026-05-02,allow,NULL,1\n",
		"source,label,n,weight\nanalyst,legitimate,1,1.0\nchargeback,fraud,1,1.0\ncustomer,fraud,1,0.8\n",
		"label,n,logins\nfraud,2,1.5\nlegitimate,1,1.0\nNULL,2,3.0\n",
		"source,hours\nanalyst,48.0\nchargeback,720.0\ncustomer,24.0\n",
	}
	if len(commands) != len(want) {
		t.Fatalf("docs/data.md has %d commands, this test knows %d", len(commands), len(want))
	}

	d := newDaemon(t)
	for i := range 5 { // of anna: 0, 1, 2, 3 and 4 successes before
		d.score("anna", at(i/3, 8+i%3))
	}
	d.say(1, false, signals.Legitimate, signals.Analyst, at(2, 9), at(2, 9), "")
	d.say(0, false, signals.Fraud, signals.Chargeback, at(30, 8), at(30, 8), "")
	d.say(3, false, signals.Fraud, signals.Customer, at(2, 8), at(2, 8), "")
	d.close()
	work := t.TempDir()
	if _, err := Export(t.Context(), d.dir, filepath.Join(work, "run", "lake"), ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(work, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(home, filepath.Join(work, "data", "duckdb")); err != nil {
		t.Fatal(err)
	}
	for i, c := range commands {
		cmd := exec.Command("sh", "-c", c[1])
		cmd.Dir = work
		got, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", c[1], err, got)
			continue
		}
		if got := strings.ReplaceAll(string(got), "\r\n", "\n"); got != want[i] {
			t.Errorf("%s:\n%s\nwant\n%s", c[1], got, want[i])
		}
	}
}
