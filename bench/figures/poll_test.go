package main

import (
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/waryauth/wary/bench"
	"github.com/waryauth/wary/bench/echo"
)

// listen serves on loopback until the test ends.
func listen(t *testing.T, handler fasthttp.RequestHandler) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &fasthttp.Server{Handler: handler, CloseOnShutdown: true}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Shutdown(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// leave takes connections and closes them once something was sent.
func leave(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1))
			_ = c.Close()
		}
	}()
	return l.Addr().String()
}

// TestClients: both kinds of client count what a server answered, and take a
// server that refuses, or goes away, for a fault.
func TestClients(t *testing.T) {
	s, err := bench.NewStream("")
	if err != nil {
		t.Fatal(err)
	}
	var served atomic.Int64
	good := listen(t, func(ctx *fasthttp.RequestCtx) { served.Add(1); echo.Answer(ctx) })
	refusing := listen(t, func(ctx *fasthttp.RequestCtx) { ctx.SetStatusCode(429) })
	leaving := leave(t)

	var to target
	n, err := to.closed(s, good, 50*time.Millisecond, 1)
	if err != nil || n == 0 || int64(n) != served.Load() {
		t.Errorf("closed: %d answers of %d, %v", n, served.Load(), err)
	}
	to.hangUp(t)
	if text, err := to.open(s, good, 50*time.Millisecond, 2, 400); err != nil || len(strings.Fields(text)) != 4 {
		t.Errorf("open: %q, %v", text, err)
	}
	for _, address := range []string{refusing, leaving} {
		var to target
		if _, err := to.closed(s, address, 50*time.Millisecond, 2); err == nil {
			t.Error("closed: no error")
		}
		to.hangUp(t)
		if _, err := to.open(s, address, 50*time.Millisecond, 2, 400); err == nil {
			t.Error("open: no error")
		}
	}
}

func (t *target) hangUp(tb testing.TB) {
	for _, l := range t.lines {
		if err := l.conn.Close(); err != nil {
			tb.Error(err)
		}
	}
}
