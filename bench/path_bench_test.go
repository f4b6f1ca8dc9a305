package bench

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"

	"github.com/waryauth/wary/bench/echo"
)

const geoFolder = "../data/geo" // used where it is there

// realPath opens the path over real addresses where the geo files are there.
func realPath(b *testing.B) *path {
	b.Helper()
	s, err := NewStream(geoFolder)
	if err != nil {
		b.Fatal(err)
	}
	l, err := OpenLocator(geoFolder)
	if err != nil {
		b.Fatal(err)
	}
	return openWorld(b, s, l)
}

// BenchmarkWholePath takes the same bytes to an answer in process: Wary from bytes
// to bytes; Wary, the bare echo and the naive build as servers behind an in-memory
// connection, whose client is in the time of all three.
func BenchmarkWholePath(b *testing.B) {
	p := realPath(b)
	b.Run("score", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(p.stream.MeanBytes()))
		for b.Loop() {
			p.fetch()
			p.score(b)
		}
	})
	api := NewAPI(p.engine)
	b.Run("wary", func(b *testing.B) { overMemory(b, p, api.Serve) })
	bare := &fasthttp.Server{Handler: echo.Answer}
	b.Run("echo", func(b *testing.B) { overMemory(b, p, bare.Serve) })
	first := openNaive(b, geoFolder)
	plain := &http.Server{Handler: first}
	b.Run("naive", func(b *testing.B) { overMemory(b, p, plain.Serve) })
	b.Run("naive-without-http", func(b *testing.B) {
		b.ReportAllocs()
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "/v1/score", nil)
		for b.Loop() {
			p.fetch()
			w.Body.Reset()
			r.Body = readCloser{bytes.NewReader(p.body)}
			first.ServeHTTP(w, r)
		}
		if w.Code != 200 {
			b.Fatal(w.Code)
		}
	})
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

// overMemory sends requests to a server through fasthttp's in-memory listener, one
// after the other.
func overMemory(b *testing.B, p *path, serve func(net.Listener) error) {
	l := fasthttputil.NewInmemoryListener()
	done := make(chan error, 1)
	go func() { done <- serve(l) }()
	conn, err := l.Dial()
	if err != nil {
		b.Fatal(err)
	}
	c := NewCaller(conn)
	one := func() {
		if err := c.Score(p.stream, p.next); err != nil {
			b.Fatal(err)
		}
		p.next++
	}
	for range p.stream.bodies {
		one()
	}
	b.ReportAllocs()
	b.SetBytes(int64(p.stream.MeanBytes()))
	for b.Loop() {
		one()
	}
	b.StopTimer()
	if err := c.Close(); err != nil {
		b.Fatal(err)
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	<-done // ended by the listener's end
}
