// Package openloop answers: how long do answers take at a given rate?
//
// [Run] sends requests at the times a schedule says, whether or not earlier ones
// were answered, and takes each latency from the scheduled time: a server that
// stalls is charged for everyone who would have waited (no coordinated omission,
// Tene, "How NOT to Measure Latency"). The client is a few lines over a socket so
// that it costs little beside the server it measures.
package openloop

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Options of a run.
type Options struct {
	URL         string // of the endpoint, e.g. http://127.0.0.1:8080/v1/score
	Key         string // sent as Bearer, "" for none
	Rate        float64
	Duration    time.Duration
	Connections int
	TLS         *tls.Config
	Body        func(n int) []byte // of request n; called by many goroutines
	Progress    func(done int)     // may be nil
}

// Result is what a run measured.
type Result struct {
	Sent, OK, Refused, Broken int                     // Refused: answered, but not 2xx
	Elapsed                   time.Duration           // from the first scheduled request to the last answer
	Latency                   *hdrhistogram.Histogram // microseconds from the scheduled time
}

const (
	maxLatency = 60_000_000 // microseconds
	timeout    = 30 * time.Second
)

// Run sends Rate requests a second for Duration, spread over the connections.
func Run(ctx context.Context, o Options) (*Result, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, err
	}
	if o.Rate <= 0 || o.Duration <= 0 || o.Connections <= 0 {
		return nil, errors.New("rate, duration and connections must be above 0")
	}
	total := int(o.Rate * o.Duration.Seconds())
	lanes := make([]*lane, min(o.Connections, max(total, 1)))
	for i := range lanes {
		lanes[i] = &lane{o: &o, url: u, histogram: hdrhistogram.New(1, maxLatency, 3)}
		if err := lanes[i].dial(ctx); err != nil {
			return nil, err
		}
		defer lanes[i].conn.Close()
	}
	start := time.Now().Add(20 * time.Millisecond)
	var wg sync.WaitGroup
	for i, l := range lanes {
		wg.Go(func() { l.run(ctx, start, i, len(lanes), total) })
	}
	wg.Wait()
	out := &Result{Latency: hdrhistogram.New(1, maxLatency, 3), Elapsed: time.Since(start)}
	for _, l := range lanes {
		out.Sent += l.sent
		out.OK += l.ok
		out.Refused += l.refused
		out.Broken += l.broken
		out.Latency.Merge(l.histogram)
	}
	return out, ctx.Err()
}

// lane is one connection and its share of the schedule.
type lane struct {
	o         *Options
	url       *url.URL
	conn      net.Conn
	in        *bufio.Reader
	out       []byte
	histogram *hdrhistogram.Histogram

	sent, ok, refused, broken int
}

func (l *lane) dial(ctx context.Context) (err error) {
	if l.url.Scheme == "https" {
		l.conn, err = (&tls.Dialer{Config: l.o.TLS}).DialContext(ctx, "tcp", l.url.Host)
	} else {
		l.conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", l.url.Host)
	}
	if err == nil {
		l.in = bufio.NewReaderSize(l.conn, 16<<10)
	}
	return err
}

// run sends requests first, first+step, ... of the schedule.
func (l *lane) run(ctx context.Context, start time.Time, first, step, total int) {
	for n := first; n < total && ctx.Err() == nil; n += step {
		due := start.Add(time.Duration(float64(n) / l.o.Rate * float64(time.Second)))
		sleepUntil(due)
		l.sent++
		status, err := l.exchange(l.o.Body(n))
		took := time.Since(due).Microseconds()
		switch {
		case err != nil:
			l.broken++
			l.conn.Close()
			if l.dial(ctx) != nil {
				return
			}
			continue
		case status/100 == 2:
			l.ok++
		default:
			l.refused++
		}
		_ = l.histogram.RecordValue(min(max(took, 1), maxLatency)) // in range by min and max
		if l.o.Progress != nil {
			l.o.Progress(1)
		}
	}
}

// sleepUntil sleeps to within tens of microseconds. The runtime's timers may fire
// a millisecond late where no thread is busy (epoll counts in milliseconds), which
// would be charged to the server; the kernel's own sleep does not.
func sleepUntil(due time.Time) {
	if wait := time.Until(due) - 2*time.Millisecond; wait > 0 {
		time.Sleep(wait)
	}
	if wait := time.Until(due); wait > 0 {
		ts := syscall.NsecToTimespec(int64(wait))
		_ = syscall.Nanosleep(&ts, nil) // woken early by a signal: sent a little early
	}
}

// exchange sends one request and reads its answer.
func (l *lane) exchange(body []byte) (status int, err error) {
	b := append(l.out[:0], "POST "...)
	b = append(b, l.url.RequestURI()...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, l.url.Host...)
	b = append(b, "\r\nContent-Type: application/json\r\n"...)
	if l.o.Key != "" {
		b = append(append(append(b, "Authorization: Bearer "...), l.o.Key...), "\r\n"...)
	}
	b = strconv.AppendInt(append(b, "Content-Length: "...), int64(len(body)), 10)
	b = append(append(b, "\r\n\r\n"...), body...)
	l.out = b
	if err := l.conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return 0, err
	}
	if _, err := l.conn.Write(b); err != nil {
		return 0, err
	}
	return l.answer()
}

// answer reads a status line, headers and a body of stated length.
func (l *lane) answer() (status int, err error) {
	length := 0
	for first := true; ; first = false {
		line, err := l.in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		switch {
		case first:
			if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
				return 0, fmt.Errorf("not an HTTP answer: %q", line)
			}
			status = int(line[9]-'0')*100 + int(line[10]-'0')*10 + int(line[11]-'0')
		case len(line) == 0:
			_, err := io.CopyN(io.Discard, l.in, int64(length))
			return status, err
		default:
			name, value, _ := bytes.Cut(line, []byte(":"))
			if bytes.EqualFold(name, []byte("Content-Length")) {
				if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
					return 0, err
				}
			}
		}
	}
}
