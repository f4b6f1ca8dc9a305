package ceremony

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// collected is what the collector's own test holds a form in a real browser to.
func collected(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "signals", "collector", "testdata", "collected.json"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func TestMeasured(t *testing.T) {
	good := collected(t)
	at, err := measured(good)
	if err != nil || at.Device.Timezone != "Asia/Calcutta" || at.Device.Screen.Width.Value != 800 || at.Behaviour.Keys.Count.Value != 21 || !at.Behaviour.Keys.RhythmSet || at.Behaviour.Collector != "1.0" {
		t.Fatalf("%v: %+v", err, at)
	}
	with := func(old, next string) string {
		t.Helper()
		changed := strings.Replace(good, old, next, 1)
		if changed == good {
			t.Fatalf("there is no %s", old)
		}
		return changed
	}
	for what, text := range map[string]string{
		"nothing":                    "",
		"an empty object":            "{}",
		"no JSON":                    good[:len(good)-1],
		"a list":                     "[" + good + "]",
		"more behind":                good + "{}",
		"a wrong type":               with(`"fonts":1`, `"fonts":"1"`),
		"out of range":               with(`"depth":24`, `"depth":-24`),
		"an unknown member":          with(`"fonts":1`, `"fonts":1,"more":1`),
		"another member":             with(`{"device":{`, `{"more":1,"device":{`),
		"a member twice":             with(`{"device":{`, `{"behaviour":{},"device":{`),
		"who it is":                  with(`{"device":{`, `{"subject":"p-x","device":{`),
		"where it is":                with(`{"device":{`, `{"network":{"ip":"192.0.2.2"},"device":{`),
		"which device it is":         with(`{"device":{`, `{"device":{"id":"d-1",`),
		"a fingerprint":              with(`{"device":{`, `{"device":{"fingerprint":"f-1",`),
		"that it has a key":          with(`{"device":{`, `{"device":{"key_bound":true,`),
		"that it has no key":         with(`{"device":{`, `{"device":{"key_bound":false,`),
		"that it is vouched for":     with(`{"device":{`, `{"device":{"attested":true,`),
		"longer than any collection": with(`"gpu":"`, `"gpu":"`+strings.Repeat("x", maxLongField)),
	} {
		if at, err := measured(text); err == nil {
			t.Errorf("taken: %s: %+v", what, at)
		}
	}
}

// TestNothingIsMeasuredWithoutConsent has pages and forms of who did not agree, and of a
// server that does not ask.
func TestNothingIsMeasuredWithoutConsent(t *testing.T) {
	good := collected(t)
	w := newWorld(t, func(o *Options) { o.Collector = true })
	f := func(what string, b *tab, want bool, fields ...string) {
		t.Helper()
		w.attempts()
		b.submit("password", append(fields, "username", "alice", "password", secretOf, measuredField, good)...).shows("Allow access?")
		told := w.attempts()
		if got := told[len(told)-1].Behaviour.Collector != ""; got != want {
			t.Errorf("%s: measured %v, want %v", what, got, want)
		}
	}
	b := w.browser()
	f("did not agree", b.come(nil).shows("Sign in", "Help to protect my account"), false, "measure", "")
	f("agreed", b.come(nil), true, "measure", "yes")
	if b.come(nil); !strings.Contains(b.page, "checked") {
		t.Error("that the person agreed is forgotten")
	}
	f("no longer agrees", b, false, "measure", "")
	if b.come(nil); strings.Contains(b.page, "checked") {
		t.Error("that the person agreed no longer is forgotten")
	}
	w.attempts()
	b.submit("password", "measure", "yes", "username", "alice", "password", secretOf, measuredField, "{").shows("Allow access?") // works without
	if told := w.attempts(); told[len(told)-1].Behaviour.Collector != "" {
		t.Error("what is malformed was taken")
	}
	w = newWorld(t)
	f("is not asked", w.browser().come(nil), false, "measure", "yes")
}

// FuzzMeasured: whatever a page says, only what it may say is taken.
func FuzzMeasured(f *testing.F) {
	f.Add(collected(f))
	f.Add(`{"device":{"id":"x"}}`)
	f.Add(`{"behaviour":{},"device":{}}`)
	f.Add(`{`)
	f.Fuzz(func(t *testing.T, text string) {
		at, err := measured(text)
		if err != nil {
			return
		}
		if at.Subject != "measured" || at.Network.IP != "192.0.2.1" || at.Device.ID != "" || at.Device.Fingerprint != "" || at.Device.KeyBound.Set || at.Device.Attested.Set {
			t.Errorf("%q made %+v", text, at)
		}
	})
}

// FuzzPasskey: whatever answers a challenge proves nothing, but what was made for it.
func FuzzPasskey(f *testing.F) {
	w := newWorld(f)
	d := newDevice(f, false)
	w.enrol(d)
	alice := w.pages.accounts.Load().byName["alice"].subject
	options, err := w.pages.asks(f.Context(), "another", alice)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(d.says(options))
	f.Add("")
	f.Add(`{"id":"AAAA","rawId":"AAAA","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"AAAA","signature":"AAAA"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, subject := range [...]string{"", alice} {
			if _, err := w.pages.asks(t.Context(), "one", subject); err != nil {
				t.Fatal(err)
			}
			said, err := w.pages.read(t.Context(), "one", subject, text)
			if err == nil {
				_, err = w.pages.believe(t.Context(), said)
			}
			if err == nil {
				t.Errorf("believed: %q", text)
			}
		}
	})
}
