package main

import (
	"errors"
	"net"
	"testing"
)

// TestLimit: a second connection is accepted only when the first has closed, and a
// close wakes who waits for a place.
func TestLimit(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := limit(inner, 1)
	for range 2 {
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	first, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	type accepted struct {
		net.Conn
		error
	}
	next := make(chan accepted)
	accept := func() {
		c, err := l.Accept()
		next <- accepted{c, err}
	}
	if len(l.open) != 1 {
		t.Errorf("%d places taken, want 1", len(l.open))
	}
	first.Close()
	first.Close() // gives back one place, not two
	go accept()
	second := <-next
	if second.error != nil {
		t.Fatal(second.error)
	}
	go accept() // there is no place
	l.Close()
	if third := <-next; !errors.Is(third.error, net.ErrClosed) {
		t.Errorf("accepted beyond the limit: %v", third.error)
	}
	second.Close()
}
