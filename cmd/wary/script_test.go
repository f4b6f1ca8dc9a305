package main

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/waryauth/wary/bench/thirdparty"
	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/engine/scoreapi"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/models/modeltest"
	"github.com/waryauth/wary/signals/geoip"
)

// TestMain lets the scripts run this binary as wary.
func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"wary": main}) }

// TestScripts runs the sessions in testdata. Besides the commands of testscript
// they have serve, daemon, brokers, flip, grab, exits, secret, stump and typists.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("WARY_SERVER", "http://127.0.0.1:1") // nobody's
			fixtures, err := filepath.Abs(filepath.Join("..", "..", "models", "testdata"))
			e.Setenv("MODELS", fixtures)
			return err
		},
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"serve": serve, "flip": flip, "grab": grab, "exits": exits, "secret": secret, "stump": stump, "typists": typists, "daemon": startDaemon, "brokers": brokers},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// serve DATA [keys=FILE] [challenger=FOLDER] [geo] starts a daemon on loopback, whose address it
// puts into $ADDRESS and $WARY_SERVER.
func serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: serve DATA [keys=FILE] [challenger=FOLDER] [geo]")
	}
	data := ts.MkAbs(args[0])
	model, err := models.Baseline()
	ts.Check(err)
	o := engine.Options{Secret: [32]byte{1, 2, 3}, Model: model}
	var keys *scoreapi.Keys
	for _, a := range args[1:] {
		if path, ok := strings.CutPrefix(a, "keys="); ok {
			keys, err = scoreapi.ParseKeys([]byte(ts.ReadFile(path)))
			ts.Check(err)
		} else if dir, ok := strings.CutPrefix(a, "challenger="); ok {
			o.Challenger, err = models.LoadDir(ts.MkAbs(dir))
			ts.Check(err)
		} else if a == "geo" {
			o.Locator, err = geoip.Open(tourFiles(ts))
			ts.Check(err)
		} else {
			ts.Fatalf("serve: what is %s?", a)
		}
	}
	e, err := engine.Open(data, o)
	ts.Check(err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	s := scoreapi.New(scoreapi.Options{Engine: e, Keys: keys, Log: slog.New(slog.DiscardHandler)})
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	ts.Setenv("ADDRESS", l.Addr().String())
	ts.Setenv("WARY_SERVER", "http://"+l.Addr().String())
	ts.Defer(func() {
		_ = l.Close() // ends Serve
		<-ended
		_ = e.Close() // the script has read what it wanted
	})
}

// tourFiles makes geo files that know the three places of the tour.
func tourFiles(ts *testscript.TestScript) geoip.Files {
	dir := ts.MkAbs("geo")
	ts.Check(os.MkdirAll(dir, 0o700))
	place := func(country, zone string, city uint32, lat, lon float64) mmdbtype.Map {
		return mmdbtype.Map{
			"city":    mmdbtype.Map{"geoname_id": mmdbtype.Uint32(city), "names": mmdbtype.Map{"en": mmdbtype.String("a city")}},
			"country": mmdbtype.Map{"iso_code": mmdbtype.String(country)},
			"location": mmdbtype.Map{"latitude": mmdbtype.Float64(lat), "longitude": mmdbtype.Float64(lon),
				"accuracy_radius": mmdbtype.Uint16(20), "time_zone": mmdbtype.String(zone)},
		}
	}
	number := func(n uint32) mmdbtype.Map { return mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(n)} }
	mmdb(ts, dir, "city.mmdb", "GeoLite2-City", map[string]mmdbtype.Map{
		thirdparty.Home:      place("GB", "Europe/London", 2643743, 51.51, -0.13),
		abroadAddress:        place("BR", "America/Sao_Paulo", 3448439, -23.55, -46.64),
		thirdparty.Elsewhere: place("US", "America/New_York", 5099836, 40.79, -74.06), thirdparty.Servers: place("GB", "Europe/London", 2643743, 51.51, -0.13),
	})
	mmdb(ts, dir, "asn.mmdb", "GeoLite2-ASN", map[string]mmdbtype.Map{thirdparty.Home: number(2856), abroadAddress: number(28573), thirdparty.Elsewhere: number(14061),
		thirdparty.Servers: number(16509)})
	hosting := mmdbtype.Map{"is_anonymous": mmdbtype.Bool(true), "is_hosting_provider": mmdbtype.Bool(true)}
	mmdb(ts, dir, "anonymous.mmdb", "GeoIP2-Anonymous-IP", map[string]mmdbtype.Map{thirdparty.Elsewhere: hosting, thirdparty.Servers: hosting})
	return geoip.Find(dir)
}

func mmdb(ts *testscript.TestScript, dir, name, kind string, rows map[string]mmdbtype.Map) {
	w, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: kind})
	ts.Check(err)
	for address, row := range rows {
		_, network, err := net.ParseCIDR(address + "/24")
		ts.Check(err)
		ts.Check(w.Insert(network, row))
	}
	f, err := os.Create(filepath.Join(dir, name))
	ts.Check(err)
	_, err = w.WriteTo(f)
	ts.Check(errors.Join(err, f.Close()))
}

// flip FILE OFFSET turns over one byte of a file.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip FILE OFFSET")
	}
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	b[at] ^= 0xff
	ts.Check(os.WriteFile(path, b, 0o600))
}

// grab NAME REGEXP puts the first group of what the last command printed into a
// variable.
func grab(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: grab NAME REGEXP")
	}
	m := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if m == nil {
		ts.Fatalf("grab: no match for %s", args[1])
	}
	ts.Setenv(args[0], m[1])
}

// exits CODE COMMAND... runs a command that must end with a code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		ended, ok := err.(interface{ ExitCode() int })
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = ended.ExitCode()
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("%v ended with %d, want %s", args[1:], got, args[0])
	}
}

// stump FOLDER VERSION LOW HIGH writes a small model whose log-odds are LOW where the
// first feature is missing, and HIGH above one half.
func stump(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: stump FOLDER VERSION LOW HIGH")
	}
	low, err := strconv.ParseFloat(args[2], 64)
	ts.Check(err)
	high, err := strconv.ParseFloat(args[3], 64)
	ts.Check(err)
	text, card := modeltest.Stump(args[1], 0, 0.5, low, high)
	dir := ts.MkAbs(args[0])
	ts.Check(errors.Join(os.MkdirAll(dir, 0o700),
		os.WriteFile(filepath.Join(dir, models.TextFile), text, 0o600), os.WriteFile(filepath.Join(dir, models.CardFile), card, 0o600)))
}

// secret NAME FILE puts the text of a file into a variable, as $(cat FILE) would.
func secret(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: secret NAME FILE")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile(args[1])))
}
