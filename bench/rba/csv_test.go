package rba

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waryauth/wary/features"
)

func readAll(in io.Reader) (records []Record, c *Reader, err error) {
	if c, err = NewReader(in); err != nil {
		return nil, nil, err
	}
	for {
		var r Record
		switch err := c.Read(&r); err {
		case nil:
			records = append(records, r)
		case io.EOF:
			return records, c, nil
		default:
			return records, c, err
		}
	}
}

// The traps of the data set: signed ids, Namibia, quotes and commas in user agents,
// no region, mostly no round-trip time, IPv6.
func TestReader(t *testing.T) {
	text, err := os.ReadFile("testdata/made.csv")
	if err != nil {
		t.Fatal(err)
	}
	records, c, err := readAll(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if c.Rows != 4 || c.Successes != 3 || c.Attacks != 2 || c.Takeovers != 1 {
		t.Errorf("%d rows, %d successes, %d attacks, %d takeovers", c.Rows, c.Successes, c.Attacks, c.Takeovers)
	}
	if want := fmt.Sprintf("sha256:%x", sha256.Sum256(text)); c.Digest() != want {
		t.Errorf("digest %s, want %s", c.Digest(), want)
	}
	first, second, last := &records[0], &records[1], &records[3]
	if first.User != "-4324475583306591935" || first.Values[features.FreemanCountry] != "NA" || first.Region != "Khomas" || first.ASN != 36996 || first.RTT != 0 {
		t.Errorf("first: %+v", first)
	}
	if !strings.Contains(first.Values[features.FreemanAgent], "(KHTML, like Gecko)") || !strings.Contains(second.Values[features.FreemanAgent], `"quoted"`) {
		t.Errorf("user agents %q, %q", first.Values[features.FreemanAgent], second.Values[features.FreemanAgent])
	}
	if second.Success || !second.AttackIP || second.RTT != 540 || second.At.Sub(first.At).Milliseconds() != 1 {
		t.Errorf("second: %+v", second)
	}
	if last.Takeover != VeryTargeted || last.Values[features.FreemanCountry] != "" || last.RTT != 473.5 {
		t.Errorf("last: %+v", last)
	}
}

// The true rows of the data set, for those who have them: 19, of which 7 are
// successes and 2 from addresses of attackers, counted by hand.
func TestReaderOnTrueRows(t *testing.T) {
	f, err := os.Open(filepath.Join(shared, "rba-head-18.csv"))
	if err != nil {
		t.Skip("the rows of the data set are absent: ", err)
	}
	defer f.Close()
	records, c, err := readAll(f)
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != 19 || c.Successes != 7 || c.Attacks != 2 || c.Takeovers != 0 {
		t.Errorf("%d rows, %d successes, %d attacks, %d takeovers", len(records), c.Successes, c.Attacks, c.Takeovers)
	}
	if r := &records[15]; r.RTT != 1123 || r.Region != "Oslo County" {
		t.Errorf("row 15: %+v", r)
	}
}

func TestReaderRefuses(t *testing.T) {
	text, err := os.ReadFile("testdata/made.csv")
	if err != nil {
		t.Fatal(err)
	}
	f := func(name, from, to, want string) {
		t.Helper()
		changed := strings.Replace(string(text), from, to, 1)
		if changed == string(text) {
			t.Fatalf("%s: nothing to change", name)
		}
		if _, _, err := readAll(strings.NewReader(changed)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", name, err, want)
		}
	}
	f("a column renamed", "Round-Trip Time [ms]", "RTT", "the columns are")
	f("a column missing", "index,", "", "the columns are")
	f("an id that is none", "\n1,2020-02-03 12:00:00.001,17,", "\n1,2020-02-03 12:00:00.001,u17,", `line 3: User ID: "u17"`)
	f("time runs back", "2020-02-04 00:00:00.000", "2020-02-02 00:00:00.000", "line 5: Login Timestamp")
	f("no time", "2020-02-04 00:00:00.000", "yesterday", "line 5: Login Timestamp")
	f("no number", ",473.5,", ",NaN,", "line 5: Round-Trip Time")
	f("no address", "198.51.100.7", "198.51.100.700", "line 2: IP Address")
	f("a long country", ",NO,", ",NOR,", "line 3: Country")
	f("a network below 0", ",29695,", ",-1,", "line 3: ASN")
	f("neither true nor false", "mobile,False,True,False", "mobile,0,True,False", "line 3: Login Successful")
	f("too few fields", ",desktop,True,False,False\n1,", ",desktop,True,False\n1,", "line 2: ")
	f("an empty line", "\n1,", "\n\n1,", "line 3: an empty line")
	f("a line without end", "iPhone OS 13_4", strings.Repeat("x", maxLine), "longer than")
}

func FuzzReader(f *testing.F) {
	text, err := os.ReadFile("testdata/made.csv")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(text[:300])
	f.Add([]byte(strings.Join(header[:], ",") + "\n0,2020-02-03 12:00:00,1,,::,NA,-,-,0,\",\",,,,True,True,True"))
	f.Fuzz(func(t *testing.T, b []byte) {
		records, c, err := readAll(bytes.NewReader(b))
		if err != nil {
			return
		}
		if len(records) != c.Rows || c.Successes > c.Rows || c.Takeovers > c.Rows {
			t.Errorf("%d records, counts %d %d %d", len(records), c.Rows, c.Successes, c.Takeovers)
		}
		for i := range records {
			if r := &records[i]; r.User == "" || r.RTT < 0 || i > 0 && r.At.Before(records[i-1].At) {
				t.Errorf("record %d: %+v", i, r)
			}
		}
	})
}
