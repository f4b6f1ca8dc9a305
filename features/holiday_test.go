package features

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/signals"
)

// TestPublicHolidays holds every day of six years in every country against a table
// that others keep (its head says who).
func TestPublicHolidays(t *testing.T) {
	table, err := os.ReadFile("testdata/holidays.tsv")
	if err != nil {
		t.Fatal(err)
	}
	countries := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSpace(string(table)), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		cells := strings.Split(line, "\t")
		year, err := strconv.Atoi(cells[1])
		if err != nil {
			t.Fatal(err)
		}
		countries[cells[0]] = true
		want := strings.Fields(cells[2])
		for at := time.Date(year, 1, 1, 23, 59, 59, 0, time.UTC); at.Year() == year; at = at.AddDate(0, 0, 1) {
			known, is := publicHoliday(signals.Country{cells[0][0], cells[0][1]}, at.UnixMilli())
			if at.Weekday() != time.Sunday && (!known || is != slices.Contains(want, at.Format("01-02"))) {
				t.Errorf("%s %s: known %v, a holiday %v", cells[0], at.Format(time.DateOnly), known, is)
			}
		}
	}
	for i := range calendars {
		if c := calendars[i].country.String(); !countries[c] {
			t.Errorf("no table to hold %s against", c)
		}
	}
	if known, _ := publicHoliday(signals.Country{'C', 'N'}, 0); known {
		t.Error("holidays of a country that is not in the table are known")
	}
}

// TestEaster holds Easter against dates of the Astronomical Society of South
// Australia's tables, the earliest and latest of the century among them.
func TestEaster(t *testing.T) {
	for _, c := range []struct {
		year             int
		western, eastern string
	}{{2008, "03-23", "04-27"}, {2011, "04-24", "04-24"}, {2016, "03-27", "05-01"}, {2025, "04-20", "04-20"}, {2026, "04-05", "04-12"}, {2027, "03-28", "05-02"}, {2038, "04-25", "04-25"}} {
		for orthodox, want := range map[bool]string{false: c.western, true: c.eastern} {
			got := time.Date(c.year, 1, easterOf(c.year, orthodox), 0, 0, 0, 0, time.UTC).Format("01-02")
			if got != want {
				t.Errorf("%d, orthodox %v: %s, want %s", c.year, orthodox, got, want)
			}
		}
	}
}
