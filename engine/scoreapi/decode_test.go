package scoreapi

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/signals"
)

// minimal has what is required, and more members where the caller adds them.
func minimal(more ...string) string {
	return `{` + strings.Join(append([]string{`"attempt_id":"a","action":"login","subject":"s","network":{"ip":"192.0.2.1"}`}, more...), ",") + `}`
}

func pointersOf(p *Problem) (at []string) {
	if p != nil {
		for _, e := range p.Errors {
			at = append(at, e.Pointer)
		}
	}
	return at
}

func show(p *Problem) string {
	if p == nil {
		return "accepted"
	}
	return string(p.Append(nil))
}

// TestSample holds the values of the contract's example against what encoding/json
// reads from it.
func TestSample(t *testing.T) {
	body := sampleBytes(t)
	var d Decoder
	var a signals.Attempt
	if p := d.Attempt(&a, body); p != nil {
		t.Fatal(show(p))
	}
	if d.Unknown() != 0 {
		t.Errorf("%d members are unknown", d.Unknown())
	}
	if diff := differs(body, &a); diff != "" {
		t.Error(diff)
	}
	a.Subject = "another" // control
	if differs(body, &a) == "" {
		t.Error("control: another subject is not seen")
	}
}

func TestNoAllocations(t *testing.T) {
	var d Decoder
	var a signals.Attempt
	f := func(name string, decode func() *Problem) {
		t.Helper()
		if p := decode(); p != nil {
			t.Fatal(name, show(p))
		}
		if n := testing.AllocsPerRun(100, func() { decode() }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	sample := sampleBytes(t)
	f("sample", func() *Problem { return d.Attempt(&a, sample) })
	odd := []byte(minimal(`"unknown":{"a":[1,{"b":2}],"\u0061b":null}`, `"time":"2026-01-01T00:00:00.123456789+05:30"`, `"session":{"acr":"\u20ac \ud83d\ude00"}`,
		`"intent":{"payee":"\u00e9","authorization_details":[{"type":"a\/b","x":{"y":[{"z":1}]}}]}`, `"external":{"a":1e2,"b":0.30000000000000004}`))
	f("escapes and unknown members", func() *Problem { return d.Attempt(&a, odd) })
	f6 := []byte(strings.Replace(minimal(), "192.0.2.1", "2001:db8::ffff:192.0.2.1", 1))
	f("IPv6", func() *Problem { return d.Attempt(&a, f6) })
	var fb signals.Feedback
	feedback := []byte(`{"feedback_id":"f","decision_id":"d","kind":"label","value":"fraud","source":"analyst","time":"2026-01-01T00:00:00+01:00"}`)
	f("feedback", func() *Problem { return d.Feedback(&fb, feedback) })
	refused := []byte(minimal(`"device":5`))
	if testing.AllocsPerRun(10, func() { d.Attempt(&a, refused) }) == 0 {
		t.Error("control: a problem allocates")
	}
}

// TestAccept holds what optional values, null, empty strings and limits mean.
func TestAccept(t *testing.T) {
	var d Decoder
	f := func(body string, unknown int, is func(a *signals.Attempt) bool) {
		t.Helper()
		var a signals.Attempt
		if p := d.Attempt(&a, []byte(body)); p != nil {
			t.Errorf("%.200s: %s", body, show(p))
			return
		}
		if d.Unknown() != unknown {
			t.Errorf("%.200s: %d unknown members, want %d", body, d.Unknown(), unknown)
		}
		if !is(&a) {
			t.Errorf("%.200s: %+v", body, a)
		}
	}
	plain := signals.Attempt{ID: "a", Action: signals.Login, Subject: "s", Network: signals.NetworkPeer{IP: "192.0.2.1"}}
	isPlain := func(a *signals.Attempt) bool { return reflect.DeepEqual(*a, plain) }
	whatever := func(*signals.Attempt) bool { return true }
	f(minimal(), 0, isPlain)
	f(" \t\r\n"+strings.ReplaceAll(strings.ReplaceAll(minimal(), ":", " : "), ",", "\n,\t")+"\r\n ", 0, isPlain)
	f(minimal(`"time":null`, `"subject_known":null`, `"client":null`, `"external":null`, `"session":{"amr":null,"created":null}`, `"intent":{"amount":null,"authorization_details":null}`), 0, isPlain)
	f(minimal(`"time":""`, `"client":{"id":"","auth_method":"","redirect_uri":""}`, `"headers":{}`, `"previous_decision_id":""`, `"intent":{"payee_country":""}`), 0, isPlain)
	f(minimal(`"behaviour":{"keys":{"rhythm":[`+strings.Repeat("null,", 77)+`null]}}`), 0, isPlain)
	f(minimal(`"behaviour":{"keys":{"rhythm":[`+strings.Repeat("null,", 77)+`-0.5]}}`), 0, func(a *signals.Attempt) bool {
		k := &a.Behaviour.Keys
		return k.RhythmSet && k.Rhythm[77] == -0.5 && math.IsNaN(float64(k.Rhythm[0]))
	})
	f(minimal(`"x":1`, `"client":{"x":[{}],"id":"c"}`, `"y":{"x":1,"z":{"x":2}}`), 3, func(a *signals.Attempt) bool { return a.Client.ID == "c" })
	f(minimal(`"Subject":5`, `"x":"`+strings.Repeat("x", 5000)+`"`), 2, isPlain)
	f(minimal(`"x":[1,[2,[3,[4,[5,[6,[7]]]]]]]`), 1, isPlain)
	f(minimal(`"x":{"2":{"3":{"4":{"5":{"6":{"7":{}}}}}}}`), 1, isPlain)
	f(minimal(`"device":{"timezone_offset_min":-1.25e1,"fonts":0.0,"cores":-0}`), 0, func(a *signals.Attempt) bool {
		d := &a.Device
		return d.TimezoneOffsetMin == signals.Some(-12.5) && d.Fonts == signals.Some(0.0) && d.Cores.Set && !math.Signbit(d.Cores.Value)
	})
	f(minimal(`"device":{"latitude":-90,"longitude":180.0}`), 0, func(a *signals.Attempt) bool {
		return a.Device.Latitude.Value == -90 && a.Device.Longitude.Value == 180
	})
	f(minimal(`"network":null`)[:len(minimal())-1]+`,"subject_known":false}`, 0, func(a *signals.Attempt) bool { return a.SubjectKnown == signals.Some(false) })
	f(`{"\u0061ttempt_id":"\u0041\/\"\\","action":"login","subject":"caf\u00e9 \ud83d\ude00","network":{"ip":"::ffff:192.0.2.1"}}`, 0, func(a *signals.Attempt) bool {
		return a.ID == `A/"\` && a.Subject == "café 😀" && a.Network.IP == "::ffff:192.0.2.1"
	})
	f(minimal(`"headers":{"user_agent":"`+strings.Repeat("é", 2048)+`","referer":"`+strings.Repeat(`\u00e9`, 2048)+`"}`), 0, func(a *signals.Attempt) bool {
		return a.Headers.UserAgent == strings.Repeat("é", 2048) && a.Headers.Referer == a.Headers.UserAgent
	})
	f(minimal(`"network2":{"ip":"x%1"}`, `"client":{"declared_ip":"not looked at"}`), 1, whatever)
	f(minimal(`"session":{"amr":["","pwd",""]}`), 0, func(a *signals.Attempt) bool { return slices.Equal(a.Session.AMR, []string{"pwd"}) })
	f(strings.Replace(minimal(), `"ip"`, `"forwarded_for":["","1.2.3.4"],"ip"`, 1), 0, func(a *signals.Attempt) bool {
		return slices.Equal(a.Network.ForwardedFor, []string{"", "1.2.3.4"})
	})
	f(minimal(`"intent":{"authorization_details":[ {"type" : "a","type2":{"type":5}} ],"amount":{"currency":"EUR","value":"0001.5"}}`), 0, func(a *signals.Attempt) bool {
		return reflect.DeepEqual(a.Intent.Details, []signals.Detail{{Type: "a", Raw: `{"type" : "a","type2":{"type":5}}`}}) && a.Intent.Amount.Value == 1.5
	})
	f(minimal(`"external":{"a":1,"b":null,"":5,"c":-1e3}`), 0, func(a *signals.Attempt) bool {
		return slices.Equal(a.External, []signals.External{{Name: "a", Value: 1}, {Name: "c", Value: -1000}})
	})
	f(minimal(`"intent":{"scopes":[`+strings.Repeat(`"s",`, 63)+`"s"]}`), 0, func(a *signals.Attempt) bool { return len(a.Intent.Scopes) == 64 })
	big := minimal(`"x":"` + strings.Repeat("x", MaxBody-len(minimal(`"x":""`))) + `"`)
	f(big, 1, whatever)
}

// TestRefuse holds which fields a refusal names, all of them and in order.
func TestRefuse(t *testing.T) {
	var d Decoder
	f := func(body, says string, want ...string) {
		t.Helper()
		var a signals.Attempt
		p := d.Attempt(&a, []byte(body))
		if p == nil || p.Status != 400 || !slices.Equal(pointersOf(p), want) || !strings.Contains(show(p), says) {
			t.Errorf("%.200s: got %s; want %v, saying %q", body, show(p), want, says)
		}
	}
	in := func(member, says string, want ...string) { t.Helper(); f(minimal(member), says, want...) }
	f(`{}`, "required", "/attempt_id", "/action", "/subject", "/network/ip")
	f(`{"attempt_id":null,"action":"","subject":"","network":null}`, "required", "/attempt_id", "/action", "/subject", "/network/ip")
	f(`{"attempt_id":"a","action":"login","subject":"s","network":{"ip":null}}`, "required", "/network/ip")
	f(`{"attempt_id":7,"action":"logon","subject":"s","network":{"ip":"300.1.1.1"}}`, "login, consent, authorize", "/attempt_id", "/action", "/network/ip")
	f(strings.Replace(minimal(), "192.0.2.1", "fe80::1%eth0", 1), "zone", "/network/ip")
	f(strings.Replace(minimal(), "192.0.2.1", " 192.0.2.1", 1), "IPv4", "/network/ip")
	for _, root := range []string{`null`, `true`, `5`, `"x"`, `[]`, `[{}]`} {
		f(root, "must be an object", "")
	}
	in(`"subject":"t"`, twice, "/subject")
	in(`"\u0073ubject":"t"`, twice, "/subject")
	in(`"subject":null`, twice, "/subject")
	in(`"x":1,"x":2`, twice, "/x")
	in(`"x":1,"\u0078":2`, twice, "/x")
	in(`"a~b/c":1,"a~b/c":2`, twice, "/a~0b~1c")
	in(`"x":{"y":1,"z":{"y":1},"y":[]}`, twice, "/x/y")
	in(`"x":[0,{"y":[{"z":1,"z":1}]}]`, twice, "/x/1/y/0/z")
	in(`"client":{"id":"a","x":1,"id":"b","x":1}`, twice, "/client/id", "/client/x")
	in(`"client":{},"client":{}`, twice, "/client")
	in(`"external":{"a":1,"a":1}`, twice, "/external/a")
	in(`"external":{"a":null,"a":1}`, twice, "/external/a")
	in(`"intent":{"authorization_details":[{"type":"a"},{"type":"a","x":{"y":1,"y":2},"type":"b"}]}`, twice,
		"/intent/authorization_details/1/x/y", "/intent/authorization_details/1/type")
	in(`"intent":{"authorization_details":[{},5,{"type":null},{"type":""},{"type":7}]}`, isRequired, "/intent/authorization_details/0/type",
		"/intent/authorization_details/1", "/intent/authorization_details/2/type", "/intent/authorization_details/3/type", "/intent/authorization_details/4/type")
	in(`"device":{"latitude":90.01,"longitude":-181}`, "from -90 to 90", "/device/latitude", "/device/longitude")
	in(`"device":{"latitude":1}`, "/device/latitude stands", "/device/longitude")
	in(`"device":{"longitude":1,"latitude":null}`, "/device/longitude stands", "/device/latitude")
	in(`"device":{"fonts":-1,"cores":1e999,"timezone_offset_min":"0"}`, "must be a number from 0 to", "/device/fonts", "/device/cores", "/device/timezone_offset_min")
	in(`"x":1e999`, "finite", "/x")
	in(`"network2":1,"behaviour":{"pointer":{"speed_px_s":[1,2],"straightness":1.1}}`, "3 numbers", "/behaviour/pointer/speed_px_s", "/behaviour/pointer/straightness")
	in(`"behaviour":{"pointer":{"speed_px_s":[1,null,-3]}}`, "number", "/behaviour/pointer/speed_px_s/1", "/behaviour/pointer/speed_px_s/2")
	in(`"behaviour":{"pointer":{"speed_px_s":[]}}`, "3 numbers", "/behaviour/pointer/speed_px_s")
	in(`"behaviour":{"keys":{"rhythm":[`+strings.Repeat("1,", 78)+`1]}}`, "78", "/behaviour/keys/rhythm")
	in(`"behaviour":{"keys":{"rhythm":[`+strings.Repeat("1,", 76)+`1]}}`, "78", "/behaviour/keys/rhythm")
	in(`"behaviour":{"keys":{"rhythm":[`+strings.Repeat("1,", 77)+`"1"]}}`, "number", "/behaviour/keys/rhythm/77")
	in(`"intent":{"scopes":[`+strings.Repeat(`"s",`, 64)+`"s"]}`, "more than 64", "/intent/scopes")
	in(`"intent":{"scopes":["a",null,{"b":1},"`+strings.Repeat("x", 1025)+`"]}`, "string", "/intent/scopes/1", "/intent/scopes/2", "/intent/scopes/3")
	in(`"intent":{"authorization_details":[`+strings.Repeat(`{"type":"s"},`, 16)+`{}]}`, "more than 16", "/intent/authorization_details")
	in(`"session":{"amr":["a","a","a","a","a","a","a","a","a"]}`, "more than 8", "/session/amr")
	in(`"headers":{"user_agent":"`+strings.Repeat("é", 2048)+`x","accept_language":"`+strings.Repeat("x", 1025)+`"}`, "4096 bytes", "/headers/user_agent", "/headers/accept_language")
	in(`"client":{"id":"a\u0000b","redirect_uri":"a\nb","software_version":"`+"\x01"+`","declared_ip":"`+"\x7f"+`","declared_user_agent":"\u0085"}`, hasControl,
		"/client/id", "/client/redirect_uri", "/client/software_version", "/client/declared_ip", "/client/declared_user_agent")
	in(`"client":{"id":"\ud800","redirect_uri":"\udc00\ud800","software_version":"\ud800\u0041"}`, hasLone, "/client/id", "/client/redirect_uri", "/client/software_version")
	in("\"client\":{\"id\":\"\xff\",\"redirect_uri\":\"\xc0\x80\",\"software_version\":\"\xed\xa0\x80\",\"declared_ip\":\"\xc3\"}", isNotUTF8,
		"/client/id", "/client/redirect_uri", "/client/software_version", "/client/declared_ip")
	in(`"x":{"y":["\u0000"]}`, hasControl, "/x/y/0")
	in(`"x":{"\u0000":1}`, hasControl, "/x")
	in(`"intent":{"authorization_details":[{"type":"a","b":"\n"}]}`, hasControl, "/intent/authorization_details/0/b")
	in(`"intent":{"amount":{}}`, isRequired, "/intent/amount/value", "/intent/amount/currency")
	in(`"intent":{"amount":{"value":"","currency":null}}`, isRequired, "/intent/amount/value", "/intent/amount/currency")
	in(`"intent":{"amount":{"value":120.5,"currency":"euro"},"payee_country":"Germany"}`, "capital letters", "/intent/amount/value", "/intent/amount/currency", "/intent/payee_country")
	in(`"intent":{"amount":"120.50 EUR"}`, "must be an object", "/intent/amount")
	in(`"subject_known":"true","user_present":1`, "true or false", "/subject_known", "/user_present")
	in(`"time":1767225600,"session":{"created":"yesterday"},"token":{"issued":{}}`, "RFC 3339", "/time", "/session/created", "/token/issued")
	in(`"authentication":{"result":"Success","method":"password"}`, "success, failure, pending", "/authentication/result", "/authentication/method")
	in(`"external":[],"client":[],"intent":{"scopes":"openid","authorization_details":{}},"behaviour":{"keys":{"rhythm":0},"pointer":{"speed_px_s":{}}}`, "must be",
		"/external", "/client", "/intent/scopes", "/intent/authorization_details", "/behaviour/keys/rhythm", "/behaviour/pointer/speed_px_s")
	in(`"external":{"a":"1","b":true,"c":1e300}`, "must be a number", "/external/a", "/external/b", "/external/c")
	var many strings.Builder
	for i := range 33 {
		many.WriteString(`,"` + strings.Repeat("n", i+1) + `":1`)
	}
	in(`"external":{"`+strings.Repeat("n", 1025)+`":1}`, "1024 bytes", "/external")
	in(`"external":{`+many.String()[1:]+`}`, "more than 32", "/external")
	long := strings.Repeat("x", 200)
	in(`"x":{"`+long+`":1,"`+long+`":{"a":1,"a":1}}`, twice, "/x", "/x")

	var a signals.Attempt
	p := d.Attempt(&a, []byte(minimal(`"x":[`+strings.Repeat(`1e999,`, 20)+`1]`)))
	if p == nil || len(p.Errors) != maxErrors || !strings.Contains(p.Detail, "More than 16") {
		t.Errorf("many errors: %s", show(p))
	}
}

// TestMalformed holds that the reading stops, where, and that nothing else is said.
func TestMalformed(t *testing.T) {
	var d Decoder
	f := func(body string, offset string) {
		t.Helper()
		var a signals.Attempt
		p := d.Attempt(&a, []byte(body))
		if p == nil || p.Status != 400 || len(p.Errors) > 0 || !strings.HasPrefix(p.Detail, "At byte "+offset+": ") {
			t.Errorf("%.100q: got %s, want byte %s", body, show(p), offset)
		}
	}
	f("", "0")
	f("  ", "2")
	f("\ufeff{}", "0")
	f("{", "1")
	f("{}}", "2")
	f("{} x", "3")
	f(`{"a"}`, "4")
	f(`{"a":}`, "5")
	f(`{"a":1,}`, "7")
	f(`{,}`, "1")
	f(`{"a":1 "b":2}`, "7")
	f(`{"a":[1,]}`, "8")
	f(`{"a":[1 2]}`, "8")
	f(`{"a":[1}`, "7")
	f(`{a:1}`, "1")
	f(`{'a':1}`, "1")
	f(`{"a`, "1")
	f(`{"a":"b`, "5")
	f(`{"a":"\x"}`, "6")
	f(`{"a":"\u00g0"}`, "6")
	f(`{"a":"\`, "6")
	f(`{"a":"\u00e`, "6")
	f(`{"a":nul}`, "5")
	f(`{"a":nulll}`, "9")
	f(`{"a":True}`, "5")
	f(`{"a":01}`, "5")
	f(`{"a":-}`, "5")
	f(`{"a":+1}`, "5")
	f(`{"a":.5}`, "5")
	f(`{"a":1.}`, "5")
	f(`{"a":1e}`, "5")
	f(`{"a":1e+}`, "5")
	f(`{"a":0x1}`, "6")
	f(`{"a":NaN}`, "5")
	f(`{"a":Infinity}`, "5")
	f(`{"a":1} // comment`, "8")
	f("{\"a\":1}\x00", "7")
	f("{\"a\":\xa01}", "5")
	f(`{"x":[[[[[[[[`, "12")
	f(`{"attempt_id":7,"x"`, "19") // the wrong type before it is not mentioned
}

func TestDepth(t *testing.T) {
	var d Decoder
	var a signals.Attempt
	for _, c := range [...]struct{ open, inner, shut string }{{`[`, ``, `]`}, {`{"x":`, `1`, `}`}} {
		value := func(n int) []byte {
			return []byte(minimal(`"x":` + strings.Repeat(c.open, n) + c.inner + strings.Repeat(c.shut, n)))
		}
		if p := d.Attempt(&a, value(maxDepth-1)); p != nil {
			t.Errorf("depth 8: %s", show(p))
		}
		if p := d.Attempt(&a, value(maxDepth)); p == nil || !strings.Contains(p.Detail, "8 deep") {
			t.Errorf("depth 9: %s", show(p))
		}
	}
	within := func(n int) []byte {
		return []byte(minimal(`"intent":{"authorization_details":[{"type":"a","x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}]}`))
	}
	if p := d.Attempt(&a, within(4)); p != nil {
		t.Errorf("a detail of depth 8: %s", show(p))
	}
	if d.Attempt(&a, within(5)) == nil {
		t.Error("a detail of depth 9 is accepted")
	}
}

func TestTooLarge(t *testing.T) {
	var d Decoder
	body := []byte(minimal() + strings.Repeat(" ", MaxBody))
	if p := d.Attempt(new(signals.Attempt), body); p == nil || p.Status != 413 {
		t.Errorf("Attempt: %s", show(p))
	}
	if p := d.Feedback(new(signals.Feedback), body); p == nil || p.Status != 413 {
		t.Errorf("Feedback: %s", show(p))
	}
	if p := d.Event(new(signals.Event), body); p == nil || p.Status != 413 {
		t.Errorf("Event: %s", show(p))
	}
}

// TestReuse: what an earlier document said is not in a later one, and a string
// with escapes is not moved by later ones.
func TestReuse(t *testing.T) {
	var d Decoder
	var a, fresh signals.Attempt
	if p := d.Attempt(&a, sampleBytes(t)); p != nil {
		t.Fatal(show(p))
	}
	if d.Attempt(&a, []byte(`{"x":1,"x":1,`)) == nil {
		t.Fatal("accepted")
	}
	body := []byte(minimal(`"x":1`))
	if p := d.Attempt(&a, body); p != nil {
		t.Fatal(show(p))
	}
	if p := new(Decoder).Attempt(&fresh, body); p != nil {
		t.Fatal(show(p))
	}
	if string(AppendAttempt(nil, &a)) != string(AppendAttempt(nil, &fresh)) {
		t.Errorf("got %+v, want %+v", a, fresh)
	}
	var b strings.Builder
	for i := range 40 {
		b.WriteString(`,"\u00e9\u00e9\u00e9` + string(rune('0'+i)) + `"`)
	}
	if p := d.Attempt(&a, []byte(minimal(`"intent":{"scopes":[`+b.String()[1:]+`]}`))); p != nil {
		t.Fatal(show(p))
	}
	for i, s := range a.Intent.Scopes {
		if s != "ééé"+string(rune('0'+i)) {
			t.Fatalf("scope %d is %q", i, s)
		}
	}
}

// manyNames is a document with n members that the contract does not know.
func manyNames(n int) []byte {
	var b strings.Builder
	for i := range n {
		b.WriteString(`,"` + string([]byte{byte('a' + i%26), byte('a' + i/26%26), byte('a' + i/676%26)}) + `":0`)
	}
	return []byte(minimal(b.String()[1:]))
}

// TestManyNames: as many names as a document has room for are told apart.
func TestManyNames(t *testing.T) {
	const n = 8000
	var d Decoder
	var a signals.Attempt
	body := manyNames(n)
	for range 3 {
		if p := d.Attempt(&a, body); p != nil || d.Unknown() != n {
			t.Fatal(d.Unknown(), show(p))
		}
	}
	p := d.Attempt(&a, append(body[:len(body)-1], `,"caa":1}`...))
	if !slices.Equal(pointersOf(p), []string{"/caa"}) {
		t.Error(show(p))
	}
	d.names.next = 1<<31 + 1 // the numbers of objects begin anew
	if p := d.Attempt(&a, []byte(minimal(`"x":{"a":1}`, `"y":{"a":1}`))); p != nil {
		t.Error(show(p))
	}
}

// least is the shortest of some runs.
func least(runs int, f func()) time.Duration {
	best := time.Hour
	for range runs {
		start := time.Now()
		f()
		best = min(best, time.Since(start))
	}
	return best
}

// TestManyNamesInTime: with eight times the names the time grows by about eight, not
// by its square, as it does where every name is compared with every other.
func TestManyNamesInTime(t *testing.T) {
	const few, many, limit = 500, 4000, 24
	growth := func(work func(n int)) float64 {
		short := least(10, func() { work(few) })
		return float64(least(2, func() { work(many) })) / float64(max(short, 1))
	}
	bodies := map[int][]byte{few: manyNames(few), many: manyNames(many)}
	var d Decoder
	var a signals.Attempt
	g := math.Inf(1)
	for range 5 { // a busy machine can only make it look worse
		g = min(g, growth(func(n int) { d.Attempt(&a, bodies[n]) }))
	}
	if g > limit {
		t.Errorf("8 times the names take %.1f times as long", g)
	}
	if g := growth(func(n int) {
		body := bodies[n]
		for i := range n {
			for j := range i {
				if bytes.Equal(body[i:i+5], body[j:j+5]) && i > len(body) {
					t.Fatal("unreachable")
				}
			}
		}
	}); g < limit {
		t.Errorf("control: comparing each with each takes only %.1f times as long", g)
	}
}

// TestCorpus: every document of testdata/refuse is refused, of testdata/accept not.
func TestCorpus(t *testing.T) {
	f := func(dir string, accepted bool) {
		t.Helper()
		files, err := filepath.Glob(filepath.Join("testdata", dir, "*.json"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", dir, len(files), err)
		}
		for _, file := range files {
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var a signals.Attempt
			if p := new(Decoder).Attempt(&a, body); (p == nil) != accepted {
				t.Errorf("%s: %s", file, show(p))
			}
		}
	}
	f("refuse", false)
	f("accept", true)
	// encoding/json takes most of what is to be refused: the rules are ours.
	files, err := filepath.Glob(filepath.Join("testdata", "refuse", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	lax := 0
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if json.Unmarshal(body, &v) == nil {
			lax++
		}
	}
	if lax < len(files)/4 {
		t.Errorf("control: encoding/json accepts only %d of %d", lax, len(files))
	}
}

func TestParseTime(t *testing.T) {
	for _, s := range []string{"2026-11-23T10:00:00Z", "2026-11-23T10:00:00.1Z", "2026-11-23T10:00:00.123456789Z", "2026-11-23T10:00:00.1234567891Z", "2024-02-29T00:00:00Z",
		"2000-02-29T23:59:59Z", "1970-01-01T00:00:00Z", "1970-01-01T01:00:00+01:00", "9999-12-31T23:59:59Z", "2026-11-23T10:00:00+05:30", "2026-11-23T10:00:00.5-23:59",
		"2026-04-30T00:00:00-00:00"} {
		want, err := time.Parse(time.RFC3339, s)
		if got, ok := parseTime(s); err != nil || !ok || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%s: %v %v, want %v %v", s, got, ok, want, err)
		}
	}
	for _, s := range []string{"2026-11-23", "2026-11-23T10:00:00", "2026-11-23t10:00:00Z", "2026-11-23T10:00:00z", "2026-11-23 10:00:00Z", "2026-11-23T10:00Z", "2026-02-29T00:00:00Z",
		"2100-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z", "2026-01-01T24:00:00Z",
		"2026-01-01T00:60:00Z", "2026-01-01T23:59:60Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00,5Z", "2026-01-01T00:00:00.5", "2026-01-01T00:00:00+0100", "2026-01-01T00:00:00+01",
		"2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+01:60", "2026-01-01T00:00:00+1:00", "2026-01-01T00:00:00ZZ", "2026-01-01T00:00:00 01:00", "1969-12-31T23:59:59Z",
		"0001-01-01T00:00:00Z", "1970-01-01T00:00:00+00:01", "+026-01-01T00:00:00Z", "2026-1-01T00:00:000Z", "2026-01-01T0:00:000Z", "2026-01-01T00:00:00.-5Z", "12026-01-01T00:00:00Z", ""} {
		if got, ok := parseTime(s); ok {
			t.Errorf("%s is %v", s, got)
		}
	}
}

func TestParseDecimal(t *testing.T) {
	for s, want := range map[string]float64{"0": 0, "120.50": 120.5, "0.1": 0.1, "007": 7, "999999999999999999": 999999999999999999, "0.00000000000000001": 1e-17, "9007199254740993": 9007199254740993,
		"123456789012.345678": 123456789012.345678, "9007199254740.993": 9007199254740.993} {
		if got, ok := parseDecimal(s); !ok || got != want {
			t.Errorf("%s: %v %v", s, got, ok)
		}
	}
	for _, s := range []string{"", ".", "1.", ".5", "-1", "+1", "1,5", "1.000,00", "1 000", "1e3", "0x1", "1.2.3", "1234567890123456789", "1.123456789012345678", "NaN", "Inf", "1_0", "١", " 1", "1 "} {
		if got, ok := parseDecimal(s); ok {
			t.Errorf("%q is %v", s, got)
		}
	}
}

func TestProblemAppend(t *testing.T) {
	p := Problem{Type: "urn:x", Title: "T\"", Status: 400, Detail: "d\n", Errors: []FieldError{{"/a~1b", "é"}, {"", "\xff"}}, Allow: "POST", RetryAfter: 3}
	const want = `{"type":"urn:x","title":"T\"","status":400,"detail":"d\u000a","errors":[{"pointer":"/a~1b","detail":"é"},{"pointer":"","detail":"` + "\ufffd" + `"}]}`
	if got := p.Append(nil); string(got) != want || !json.Valid(got) {
		t.Errorf("%s", got)
	}
	if got := (&Problem{Title: "T", Status: 404}).Append([]byte("x")); !bytes.Equal(got, []byte(`x{"title":"T","status":404}`)) {
		t.Errorf("%s", got)
	}
}
