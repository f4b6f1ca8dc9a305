package journal

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Follower reads a log in order while it grows. It keeps its place, so that what is
// new costs only itself to read, and it checks what [Log.Records] checks. It is not
// safe for concurrent use.
type Follower struct {
	log  *Log
	from Address
	scan *scanner // of the segment it stands in; nil before the first call of Next
	last bool     // all of that segment has been made visible to the scanner
}

// Follow returns a reader from an address on: that of a record, or the one behind
// the last. The zero address is the beginning of what the log still has.
func (l *Log) Follow(from Address) *Follower { return &Follower{log: l, from: from} }

// Next returns the next acknowledged record, and io.EOF where there is none yet: ask
// again later. ErrNotFound says that the segment of its place is retired, or that no
// record begins there. The payload is good until the next call.
func (f *Follower) Next() (Record, error) {
	if f.scan == nil {
		if err := f.begin(); err != nil {
			return Record{}, err
		}
	}
	for {
		at := Address{f.scan.header.segment, uint32(f.scan.at)}
		rec, err := f.scan.next()
		switch {
		case err == nil && !at.Less(f.from):
			if f.from.Less(at) && f.from.Segment == at.Segment && f.from.Offset >= headerBytes {
				return Record{}, f.between()
			}
			f.from = f.At()
			return rec, nil
		case err == nil:
			continue
		case err != io.EOF:
			return Record{}, err
		}
		more, err := f.extend()
		if err != nil {
			return Record{}, err
		}
		if !more {
			return Record{}, f.atEnd()
		}
	}
}

// At returns the place of the follower: where the next record is, or will be.
func (f *Follower) At() Address {
	if f.scan == nil || f.scan.at < int64(f.from.Offset) && f.scan.header.segment == f.from.Segment {
		return f.from
	}
	return Address{f.scan.header.segment, uint32(f.scan.at)}
}

// Behind returns how many bytes of acknowledged records lie after the place.
func (f *Follower) Behind() (bytes int64, err error) {
	at, end := f.At(), f.log.acknowledged()
	for n := at.Segment; n < end.Segment; n++ {
		info, err := os.Stat(segmentPath(f.log.dir, n))
		if errors.Is(err, fs.ErrNotExist) {
			continue // retired
		}
		if err != nil {
			return 0, err
		}
		bytes += info.Size()
	}
	return max(0, bytes+int64(end.Offset)-int64(at.Offset)), nil
}

// Close lets go of the segment that is being read.
func (f *Follower) Close() error {
	if f.scan == nil {
		return nil
	}
	defer func() { f.scan = nil }()
	return f.scan.f.Close()
}

func (f *Follower) between() error {
	at := f.from
	return fmt.Errorf("%w: no record begins at %d:%d", ErrNotFound, at.Segment, at.Offset)
}

// atEnd is the end of what is acknowledged: it must not lie before the place.
func (f *Follower) atEnd() error {
	if end := f.At(); f.scan.header.segment == f.from.Segment && f.scan.at < int64(f.from.Offset) || end.Less(f.from) {
		return fmt.Errorf("%w: the log ends before %d:%d", ErrNotFound, f.from.Segment, f.from.Offset)
	}
	return io.EOF
}

// begin opens the segment of the first record.
func (f *Follower) begin() error {
	n := f.from.Segment
	if f.from == (Address{}) {
		all, err := segments(f.log.dir)
		if err != nil {
			return err
		}
		if len(all) == 0 {
			return io.EOF
		}
		n = all[0]
	}
	return f.open(n, nil)
}

// followBuffer is how many bytes are read at once, where there are so many.
const followBuffer = 256 << 10

// open opens a segment, which must continue the chain where one is given, with
// nothing of it visible yet.
func (f *Follower) open(n uint32, after *chain) error {
	s, err := openSegment(f.log.dir, n)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: segment %d is retired, or was never begun", ErrNotFound, n)
	}
	if err != nil {
		return err
	}
	if after != nil && s.header.chain != *after {
		err = &DamageError{Address{Segment: n}, "the segment does not continue the one before it"}
		return errors.Join(err, s.f.Close())
	}
	sc, err := newScanner(s)
	if err != nil {
		return errors.Join(err, s.f.Close())
	}
	sc.size, sc.in = sc.at, bufio.NewReaderSize(nil, followBuffer)
	if f.scan != nil {
		err = f.scan.f.Close()
	}
	f.scan, f.last = sc, false
	return err
}

// extend makes visible what has been acknowledged since, or goes on to the next
// segment. It reports whether there may be more.
func (f *Follower) extend() (more bool, err error) {
	s, end := f.scan, f.log.acknowledged()
	n := s.header.segment
	size := int64(end.Offset)
	switch {
	case n > end.Segment:
		return false, nil
	case n < end.Segment && f.last:
		return true, f.open(n+1, &s.chain)
	case n < end.Segment:
		info, err := s.f.Stat()
		if err != nil {
			return false, err
		}
		size, f.last = info.Size(), true
	}
	if size > s.at {
		s.size = size
		s.in.Reset(io.NewSectionReader(s.f, s.at, size-s.at))
		return true, nil
	}
	return f.last, nil
}
