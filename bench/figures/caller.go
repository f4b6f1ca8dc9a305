package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/waryauth/wary/bench"
	"github.com/waryauth/wary/bench/openloop"
)

// clients is what a caller child knows: the same bytes for every server, each
// server with a place of its own in the stream.
type clients struct {
	stream  *bench.Stream
	targets map[string]*target
}

// target is a server and the connections to it.
type target struct {
	next  uint64 // of the stream
	lines []*line
}

// take takes the next n requests of the stream and returns the first.
func (t *target) take(n uint64) (first uint64) {
	t.next += n
	return t.next - n
}

// callerChild GEO answers two kinds of lines:
//
//	closed ADDRESS MILLISECONDS CONNECTIONS    requests answered, each sent when the one before it was
//	open ADDRESS MILLISECONDS CONNECTIONS RATE 50th, 99th, 99.9th and 100th percentile in microseconds
func callerChild(args []string) error {
	if len(args) != 1 {
		return errors.New("caller: want geo files")
	}
	s, err := bench.NewStream(args[0])
	if err != nil {
		return err
	}
	c := &clients{stream: s, targets: map[string]*target{}}
	fmt.Println(s.MeanBytes())
	return answerLines(c.answer)
}

func (c *clients) answer(words []string) (string, error) {
	if len(words) < 4 {
		return "", errors.New("want at least four words")
	}
	var numbers [3]int
	for i, w := range words[2:min(len(words), 5)] {
		n, err := strconv.Atoi(w)
		if err != nil {
			return "", err
		}
		numbers[i] = n
	}
	t := c.targets[words[1]]
	if t == nil {
		t = &target{}
		c.targets[words[1]] = t
	}
	d := time.Duration(numbers[0]) * time.Millisecond
	switch words[0] {
	case "closed":
		n, err := t.closed(c.stream, words[1], d, numbers[1])
		return strconv.Itoa(n), err
	case "open":
		return t.open(c.stream, words[1], d, numbers[1], numbers[2])
	}
	return "", fmt.Errorf("there is no %q", words[0])
}

// open calls at a rate, whether or not earlier requests were answered.
func (t *target) open(s *bench.Stream, address string, d time.Duration, connections, rate int) (string, error) {
	first := t.take(uint64(float64(rate)*d.Seconds()) + 1)
	res, err := openloop.Run(context.Background(), openloop.Options{
		URL: "http://" + address + "/v1/score", Rate: float64(rate), Duration: d, Connections: connections,
		Body: func(n int) []byte {
			at := first + uint64(n)
			return s.Append(make([]byte, 0, s.Len(at)), at)
		},
	})
	if err != nil {
		return "", err
	}
	if res.Refused+res.Broken > 0 || res.OK != res.Sent {
		return "", fmt.Errorf("of %d requests %d were answered, %d refused, %d broken", res.Sent, res.OK, res.Refused, res.Broken)
	}
	h := res.Latency
	return fmt.Sprint(h.ValueAtQuantile(50), h.ValueAtQuantile(99), h.ValueAtQuantile(99.9), h.Max()), nil
}
