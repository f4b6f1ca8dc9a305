package journal

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DamageError says where a log does not hold and why.
type DamageError struct {
	At  Address
	Why string
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("journal: segment %d, offset %d: %s", e.At.Segment, e.At.Offset, e.Why)
}

const suffix = ".wal"

func segmentPath(dir string, n uint32) string {
	return filepath.Join(dir, fmt.Sprintf("%08d%s", n, suffix))
}

// segments returns the numbers of the segments in a folder, in order.
func segments(dir string) ([]uint32, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []uint32
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), suffix)
		if !ok || !e.Type().IsRegular() {
			continue
		}
		n, err := strconv.ParseUint(name, 10, 32)
		if err != nil || n == 0 {
			return nil, fmt.Errorf("journal: %s is no segment", e.Name())
		}
		out = append(out, uint32(n))
	}
	slices.Sort(out)
	return out, nil
}

func appendHeader(b []byte, n uint32, c [32]byte) []byte {
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint32(b, n)
	b = append(b, c[:]...)
	return binary.LittleEndian.AppendUint32(b, checksum(b))
}

// readHeader returns the chain value that a segment continues.
func readHeader(b []byte, n uint32) (c [32]byte, err error) {
	switch {
	case string(b[:8]) != magic:
		return c, &DamageError{Address{n, 0}, "the header is not of a log of this version"}
	case binary.LittleEndian.Uint32(b[headerBytes-4:]) != checksum(b[:headerBytes-4]):
		return c, &DamageError{Address{n, 0}, "the checksum of the header is wrong"}
	case binary.LittleEndian.Uint32(b[8:]) != n:
		return c, &DamageError{Address{n, 8}, "the header is of another segment"}
	}
	return [32]byte(b[12:44]), nil
}

// errTorn is the end of a segment in the middle of a record.
var errTorn = errors.New("journal: torn record")

// scanner reads the records of one segment in order, and checks everything.
type scanner struct {
	in    *bufio.Reader
	n     uint32
	at    int64 // of the next record
	size  int64 // of the file, as it was when reading began
	most  int   // bytes of a payload
	chain chain
	head  [recordHead]byte
	buf   []byte
}

// newScanner reads a segment's header. A file shorter than a header is torn.
func newScanner(f *os.File, n uint32, most int) (*scanner, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	s := &scanner{in: bufio.NewReaderSize(io.NewSectionReader(f, 0, info.Size()), 256<<10), n: n, size: info.Size(), most: most}
	var h [headerBytes]byte
	if _, err := io.ReadFull(s.in, h[:]); err != nil {
		return s, errTorn
	}
	s.chain.value, err = readHeader(h[:], n)
	s.at = headerBytes
	return s, err
}

// next returns the next record, io.EOF at the end, errTorn where the file ends
// inside a record, or a DamageError.
func (s *scanner) next() (Record, error) {
	at := Address{s.n, uint32(s.at)}
	if s.at == s.size {
		return Record{}, io.EOF
	}
	if _, err := io.ReadFull(s.in, s.head[:]); err != nil {
		return Record{}, errTorn
	}
	length := int(binary.LittleEndian.Uint32(s.head[0:]))
	if length > s.most {
		return Record{}, &DamageError{at, fmt.Sprintf("a record of %d bytes, at most %d", length, s.most)}
	}
	if s.at+int64(recordHead+length) > s.size {
		return Record{}, errTorn
	}
	s.buf = slices.Grow(s.buf[:0], length)[:length]
	if _, err := io.ReadFull(s.in, s.buf); err != nil {
		return Record{}, errTorn
	}
	if err := checkRecord(&s.head, s.buf, at); err != nil {
		return Record{}, err
	}
	next := s.chain.next(s.head[8:17], s.buf)
	if [chainBytes]byte(next[:chainBytes]) != [chainBytes]byte(s.head[17:]) {
		return Record{}, &DamageError{at, "the hash chain is broken: a record before it was changed, removed or moved"}
	}
	s.chain.value = next
	s.at += int64(recordHead + length)
	return recordOf(&s.head, s.buf, at), nil
}

func checkRecord(head *[recordHead]byte, payload []byte, at Address) error {
	if crc32.Update(checksum(head[8:]), castagnoli(), payload) != binary.LittleEndian.Uint32(head[4:]) {
		return &DamageError{at, "the checksum of the record is wrong"}
	}
	return nil
}

func recordOf(head *[recordHead]byte, payload []byte, at Address) Record {
	return Record{At: at, Kind: Kind(head[8]), Time: time.Unix(0, int64(binary.LittleEndian.Uint64(head[9:]))), Payload: payload}
}

// Records reads a folder in order from an address on, without its lock: for
// tools. Where a log is open in another process, reading ends at the last whole
// record. It checks checksums and chain, and yields at most one error, last. The
// payload is good until the next record.
func Records(dir string, from Address) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		numbers, err := segments(dir)
		if err != nil {
			yield(Record{}, err)
			return
		}
		for i, n := range numbers {
			if n < from.Segment {
				continue
			}
			more, err := readSegment(dir, n, i == len(numbers)-1, from, yield)
			if err != nil {
				yield(Record{}, err)
			}
			if err != nil || !more {
				return
			}
		}
	}
}

// readSegment yields the records of one segment; only the last may end torn.
func readSegment(dir string, n uint32, last bool, from Address, yield func(Record, error) bool) (more bool, err error) {
	f, err := os.Open(segmentPath(dir, n))
	if err != nil {
		return false, err
	}
	defer f.Close()
	s, err := newScanner(f, n, maxRecordOnDisk)
	for err == nil {
		var rec Record
		if rec, err = s.next(); err == nil && !rec.At.Less(from) && !yield(rec, nil) {
			return false, nil
		}
	}
	switch {
	case err == io.EOF, err == errTorn && last:
		return true, nil
	case err == errTorn:
		return false, &DamageError{Address{n, uint32(s.at)}, "the segment ends in the middle of a record"}
	case last && errors.As(err, new(*DamageError)) && s.at >= headerBytes && tornTail(f, s):
		return true, nil
	}
	return false, err
}

// maxRecordOnDisk bounds what a reader takes for a record.
const maxRecordOnDisk = 64 << 20

// tornTail reports whether what cannot be read from the scanner's place on may be
// the remains of one interrupted write: no whole record with a right checksum
// stands after it. Otherwise something in the middle is damaged.
func tornTail(f *os.File, s *scanner) bool {
	rest, err := io.ReadAll(io.NewSectionReader(f, s.at, s.size-s.at))
	if err != nil {
		return false
	}
	budget := maxTailWork
	for i := 1; i+recordHead <= len(rest) && budget > 0; i++ {
		length := int64(binary.LittleEndian.Uint32(rest[i:]))
		if int64(i+recordHead)+length > int64(len(rest)) {
			continue
		}
		body := rest[i+8 : int64(i+recordHead)+length]
		budget -= len(body)
		if checksum(body) == binary.LittleEndian.Uint32(rest[i+4:]) {
			return false
		}
	}
	return true
}

// maxTailWork bounds the bytes that are summed in search of a record.
const maxTailWork = 1 << 30
