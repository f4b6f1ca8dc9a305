package openloop

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

func body(int) []byte { return []byte("{}") }

// TestStallIsCharged: a server that stalls once for 300 ms delays everyone who was
// due meanwhile. A client that waits for answers before it sends would see one
// slow request of 200; this one must see many.
func TestStallIsCharged(t *testing.T) {
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1) == 50 {
			time.Sleep(300 * time.Millisecond)
		}
	}))
	defer s.Close()
	r, err := Run(context.Background(), Options{URL: s.URL, Rate: 200, Duration: time.Second, Connections: 1, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	if r.Sent != 200 || r.OK != 200 || r.Broken != 0 {
		t.Errorf("%+v", r)
	}
	slow := int64(0)
	for _, b := range r.Latency.Distribution() {
		if b.From >= 50_000 {
			slow += b.Count
		}
	}
	if slow < 30 {
		t.Errorf("%d requests took over 50 ms, want those that were due in the stall", slow)
	}
}

func TestRefusedAndBroken(t *testing.T) {
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch n.Add(1) % 4 {
		case 0:
			http.Error(w, "no", http.StatusBadRequest)
		case 1:
			panic(http.ErrAbortHandler) // the connection breaks
		}
	}))
	defer s.Close()
	r, err := Run(context.Background(), Options{URL: s.URL, Rate: 400, Duration: 500 * time.Millisecond, Connections: 3, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	if r.Sent != 200 || r.OK != 100 || r.Refused != 50 || r.Broken != 50 {
		t.Errorf("sent %d, ok %d, refused %d, broken %d", r.Sent, r.OK, r.Refused, r.Broken)
	}
}

func TestStops(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if _, err := Run(ctx, Options{URL: s.URL, Rate: 100, Duration: time.Minute, Connections: 4, Body: body}); err == nil {
		t.Error("no error from a run that was stopped")
	}
	s.CloseClientConnections()
	s.Close()
	if _, err := Run(context.Background(), Options{URL: s.URL, Rate: 100, Duration: time.Second, Connections: 1, Body: body}); err == nil {
		t.Error("no error without a server")
	}
	if _, err := Run(context.Background(), Options{URL: s.URL, Rate: 0, Duration: time.Second, Connections: 1, Body: body}); err == nil {
		t.Error("no error for a rate of 0")
	}
}
