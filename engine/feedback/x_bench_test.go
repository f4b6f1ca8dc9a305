package feedback

import (
	"fmt"
	"testing"
	"time"

	"github.com/waryauth/wary/signals"
)

// benchDaemon is a log of 2,000 decisions over 2 days, of which a tenth is labelled.
func benchDaemon(b *testing.B) string {
	d := newDaemon(b)
	const attempts = 2000
	for i := range attempts {
		n := d.score(fmt.Sprint("user-", i%97), at(i/1000, 0).Add(time.Duration(i%1000)*time.Minute))
		if i%10 == 0 {
			d.say(n, false, signals.Fraud, signals.Analyst, at(25, 0), at(25, 0), "")
		}
	}
	d.close()
	return d.dir
}

// BenchmarkWindow reads a window: an operation is a log of 2,000 decisions.
func BenchmarkWindow(b *testing.B) {
	dir := benchDaemon(b)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for _, err := range Window(dir, time.Time{}, time.Time{}, WindowOptions{}) {
			if n++; err != nil {
				b.Fatal(err)
			}
		}
		if n != 2000 {
			b.Fatal(n)
		}
	}
}

// BenchmarkExport writes 2,000 rows in 2 files.
func BenchmarkExport(b *testing.B) {
	dir := benchDaemon(b)
	b.ReportAllocs()
	for b.Loop() {
		x, err := Export(b.Context(), dir, b.TempDir(), ExportOptions{})
		if err != nil || x.Rows != 2000 {
			b.Fatal(x, err)
		}
	}
}
