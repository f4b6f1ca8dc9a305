package main

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/signals"
	"github.com/waryauth/wary/signals/geoip"
)

// geo runs wary geo with arguments.
func geo(args ...string) (stdout, stderr string, err error) {
	var out, log bytes.Buffer
	c := geoCommand()
	c.SilenceUsage, c.SilenceErrors = true, true
	c.SetOut(&out)
	c.SetErr(&log)
	c.SetArgs(args)
	err = c.Execute()
	return out.String(), log.String(), err
}

func put(tb testing.TB, dir, name string, lines ...string) string {
	tb.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		tb.Fatal(err)
	}
	return path
}

func network(tb testing.TB, files geoip.Files, ip string) signals.Network {
	tb.Helper()
	d, err := geoip.Open(files)
	if err != nil {
		tb.Fatal(err)
	}
	o := signals.Observation{Address: signals.Address{IP: netip.MustParseAddr(ip)}}
	d.Locate(&o, time.Time{})
	return o.Network
}

func TestBuildASN(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "asn-ipv4.csv", `1.0.0.0,1.0.0.255,13335,"Cloudflare, Inc."`, `1.0.4.0,1.0.6.255,38803,Gtelecom Pty Ltd`, `1.1.0.0,1.1.0.255,0,nobody`)
	put(t, dir, "asn-ipv6.csv", `2001::,2001::ffff:ffff:ffff:ffff:ffff:ffff,6939,Hurricane Electric LLC`, `2001:200::,2001:200:1b9:ffff:ffff:ffff:ffff:ffff,2500,WIDE Project`)
	out := filepath.Join(dir, "asn.mmdb")
	_, log, err := geo("build", "asn", "--csv-dir", dir, "--out", out, "--built", "2026-06-17T19:00:00Z")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log, "3 entries (1 within") {
		t.Errorf("told %q", log)
	}
	for ip, want := range map[string]uint32{"1.0.0.0": 13335, "1.0.0.255": 13335, "1.0.1.0": 0, "1.0.3.255": 0, "1.0.4.0": 38803, "1.0.6.255": 38803,
		"1.0.7.0": 0, "1.1.0.1": 0, "2001:200::1": 2500, "2001:200:1b9::": 2500, "2001:200:1ba::": 0, "2001::1": 0} {
		if got := network(t, geoip.Files{ASN: out}, ip).ASN; got != want {
			t.Errorf("%s: AS%d, want AS%d", ip, got, want)
		}
	}
	first, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := geo("build", "asn", "--csv-dir", filepath.Join(dir, "asn-ipv4.csv")+","+filepath.Join(dir, "asn-ipv6.csv"),
		"--out", out, "--built", "2026-06-17T19:00:00Z"); err != nil {
		t.Fatal(err)
	}
	if again, err := os.ReadFile(out); err != nil || !bytes.Equal(first, again) {
		t.Errorf("the same lists and time gave other bytes (%v)", err)
	}
}

func TestBuildAnonymous(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "anonymous.mmdb")
	_, _, err := geo("build", "anonymous", "--out", out,
		"--vpn", put(t, dir, "vpn4", "# a comment", "", "5.0.0.0/24", "5.0.1.9  # one address"),
		"--vpn", put(t, dir, "vpn6", "2a00:1::/48\r"),
		"--tor", put(t, dir, "tor.csv", "fingerprint,address,when", `ABCD, "5.0.0.7",2026-08-01`, "EF01,2a00:1::7,2026-08-01"),
		"--relay", put(t, dir, "relay", "6.0.0.0/31,US,US-CA,San Jose,"),
		"--residential", put(t, dir, "homes", "7.0.0.1"),
		"--proxy", put(t, dir, "proxies", "7.0.0.1", "7.0.0.2"),
		"--hosting", put(t, dir, "hosts", "8.1.2.3/24", "2002::/24"),
		"--hosting-asn", put(t, dir, "numbers", "ASN,Entity", "AS64500 # one", `64501,"Two, Inc."`, `"64502"`),
		"--asn-csv", put(t, dir, "asn.csv", "9.0.0.0,9.0.0.255,64500,One", "9.0.1.0,9.0.1.255,64499,Other", "9.0.2.0,9.0.2.255,64502,Three", "5.0.0.0,5.0.0.255,64501,Two"))
	if err != nil {
		t.Fatal(err)
	}
	f := func(ip string, want signals.Network) {
		t.Helper()
		want.Known = true
		want.Anonymous = want.VPN || want.Hosting || want.Proxy || want.Residential || want.Tor
		if got := network(t, geoip.Files{Anonymous: out}, ip); got != want {
			t.Errorf("%s\n got %+v\nwant %+v", ip, got, want)
		}
	}
	f("5.0.0.1", signals.Network{VPN: true, Hosting: true})
	f("5.0.0.7", signals.Network{VPN: true, Hosting: true, Tor: true})
	f("5.0.1.9", signals.Network{VPN: true})
	f("5.0.1.8", signals.Network{})
	f("2a00:1::7", signals.Network{VPN: true, Tor: true})
	f("2a00:1::8", signals.Network{VPN: true})
	f("6.0.0.1", signals.Network{Relay: true})
	f("6.0.0.2", signals.Network{})
	f("7.0.0.1", signals.Network{Proxy: true, Residential: true})
	f("7.0.0.2", signals.Network{Proxy: true})
	f("8.1.2.250", signals.Network{Hosting: true})
	f("9.0.0.9", signals.Network{Hosting: true})
	f("9.0.1.9", signals.Network{})
	f("9.0.2.9", signals.Network{Hosting: true})
}

func TestBuildRefuses(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out.mmdb")
	if err := os.WriteFile(out, []byte("the old one"), 0o644); err != nil {
		t.Fatal(err)
	}
	f := func(want string, args ...string) {
		t.Helper()
		_, _, err := geo(append([]string{"build"}, args...)...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: said %v, want %q", args, err, want)
		}
	}
	anonymous := func(want, flag string, lines ...string) {
		t.Helper()
		f(want, "anonymous", "--out", out, flag, put(t, dir, "list", lines...))
	}
	anonymous("list: line 2", "--vpn", "1.2.3.0/24", "1.2.3.400")
	anonymous("line 1", "--vpn", "a word")
	anonymous("line 2: not understood", "--vpn", "address,when", "ABCD,yesterday")
	anonymous("too wide", "--vpn", "0.0.0.0/0")
	anonymous("too wide", "--tor", "2000::/3")
	anonymous("line 1", "--vpn", "fe80::1%eth0")
	anonymous("line 1", "--vpn", "::ffff:1.2.3.0/120")
	anonymous("token too long", "--vpn", strings.Repeat("x", 100_000))
	anonymous("nothing is written", "--vpn", "# only a comment")
	asn := func(want string, lines ...string) {
		t.Helper()
		f(want, "asn", "--out", out, "--csv-dir", put(t, dir, "asn.csv", lines...))
	}
	asn("line 2: 1.0.1.0 to 1.0.0.0", "1.0.0.0,1.0.0.1,1,one", "1.0.1.0,1.0.0.0,1,one")
	asn("is not a range", "1.0.0.0,2001::1,1,one")
	asn("AS13335", "1.0.0.0,1.0.0.1,AS13335,one")
	asn("4294967296", "1.0.0.0,1.0.0.1,4294967296,one")
	asn("wrong number of fields", "1.0.0.0,1.0.0.1,1")
	asn("not UTF-8", "1.0.0.0,1.0.0.1,1,\xff")
	f("neither asn-ipv4.csv nor", "asn", "--out", out, "--csv-dir", t.TempDir())
	f("--built", "asn", "--out", out, "--csv-dir", dir, "--built", "yesterday")
	f("vpn", "anonymous", "--out", out)
	f("asn-csv", "anonymous", "--out", out, "--hosting-asn", out)
	if content, err := os.ReadFile(out); err != nil || string(content) != "the old one" {
		t.Errorf("a build that failed touched its output: %q, %v", content, err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".out.mmdb*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestGeoLookup(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := geo("build", "asn", "--out", filepath.Join(dir, "asn.mmdb"), "--csv-dir", put(t, dir, "a.csv", "1.0.0.0,1.0.0.255,13335,Cloudflare")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := geo("build", "anonymous", "--out", filepath.Join(dir, "anonymous.mmdb"), "--tor", put(t, dir, "tor", "1.0.0.1")); err != nil {
		t.Fatal(err)
	}
	table, _, err := geo("lookup", "--geo", dir, "1.0.0.1", "10.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1.0.0.1", "AS13335", "Cloudflare", "anonymous tor", "10.0.0.1", "private", "GeoLite2-ASN", "asn.mmdb"} {
		if !strings.Contains(table, want) {
			t.Errorf("the table lacks %q:\n%s", want, table)
		}
	}
	text, _, err := geo("lookup", "--geo", dir, "-o", "json", "1.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	var answer geoip.Answer
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatal(err)
	}
	if a := answer.Addresses[0]; a.ASN != 13335 || a.Organization != "Cloudflare" || !slices.Equal(a.Flags, []string{"anonymous", "tor"}) ||
		!slices.Equal(a.Missing, []string{"place"}) || len(answer.Files) != 2 {
		t.Errorf("%s", text)
	}
	for _, args := range [][]string{{"lookup"}, {"lookup", "--geo", dir, "1.2.3"}, {"lookup", "--geo", t.TempDir(), "1.2.3.4"},
		{"lookup", "--geo", dir, "-o", "yaml", "1.2.3.4"}} {
		if _, _, err := geo(args...); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}

func TestGeoLookupCity(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "data", "mmdb")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("%s is not here: TestGeoLookup stands in for it", dir)
	}
	answer, err := geoip.Lookup(geoip.Find(t.TempDir()), nil, time.Time{})
	if err != nil || len(answer.Files) != 0 {
		t.Fatalf("without files: %+v, %v", answer, err)
	}
	files := geoip.Files{City: filepath.Join(dir, "GeoIP2-City-Test.mmdb"), ISP: filepath.Join(dir, "GeoIP2-ISP-Test.mmdb")}
	answer, err = geoip.Lookup(files, []string{"2.125.160.216", "2001:218::1"}, time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	// maxmind/MaxMind-DB, source-data/GeoIP2-City-Test.json
	if a := answer.Addresses[0]; a.City != "Boxford" || a.Region != "England" || a.Country != "GB" || *a.TimezoneMin != 60 || *a.Latitude != 51.75 {
		t.Errorf("%+v", a)
	}
	var b bytes.Buffer
	if err := printGeo(&b, answer); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Boxford, England, GB", "51.7500 -1.2500 (100 km)", "+01:00", "+09:00"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, &b)
		}
	}
}
