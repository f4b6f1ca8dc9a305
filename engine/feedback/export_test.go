package feedback

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/signals"
)

// files returns an export's files and when each was last written.
func files(t *testing.T, dir string) map[string]time.Time {
	t.Helper()
	out := map[string]time.Time{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		out[name] = info.ModTime()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// age sets every file's time back, so that one that is written again shows.
func age(t *testing.T, dir string) {
	t.Helper()
	for name := range files(t, dir) {
		if err := os.Chtimes(filepath.Join(dir, name), time.Unix(0, 0), time.Unix(0, 0)); err != nil {
			t.Fatal(err)
		}
	}
}

// fresh returns the days that were written since age.
func fresh(t *testing.T, dir string) (days []string) {
	for name, at := range files(t, dir) {
		if at.After(time.Unix(0, 0)) {
			days = append(days, filepath.Dir(name))
		}
	}
	slices.Sort(days)
	return days
}

// readBack reads a file's rows by parquet-go, as maps by the columns' names.
func readBack(t *testing.T, path string) (rows []map[string]parquet.Value) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	p, err := parquet.OpenFile(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	names := p.Schema().Columns()
	for _, g := range p.RowGroups() {
		r := g.Rows()
		for buf := make([]parquet.Row, 1); ; {
			n, _ := r.ReadRows(buf)
			if n == 0 {
				break
			}
			row := map[string]parquet.Value{}
			for _, v := range buf[0] {
				row[names[v.Column()][0]] = v.Clone()
			}
			rows = append(rows, row)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return rows
}

func at(day, hour int) time.Time {
	return windowStart.Truncate(24 * time.Hour).Add(time.Duration(24*day+hour) * time.Hour)
}

// TestExport: files hold what the window does, value for value; days that have not
// changed are not written again; a label writes its day again, nothing else.
func TestExport(t *testing.T) {
	d := newDaemon(t)
	for i := range 9 {
		d.score(fmt.Sprint("user-", i%4), at(i/3, 8+i%3))
	}
	d.say(1, false, signals.Fraud, signals.Analyst, at(1, 0), at(2, 12), "family:mule")
	d.say(4, false, signals.OutcomeFailure, signals.System, at(1, 10), at(2, 12), "Anna Smith called")
	dir := filepath.Join(t.TempDir(), "lake")
	export := func(o ExportOptions) *Exported {
		t.Helper()
		x, err := Export(t.Context(), d.dir, dir, o)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	if x := export(ExportOptions{}); x.Files != 3 || x.Written != 3 || x.Rows != 9 || x.Report.Fraud != 1 {
		t.Fatalf("%+v", x)
	}
	want := windowOf(t, d.dir, time.Time{}, time.Time{}, WindowOptions{})
	for day := range 3 {
		first := want[3*day].At
		path := filepath.Join(dir, "day="+at(day, 0).Format(time.DateOnly), fmt.Sprintf("rows-%d-%d.parquet", first.Segment, first.Offset))
		rows := readBack(t, path)
		if len(rows) != 3 {
			t.Fatalf("%s has %d rows", path, len(rows))
		}
		for i, got := range rows {
			compareRow(t, got, &want[3*day+i])
		}
	}
	text := string(everything(t, dir))
	for _, private := range []string{"user-", "tpp-1", "203.0.113.7", "Anna Smith", "a-1"} {
		if strings.Contains(text, private) {
			t.Errorf("the files hold %q", private)
		}
	}

	age(t, dir)
	if x := export(ExportOptions{}); x.Written != 0 || fresh(t, dir) != nil {
		t.Errorf("nothing has changed: %+v, %v", x, fresh(t, dir))
	}
	d.say(4, false, signals.Fraud, signals.Chargeback, at(3, 0), at(40, 0), "")
	if x := export(ExportOptions{}); x.Written != 1 || !reflect.DeepEqual(fresh(t, dir), []string{"day=2026-05-02"}) {
		t.Errorf("a label has come: %+v, %v", x, fresh(t, dir))
	}
	age(t, dir)
	d.score("user-1", at(3, 0))
	if x := export(ExportOptions{From: at(2, 23)}); x.Files != 2 || !reflect.DeepEqual(fresh(t, dir), []string{"day=2026-05-04"}) {
		t.Errorf("a new day: %+v, %v", x, fresh(t, dir))
	}
	d.close()
}

func compareRow(t *testing.T, got map[string]parquet.Value, want *Row) {
	t.Helper()
	if len(got) != features.Width+25 {
		t.Errorf("%d columns", len(got))
	}
	place := fmt.Sprintf("%d:%d", want.At.Segment, want.At.Offset)
	str := func(name, want string) {
		t.Helper()
		if v := got[name]; v.IsNull() != (want == "") || !v.IsNull() && v.String() != want {
			t.Errorf("%s: %s is %v, want %q", place, name, v, want)
		}
	}
	str("place", place)
	str("action", "login")
	str("result", signals.Results[want.Result])
	str("user", fmt.Sprintf("%016x", uint64(want.User)))
	str("decision", "allow")
	str("label", signals.FeedbackValues[want.Label])
	str("source", signals.Sources[want.Source])
	str("family", want.Family)
	str("challenger", "")
	if got["logged"].Int64() != want.Logged.UnixMilli() || got["time"].Int64() != want.Trace.Time || got["weight"].Float() != want.Weight || got["held"].Boolean() != want.Held || got["propensity"].Float() != 1 {
		t.Errorf("%s: logged %v, time %v, weight %v, held %v", place, got["logged"], got["time"], got["weight"], got["held"])
	}
	if v := got["said"]; v.IsNull() != (want.Label == 0) || !v.IsNull() && v.Int64() != want.Said.UnixMilli() {
		t.Errorf("%s: said %v", place, v)
	}
	for i, x := range want.Vector {
		if v := got[features.Schema[i].Name].Float(); math.Float32bits(v) != math.Float32bits(x) {
			t.Errorf("%s: %s is %g, want %g", place, features.Schema[i].Name, v, x)
		}
	}
}

func everything(t *testing.T, dir string) (out []byte) {
	t.Helper()
	for name := range files(t, dir) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b...)
	}
	return out
}

// TestExportIsResumed: an export that ends after any file leaves whole files alone, and
// the next writes those that are missing; the end is that of an export in one piece.
func TestExportIsResumed(t *testing.T) {
	d := newDaemon(t)
	for i := range 8 {
		d.score("user", at(i/2, 8+i%2))
	}
	d.close()
	whole := filepath.Join(t.TempDir(), "whole")
	if _, err := Export(t.Context(), d.dir, whole, ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	for stop := range 4 {
		dir := filepath.Join(t.TempDir(), "lake")
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		_, err := Export(ctx, d.dir, dir, ExportOptions{Progress: func(string, bool) {
			if n++; n == stop+1 {
				cancel()
			}
		}})
		if stop < 3 && !errors.Is(err, context.Canceled) {
			t.Fatalf("stopped after %d: %v", stop+1, err)
		}
		for name := range files(t, dir) {
			if strings.HasSuffix(name, ".parquet") && len(readBack(t, filepath.Join(dir, name))) != 2 {
				t.Errorf("stopped after %d: %s is not whole", stop+1, name)
			}
		}
		x, err := Export(t.Context(), d.dir, dir, ExportOptions{})
		if err != nil || x.Written != 3-stop {
			t.Errorf("stopped after %d: %+v, %v", stop+1, x, err)
		}
		if !reflect.DeepEqual(contents(t, dir), contents(t, whole)) {
			t.Errorf("stopped after %d: the end is another", stop+1)
		}
	}
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for name := range files(t, dir) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		out[name] = string(b)
	}
	return out
}

// TestExportOutlivesTheLog: a day of which the log has retired a part keeps its file,
// and gets no second one with what is left.
func TestExportOutlivesTheLog(t *testing.T) {
	d := newDaemon(t)
	for i := range 4 {
		d.score("user", at(i/2, 8+i%2))
	}
	d.close()
	dir := filepath.Join(t.TempDir(), "lake")
	folder := filepath.Join(dir, "day=2026-05-01")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	// Written when the log began in a segment that is gone.
	older := filepath.Join(folder, "rows-0-8.parquet")
	if err := os.WriteFile(older, []byte("older"), 0o600); err != nil {
		t.Fatal(err)
	}
	x, err := Export(t.Context(), d.dir, dir, ExportOptions{})
	if err != nil || x.Kept != 1 || x.Written != 1 || x.Rows != 2 {
		t.Errorf("%+v, %v", x, err)
	}
	if got := contents(t, folder); len(got) != 1 || got["rows-0-8.parquet"] != "older" {
		t.Errorf("the day has %d files", len(got))
	}
}
