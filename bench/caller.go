package bench

import (
	"bytes"
	"fmt"
	"net"
	"strconv"
)

// AppendRequest appends POST /v1/score with body n of a stream.
func AppendRequest(dst []byte, s *Stream, n uint64) []byte {
	dst = append(dst, "POST /v1/score HTTP/1.1\r\nHost: wary\r\nContent-Type: application/json\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(s.Len(n)), 10)
	return s.Append(append(dst, "\r\n\r\n"...), n)
}

// AnswerLen returns how long the answer at the start of b is, or 0 where it has not
// come whole. Any status but 200, and a body of unstated length, is an error.
func AnswerLen(b []byte) (int, error) {
	head := bytes.Index(b, []byte("\r\n\r\n"))
	if head < 0 {
		return 0, nil
	}
	line, rest, _ := bytes.Cut(b[:head+2], []byte("\r\n"))
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
		return 0, fmt.Errorf("answered %q", line)
	}
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, _ := bytes.Cut(line, []byte(":"))
		if !bytes.EqualFold(name, []byte("Content-Length")) {
			continue
		}
		body, err := strconv.Atoi(string(bytes.TrimSpace(value)))
		if err != nil || body < 0 || body > MaxAnswer-head-4 {
			return 0, fmt.Errorf("answered with the length %q", value)
		}
		if whole := head + 4 + body; whole <= len(b) {
			return whole, nil
		}
		return 0, nil
	}
	return 0, fmt.Errorf("answered without a length")
}

// MaxAnswer bounds an answer and its head.
const MaxAnswer = 32 << 10

// Caller sends requests over one connection and waits for each answer. It is a few
// lines over a socket, so that it costs little beside the server. One goroutine
// uses it at a time.
type Caller struct {
	conn    net.Conn
	out, in []byte
}

// NewCaller returns a caller over a connection, which it closes in Close.
func NewCaller(c net.Conn) *Caller { return &Caller{conn: c, in: make([]byte, MaxAnswer)} }

// Close closes the connection.
func (c *Caller) Close() error { return c.conn.Close() }

// Score posts body n of a stream to /v1/score and takes the answer.
func (c *Caller) Score(s *Stream, n uint64) error {
	c.out = AppendRequest(c.out[:0], s, n)
	if _, err := c.conn.Write(c.out); err != nil {
		return err
	}
	for have := 0; ; {
		more, err := c.conn.Read(c.in[have:])
		if err != nil {
			return err
		}
		have += more
		if whole, err := AnswerLen(c.in[:have]); whole > 0 || err != nil {
			return err
		}
	}
}
