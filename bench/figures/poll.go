package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/waryauth/wary/bench"
)

// line is one connection of a client that never sleeps: it looks at every
// connection in turn. A client that sleeps is woken by the kernel on the processor
// time of the server that answers, so that the slower server, whose client sleeps
// more, would pay more for the same write.
type line struct {
	conn *net.TCPConn
	raw  syscall.RawConn
	look func(fd uintptr) bool
	out  []byte
	in   []byte
	have int
	got  int
	err  error
	busy bool // a request has no answer yet
}

func dial(address string) (*line, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	l := &line{conn: conn.(*net.TCPConn), in: make([]byte, bench.MaxAnswer)}
	l.raw, err = l.conn.SyscallConn()
	l.look = func(fd uintptr) bool {
		l.got, l.err = syscall.Read(int(fd), l.in[l.have:])
		return true // whatever came: RawConn is not to wait
	}
	return l, err
}

// send sends request n.
func (l *line) send(s *bench.Stream, n uint64) error {
	l.out = bench.AppendRequest(l.out[:0], s, n)
	l.have, l.busy = 0, true
	_, err := l.conn.Write(l.out)
	return err
}

// answered looks once whether the answer has come.
func (l *line) answered() (bool, error) {
	if err := l.raw.Read(l.look); err != nil {
		return false, err
	}
	switch {
	case errors.Is(l.err, syscall.EAGAIN), errors.Is(l.err, syscall.EINTR):
		return false, nil
	case l.err != nil:
		return false, l.err
	case l.got == 0:
		return false, io.ErrUnexpectedEOF
	}
	l.have += l.got
	whole, err := bench.AnswerLen(l.in[:l.have])
	l.busy = whole == 0
	return whole > 0, err
}

// longestAnswer is how long a closed-loop client waits for the last answers.
const longestAnswer = 5 * time.Second

// closed sends on every connection, one request after the other, for a time, and
// returns how many were answered.
func (t *target) closed(s *bench.Stream, address string, d time.Duration, connections int) (answers int, err error) {
	for len(t.lines) < connections {
		l, err := dial(address)
		if err != nil {
			return 0, err
		}
		t.lines = append(t.lines, l)
	}
	lines := t.lines[:connections]
	until := time.Now().Add(d)
	for waiting := connections; waiting > 0; {
		now := time.Now()
		if now.After(until.Add(longestAnswer)) {
			return answers, fmt.Errorf("%d requests have no answer", waiting)
		}
		waiting = 0
		for _, l := range lines {
			if l.busy {
				ok, err := l.answered()
				if err != nil {
					return answers, err
				}
				if ok {
					answers++
				}
			}
			if !l.busy && now.Before(until) {
				if err := l.send(s, t.take(1)); err != nil {
					return answers, err
				}
			}
			if l.busy {
				waiting++
			}
		}
	}
	return answers, nil
}
