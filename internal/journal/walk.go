package journal

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"
)

// tornError is the end of a segment in something that is not a whole record,
// with nothing whole behind it. It is damage, unless it is the log's very end.
type tornError struct{ DamageError }

// Unwrap makes it a DamageError for whoever does not ask further.
func (e *tornError) Unwrap() error { return &e.DamageError }

// scanner reads the records of one segment in order, and checks everything.
type scanner struct {
	*segment
	in    *bufio.Reader
	at    int64 // of the next record
	again int64 // where a record was read again, see broken
	size  int64 // of the file, as it was when reading began
	chain chain
	frame []byte
}

func newScanner(s *segment) (*scanner, error) {
	info, err := s.f.Stat()
	if err != nil {
		return nil, err
	}
	sc := &scanner{segment: s, at: headerBytes, size: info.Size(), chain: s.header.chain, frame: make([]byte, frameRoom+recordHead)}
	left := sc.size - sc.at
	sc.in = bufio.NewReaderSize(io.NewSectionReader(s.f, sc.at, left), int(min(left, 256<<10)))
	return sc, nil
}

// next returns the next record, io.EOF at the end, a tornError or a DamageError.
// The payload is good until the next call.
func (s *scanner) next() (Record, error) {
	at := Address{s.header.segment, uint32(s.at)}
	left := s.size - s.at
	if left == 0 {
		return Record{}, io.EOF
	}
	if left < recordHead {
		return s.broken("the segment ends in the middle of a record")
	}
	head := s.frame[frameRoom : frameRoom+recordHead]
	if err := s.fill(head); err != nil {
		return Record{}, err
	}
	length, ok := s.header.length(head, s.at)
	switch {
	case !ok:
		return s.broken("the head of the record is damaged")
	case int64(recordHead+length) > left:
		return s.broken("the segment ends in the middle of a record")
	}
	s.frame = s.frame[:frameRoom+recordHead]
	s.frame = slices.Grow(s.frame, length)[:frameRoom+recordHead+length]
	rec := s.frame[frameRoom:]
	if err := s.fill(rec[recordHead:]); err != nil {
		return Record{}, err
	}
	if !sumHolds(rec, rec[recordHead:]) {
		return s.broken("the payload of the record is damaged")
	}
	next, ok := follows(s.frame, &s.chain)
	if !ok {
		return Record{}, &DamageError{at, "the hash chain is broken: a record here or before was changed, removed or moved"}
	}
	s.chain = next
	s.at += int64(len(rec))
	return recordOf(rec, rec[recordHead:], at), nil
}

// fill reads the next bytes. A file that has become shorter since reading began
// (its writer took back a failed write, or the room it did not need) ends there.
func (s *scanner) fill(b []byte) error {
	_, err := io.ReadFull(s.in, b)
	if err != io.EOF && err != io.ErrUnexpectedEOF {
		return err
	}
	info, err := s.f.Stat()
	if err == nil && info.Size() <= s.at {
		s.size, err = s.at, io.EOF
	} else if err == nil {
		err = &tornError{DamageError{Address{s.header.segment, uint32(s.at)}, "the segment became shorter"}}
	}
	return err
}

// broken says whether what is not a whole record is room for more, a torn tail or
// damage. Zeros at the end are no part of either.
func (s *scanner) broken(why string) (Record, error) {
	at := Address{s.header.segment, uint32(s.at)}
	used, err := s.used()
	if err != nil {
		return Record{}, err
	}
	if used == s.at {
		s.size = s.at
		return Record{}, io.EOF
	}
	next, err := s.wholeAfter()
	switch {
	case err != nil:
		return Record{}, err
	case next > 0 && s.again != s.at:
		// Its writer may have been between the two looks: what stands before a whole
		// record was whole before it, so that another look tells.
		s.again = s.at
		s.in.Reset(io.NewSectionReader(s.f, s.at, s.size-s.at))
		return s.next()
	case next > 0:
		return Record{}, &DamageError{at, fmt.Sprintf("%s; a whole record follows at offset %d", why, next)}
	}
	s.size = used
	return Record{}, &tornError{DamageError{at, why}}
}

// used returns the offset behind the last byte, from the next record on, that is not
// zero.
func (s *scanner) used() (int64, error) {
	end, b := s.at, make([]byte, 64<<10)
	for at := s.at; at < s.size; {
		n, err := s.f.ReadAt(b[:min(int64(len(b)), s.size-at)], at)
		for i := n; i > 0; i-- {
			if b[i-1] != 0 {
				end = at + int64(i)
				break
			}
		}
		if at += int64(n); err == io.EOF {
			break // it became shorter
		} else if err != nil {
			return 0, err
		}
	}
	return end, nil
}

// wholeAfter returns the offset of the first whole record that begins after the
// place where one should, or 0. It is linear: a payload is only read behind a
// head whose check holds.
func (s *scanner) wholeAfter() (int64, error) {
	left := s.size - s.at - 1
	in := bufio.NewReaderSize(io.NewSectionReader(s.f, s.at+1, left), int(min(left, 256<<10)))
	for at := s.at + 1; at+recordHead <= s.size; at++ {
		head, err := in.Peek(recordHead)
		if err == io.EOF {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		if length, ok := s.header.length(head, at); ok && at+recordHead+int64(length) <= s.size {
			payload := make([]byte, length)
			if _, err := s.f.ReadAt(payload, at+recordHead); err != nil {
				return 0, err
			}
			if sumHolds(head, payload) {
				return at, nil
			}
		}
		if _, err := in.Discard(1); err != nil {
			return 0, err
		}
	}
	return 0, nil
}

// walker goes through the segments of a folder, from an address on. It links
// every segment to the one before. The fields below the line say where it ended.
type walker struct {
	dir   string
	from  Address
	until Address // everything before is there; zero: to the end of what is there, which may be torn
	gaps  bool    // segments that are retired meanwhile are skipped, not missed

	header   header // of the last segment
	end      int64  // its whole records end here
	chain    chain
	torn     int64 // bytes after the last whole record
	segments int
	bytes    int64
}

func missing(n uint32) error { return &DamageError{Address{Segment: n}, "the segment is missing"} }

// walk visits every record, until visit returns false.
func (w *walker) walk(visit func(Record) bool) error {
	all, err := segments(w.dir)
	if err != nil {
		return err
	}
	numbers, torn, err := withoutVoid(w.dir, all)
	if err != nil || len(numbers) == 0 {
		w.torn = torn
		return err
	}
	if w.from != (Address{}) && w.from.Segment < numbers[0] {
		return fmt.Errorf("%w: segment %d is retired, the first is %d", ErrNotFound, w.from.Segment, numbers[0])
	}
	last := numbers[len(numbers)-1]
	if w.until != (Address{}) {
		last = w.until.Segment
	}
	for n := max(numbers[0], w.from.Segment); n <= last; n++ {
		more, err := w.segment(n, n == last, visit)
		for errors.Is(err, fs.ErrNotExist) {
			if n, err = w.skip(n); err == nil && n <= last {
				more, err = w.segment(n, n == last, visit)
			}
		}
		if err != nil || !more {
			return err
		}
		if n == last {
			break // n may be the greatest number there is
		}
	}
	w.torn += torn
	return nil
}

// skip returns the first segment that is left where n and all before it were
// retired while they were read.
func (w *walker) skip(n uint32) (uint32, error) {
	numbers, err := segments(w.dir)
	if err != nil {
		return n, err
	}
	if len(numbers) == 0 || numbers[0] < n {
		return n, missing(n)
	}
	if !w.gaps {
		return n, fmt.Errorf("%w: segment %d was retired while it was to be read", ErrNotFound, n)
	}
	w.header = header{}
	return numbers[0], nil
}

// segment visits the records of segment n.
func (w *walker) segment(n uint32, last bool, visit func(Record) bool) (more bool, err error) {
	seg, err := openSegment(w.dir, n)
	if err != nil {
		return false, err
	}
	defer seg.f.Close()
	if n == 1 && seg.header.chain != (chain{}) || w.header.segment != 0 && (w.header.segment != n-1 || seg.header.chain != w.chain) {
		return false, &DamageError{Address{Segment: n}, "the segment does not continue the one before it"}
	}
	s, err := newScanner(seg)
	if err != nil {
		return false, err
	}
	if last && w.until != (Address{}) {
		s.size = min(s.size, int64(w.until.Offset))
	}
	w.header = seg.header
	w.segments++
	for err == nil {
		var rec Record
		if rec, err = s.next(); err == nil && !rec.At.Less(w.from) && !visit(rec) {
			return false, nil
		}
	}
	w.end, w.chain = s.at, s.chain
	w.bytes += s.size
	if last && w.until == (Address{}) && errors.As(err, new(*tornError)) {
		w.torn, err = s.size-s.at, io.EOF
	}
	if err != io.EOF {
		return false, err
	}
	return true, nil
}

// withoutVoid leaves off the segments at the end that have nothing in them: the
// log was killed, or lost power, or is just now, between a file and its header.
func withoutVoid(dir string, numbers []uint32) (rest []uint32, bytes int64, err error) {
	for len(numbers) > 0 {
		size, void, err := isVoid(segmentPath(dir, numbers[len(numbers)-1]))
		if err != nil {
			return nil, 0, err
		}
		if !void {
			break
		}
		bytes += size
		numbers = numbers[:len(numbers)-1]
	}
	return numbers, bytes, nil
}

// isVoid reports whether a file is shorter than a header, or nothing but zeros.
func isVoid(path string) (size int64, void bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, false, err
	}
	defer f.Close()
	b := make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(f, b)
		size += int64(n)
		if size >= headerBytes && slices.ContainsFunc(b[:n], func(c byte) bool { return c != 0 }) {
			return size, false, nil
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return size, true, nil
		}
		if err != nil {
			return size, false, err
		}
	}
}

// Records reads a folder in order from an address on, without its lock: for
// tools. Where a log is open in another process, reading ends at the last whole
// record. It checks checksums and chain, and yields at most one error, last:
// ErrNotFound where the address is of a segment that is retired, a DamageError
// where the log does not hold. The payload is good until the next record.
func Records(dir string, from Address) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		w := walker{dir: dir, from: from}
		w.yield(yield)
	}
}

// Records reads the log like the function of that name, up to what was
// acknowledged when it began.
func (l *Log) Records(from Address) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		w := walker{dir: l.dir, from: from, until: l.acknowledged()}
		w.yield(yield)
	}
}

func (w *walker) yield(yield func(Record, error) bool) {
	if err := w.walk(func(rec Record) bool { return yield(rec, nil) }); err != nil {
		yield(Record{}, err)
	}
}
