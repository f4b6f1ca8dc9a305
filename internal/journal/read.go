package journal

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
)

// segment is one that is open for reading.
type segment struct {
	f      *os.File
	header header
}

// openSegment opens segment n and reads its header.
func openSegment(dir string, n uint32) (*segment, error) {
	f, err := os.Open(segmentPath(dir, n))
	if err != nil {
		return nil, err
	}
	var b [headerBytes]byte
	_, err = f.ReadAt(b[:], 0)
	if err == io.EOF {
		err = &DamageError{Address{Segment: n}, "the segment is shorter than a header"}
	}
	s := &segment{f: f}
	if err == nil {
		s.header, err = parseHeader(&b, n)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

// Read returns the record at an address. Its payload is put into buf, which grows
// if it must. The error is ErrNotFound where no record begins at the address or
// retention has removed it, and a DamageError where one begins that does not
// hold; to tell these two apart it has to read the segment.
func (l *Log) Read(a Address, buf []byte) (Record, error) {
	if a.Offset < headerBytes || !a.Less(l.acknowledged()) {
		return Record{}, ErrNotFound
	}
	for {
		if rec, err := l.readOpen(a, buf); err != errNotOpen {
			return rec, err
		}
		if err := l.openReader(a.Segment); err != nil {
			return Record{}, err
		}
	}
}

var errNotOpen = errors.New("journal: segment is not open for reading")

// readOpen reads from a segment that is open, and keeps it so meanwhile.
func (l *Log) readOpen(a Address, buf []byte) (Record, error) {
	l.readers.RLock()
	defer l.readers.RUnlock()
	if l.open == nil {
		return Record{}, ErrClosed
	}
	s := l.open[a.Segment]
	if s == nil {
		return Record{}, errNotOpen
	}
	return s.read(a, buf)
}

// maxReaders bounds the segments that are kept open for reading.
const maxReaders = 256

func (l *Log) openReader(n uint32) error {
	l.readers.Lock()
	defer l.readers.Unlock()
	if l.open == nil || l.open[n] != nil {
		return nil
	}
	s, err := openSegment(l.dir, n)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNotFound
	}
	if err != nil {
		return err
	}
	for n, old := range l.open {
		if len(l.open) < maxReaders {
			break
		}
		delete(l.open, n)
		_ = old.f.Close() // it was only read
	}
	l.open[n] = s
	return nil
}

// Bytes that are read at once in the hope that the record is no longer.
const (
	leastRead = 4 << 10
	mostRead  = 16 << 10
)

func (s *segment) read(a Address, buf []byte) (Record, error) {
	if cap(buf) < recordHead {
		buf = make([]byte, leastRead)
	}
	b := buf[:min(cap(buf), mostRead)]
	n, err := s.f.ReadAt(b, int64(a.Offset))
	if err != nil && err != io.EOF {
		return Record{}, err
	}
	if n < recordHead {
		return Record{}, s.why(a)
	}
	length, ok := s.header.length(b, int64(a.Offset))
	if !ok {
		return Record{}, s.why(a)
	}
	if size := recordHead + length; size > n {
		b = slices.Grow(b[:n], size-n)[:size]
		if _, err := s.f.ReadAt(b[n:], int64(a.Offset)+int64(n)); err == io.EOF {
			return Record{}, s.why(a)
		} else if err != nil {
			return Record{}, err
		}
	}
	payload := b[recordHead : recordHead+length]
	if !sumHolds(b, payload) {
		return Record{}, s.why(a)
	}
	rec := recordOf(b, nil, a)
	// To the front: who reuses the payload as the next buffer keeps all of it.
	rec.Payload = b[:copy(b, payload)]
	return rec, nil
}

// why says why nothing can be read at an address: from the first record on, is
// it the beginning of one?
func (s *segment) why(a Address) error {
	sc, err := newScanner(s)
	if err != nil {
		return err
	}
	for sc.at < int64(a.Offset) && err == nil {
		_, err = sc.next()
	}
	if err == io.EOF || sc.at > int64(a.Offset) {
		return ErrNotFound
	}
	if err == nil {
		_, err = sc.next()
	}
	if err != nil {
		return err
	}
	return &DamageError{a, "the record was read wrongly once"}
}
