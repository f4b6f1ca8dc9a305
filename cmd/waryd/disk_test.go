package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// TestFullDisk fills the disk under a running daemon and then frees it again.
func TestFullDisk(t *testing.T) {
	data := t.TempDir()
	if err := syscall.Mount("wary", data, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { // after the daemon's
		if err := syscall.Unmount(data, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	r := boot(t, data)
	r.settle("anna", 21)
	n := 0
	score := func() verdict {
		n++
		return r.post("/v1/score", login(fmt.Sprint("disk-", n), "anna", 0))
	}
	if v := score(); v.Decision != "allow" {
		t.Fatalf("control: %s with space on the disk, want allow", v.Decision)
	}
	filler := filepath.Join(data, "filler")
	fill(t, filler)

	full := func(v verdict) bool { return slices.Contains(v.Degraded, "journal") }
	last := score()
	for range 1000 { // the log has written zeros ahead: there is room for some more
		if full(last) {
			break
		}
		last = score()
	}
	if !full(last) {
		t.Fatalf("the full disk was not noticed: %+v", last)
	}
	for range 50 {
		if v := score(); v.Decision == "allow" || !full(v) {
			t.Fatalf("%+v on a full disk", v)
		}
	}
	if status, _ := r.ask(http.MethodGet, "/v1/decisions/"+last.DecisionID, ""); status != 404 {
		t.Errorf("a decision that is not in the log has a receipt: %d", status)
	}
	// These are small: the first ones may still fit where a decision does not.
	feedback := r.refusedAt("/v1/feedback", `{"feedback_id":"f-%d","attempt_id":"disk-1","kind":"label","value":"fraud","source":"analyst"}`)
	event := r.refusedAt("/v1/events", `{"event_id":"e-%d","type":"password_changed","subject":"anna"}`)
	if status, _ := r.operator("/livez"); status != 200 {
		t.Errorf("livez on a full disk: %d", status)
	}

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if v := score(); v.Decision != "allow" || full(v) {
		t.Errorf("%+v with space again, want allow", v)
	}
	for path, body := range map[string]string{"/v1/feedback": feedback, "/v1/events": event} {
		if status, answer := r.ask(http.MethodPost, path, body); status != 202 {
			t.Errorf("%s with space again: %d %s", path, status, answer)
		}
	}
	known := r.post("/v1/evaluate", login("look", "anna", 0)).History
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if after := boot(t, data).post("/v1/evaluate", login("look", "anna", 0)).History; after != known {
		t.Errorf("history %+v after a restart, %+v before", after, known)
	}
}

// refusedAt sends numbered bodies until one is answered with 503, and returns it.
func (r *running) refusedAt(path, format string) string {
	r.t.Helper()
	for n := range 100 {
		body := fmt.Sprintf(format, n)
		status, answer := r.ask(http.MethodPost, path, body)
		if status == 503 {
			return body
		}
		if status != 202 {
			r.t.Fatalf("%s: %d %s", path, status, answer)
		}
	}
	r.t.Fatalf("%s is never refused on a full disk", path)
	return ""
}

// fill writes until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 64 << 10; size > 0; size /= 2 {
		for err == nil {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		err = nil
	}
}
