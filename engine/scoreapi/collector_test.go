package scoreapi

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/waryauth/wary/signals"
)

// TestCollected: what signals/collector fills a form with is, word for word, what an
// attempt may say. Its own tests hold the file to what the page tells in a browser.
func TestCollected(t *testing.T) {
	told, err := os.ReadFile(filepath.Join("..", "..", "signals", "collector", "testdata", "collected.json"))
	if err != nil {
		t.Fatal(err)
	}
	read := func(told []byte) (*signals.Attempt, int, *Problem) {
		var d Decoder
		var a signals.Attempt
		body := append([]byte(`{"attempt_id":"a-1","action":"login","subject":"psu-1","network":{"ip":"203.0.113.7"},`), bytes.TrimSpace(told)[1:]...)
		p := d.Attempt(&a, body)
		if p == nil {
			if diff := differs(body, &a); diff != "" {
				t.Error(diff)
			}
		}
		return &a, d.Unknown(), p
	}
	a, unknown, p := read(told)
	if p != nil || unknown != 0 {
		t.Fatalf("%s, %d members are unknown", show(p), unknown)
	}
	b, d := &a.Behaviour, &a.Device
	if !b.Keys.RhythmSet || !b.Keys.Count.Set || !b.Pointer.Straight.Set || !b.Pointer.SpeedPXS.Set || !b.Form.DwellMS.Set || b.Collector == "" ||
		d.Timezone == "" || len(d.Languages) == 0 || !d.Screen.PixelRatio.Set || !d.Latitude.Set {
		t.Errorf("the sample does not say all that a page can: %+v %+v", b, d)
	}
	if _, unknown, _ := read(bytes.Replace(told, []byte(`"dwell_ms"`), []byte(`"dwell"`), 1)); unknown != 1 {
		t.Errorf("control: another name makes %d unknown members", unknown)
	}
	if _, _, p := read(bytes.Replace(told, []byte(`"rhythm":[`), []byte(`"rhythm":[0,`), 1)); p == nil {
		t.Error("control: 79 numbers are accepted")
	}
}
