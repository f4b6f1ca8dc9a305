package echo

import (
	"net"
	"testing"

	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"
)

func TestAnswer(t *testing.T) {
	l := fasthttputil.NewInmemoryListener()
	s := &fasthttp.Server{Handler: Answer}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	client := &fasthttp.HostClient{Addr: "echo", Dial: func(string) (net.Conn, error) { return l.Dial() }}
	for _, c := range []struct {
		method, body, want string
		status             int
	}{
		{"POST", `{"a":1}`, `{"a":1}`, 200},
		{"POST", "", "", 200},
		{"GET", "", "Use POST.", 405},
	} {
		req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
		req.Header.SetMethod(c.method)
		req.SetRequestURI("http://echo/")
		req.SetBodyString(c.body)
		if err := client.Do(req, res); err != nil {
			t.Fatal(err)
		}
		if res.StatusCode() != c.status || string(res.Body()) != c.want {
			t.Errorf("%s %q: %d %q, want %d %q", c.method, c.body, res.StatusCode(), res.Body(), c.status, c.want)
		}
	}
	client.CloseIdleConnections()
	if err := s.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
