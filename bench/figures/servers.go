package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime/pprof"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/waryauth/wary/bench"
	"github.com/waryauth/wary/bench/echo"
)

// server is one of those that are compared.
type server struct {
	serve func(net.Listener) error
	stop  func() error
}

// openServer opens the server of a kind: wary, echo or naive, its log in dir.
func openServer(kind, dir, geo string) (*server, error) {
	switch kind {
	case "wary":
		return openWary(dir, geo)
	case "echo":
		s := &fasthttp.Server{Handler: echo.Answer, NoDefaultServerHeader: true, CloseOnShutdown: true}
		return &server{s.Serve, s.Shutdown}, nil
	case "naive":
		handler, open, err := bench.OpenNaive(dir, geo)
		if err != nil {
			return nil, err
		}
		s := &http.Server{Handler: handler}
		return &server{s.Serve, func() error { return errors.Join(s.Close(), open.Close()) }}, nil
	}
	return nil, fmt.Errorf("there is no server %q", kind)
}

func openWary(dir, geo string) (*server, error) {
	locator, err := bench.OpenLocator(geo)
	if err != nil {
		return nil, err
	}
	e, err := bench.OpenEngine(dir, locator)
	if err != nil {
		return nil, err
	}
	api := bench.NewAPI(e)
	return &server{api.Serve, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return errors.Join(api.Shutdown(ctx), e.Close())
	}}, nil
}

// serverChild KIND DIR GEO PROFILE listens on loopback, says where, and tells for
// every line the processor time it has used so far, in microseconds.
func serverChild(args []string) error {
	if len(args) != 4 {
		return errors.New("server: want kind, folder, geo files, profile")
	}
	s, err := openServer(args[0], args[1], args[2])
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, s.stop())
	}
	go func() { _ = s.serve(l) }() // ends by stop; a fault shows in the client
	fmt.Println(l.Addr())
	profiling := false
	err = answerLines(func([]string) (string, error) {
		if args[3] != "" && !profiling { // from the first question on: warm
			profiling = true
			f, err := os.Create(args[3])
			if err == nil {
				err = pprof.StartCPUProfile(f)
			}
			if err != nil {
				return "", err
			}
		}
		return strconv.FormatInt(used().Microseconds(), 10), nil
	})
	if profiling {
		pprof.StopCPUProfile()
	}
	return errors.Join(err, s.stop())
}
