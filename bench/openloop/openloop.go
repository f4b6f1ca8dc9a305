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
	"sync/atomic"
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
		defer lanes[i].close()
	}
	idle := make(chan *lane, len(lanes))
	gone := make(chan struct{}) // closed when no connection is left
	var wg sync.WaitGroup
	for _, l := range lanes {
		idle <- l
		wg.Go(func() { l.read(ctx, idle) })
	}
	go func() { wg.Wait(); close(gone) }()
	out := &Result{Latency: hdrhistogram.New(1, maxLatency, 3)}
	start := time.Now().Add(20 * time.Millisecond)
	out.Sent = pace(ctx, &o, start, total, idle, gone)
	settle(ctx, lanes, idle, gone)
	out.Elapsed = time.Since(start)
	for _, l := range lanes {
		l.close()
	}
	<-gone
	for _, l := range lanes {
		out.OK += l.ok
		out.Refused += l.refused
		out.Broken += l.broken
		out.Latency.Merge(l.histogram)
	}
	return out, ctx.Err()
}

// pace sends every request when it is due. Where no connection is idle it waits
// for one, and the request's latency counts from when it was due all the same.
func pace(ctx context.Context, o *Options, start time.Time, total int, idle <-chan *lane, gone <-chan struct{}) (sent int) {
	for n := range total {
		due := start.Add(time.Duration(float64(n) / o.Rate * float64(time.Second)))
		sleepUntil(due)
		select {
		case l := <-idle:
			l.send(due, o.Body(n))
			sent++
		case <-gone:
			return sent
		case <-ctx.Done():
			return sent
		}
	}
	return sent
}

// settle waits until every request is answered, for a while.
func settle(ctx context.Context, lanes []*lane, idle <-chan *lane, gone <-chan struct{}) {
	late := time.After(timeout)
	for range lanes {
		select {
		case <-idle:
		case <-gone:
			return
		case <-late:
			return
		case <-ctx.Done():
			return
		}
	}
}

// lane is one connection. One goroutine sends on all of them by the clock; each
// has one that reads, so that no thread has to sleep for each request.
type lane struct {
	o         *Options
	url       *url.URL
	due       atomic.Int64 // when the request under way was due, Unix nanoseconds; 0 is idle
	histogram *hdrhistogram.Histogram
	out       []byte
	in        *bufio.Reader

	mu     sync.Mutex // guards conn and closed
	conn   net.Conn
	closed bool

	ok, refused, broken int
}

// dial makes the connection, or another one.
func (l *lane) dial(ctx context.Context) error {
	var conn net.Conn
	var err error
	if l.url.Scheme == "https" {
		conn, err = (&tls.Dialer{Config: l.o.TLS}).DialContext(ctx, "tcp", l.url.Host)
	} else {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", l.url.Host)
	}
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return conn.Close()
	}
	if l.conn != nil {
		_ = l.conn.Close() // it is broken already
	}
	l.conn, l.in = conn, bufio.NewReaderSize(conn, 16<<10)
	return nil
}

// close ends the connection, and with it read.
func (l *lane) close() {
	l.mu.Lock()
	l.closed = true
	_ = l.conn.Close() // nothing is under way any more
	l.mu.Unlock()
}

// read takes answers and hands the idle connection back, until it is closed.
func (l *lane) read(ctx context.Context, idle chan<- *lane) {
	for {
		status, err := l.answer()
		due := l.due.Swap(0)
		if due == 0 || ctx.Err() != nil {
			return // closed while idle, or given up
		}
		took := (time.Now().UnixNano() - due) / 1000
		switch {
		case err != nil:
			l.broken++
			if l.dial(ctx) != nil {
				return
			}
		case status/100 == 2:
			l.ok++
		default:
			l.refused++
		}
		if err == nil {
			_ = l.histogram.RecordValue(min(max(took, 1), maxLatency)) // in range by min and max
		}
		if l.o.Progress != nil {
			l.o.Progress(1)
		}
		idle <- l
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

// send sends one request. Where that fails, read sees the broken connection.
func (l *lane) send(due time.Time, body []byte) {
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
	l.due.Store(due.UnixNano())
	if _, err := l.conn.Write(b); err != nil {
		_ = l.conn.Close() // read ends with an error
	}
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
