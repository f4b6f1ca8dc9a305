package main

import (
	"net"
	"sync"
)

// limited is a listener with at most so many connections open at once: further ones
// wait in the operating system's queue until one closes.
type limited struct {
	net.Listener
	open   chan struct{}
	closed chan struct{}
	once   sync.Once
}

func limit(l net.Listener, most int) *limited {
	return &limited{Listener: l, open: make(chan struct{}, most), closed: make(chan struct{})}
}

// Accept waits for a place, then for a connection.
func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.open <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.open
		return nil, err
	}
	return &counted{Conn: c, leave: func() { <-l.open }}, nil
}

// Close also wakes an Accept that waits for a place.
func (l *limited) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// counted is a connection that gives its place back once.
type counted struct {
	net.Conn
	once  sync.Once
	leave func()
}

// Close gives the place back.
func (c *counted) Close() error {
	defer c.once.Do(c.leave)
	return c.Conn.Close()
}
