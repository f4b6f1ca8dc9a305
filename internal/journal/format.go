package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A segment is the file 00000001.wal and so on: a header, then records. All
// numbers are little-endian.
//
//	header  0  magic    8 bytes
//	        8  version  uint32
//	       12  segment  uint32
//	       16  began    int64, Unix nanoseconds
//	       24  chain    32 bytes, the value that the first record continues
//	       56  check    CRC32C of bytes 0..56; seeds the checks of the records
//
//	record  0  check    CRC32C of bytes 4..37, begun from seed XOR offset
//	        4  sum      CRC32C of the payload
//	        8  chain    16 bytes, the first half of h(i)
//	       24  length   uint32, of the payload
//	       28  kind     uint8
//	       29  time     int64, Unix nanoseconds
//	       37  payload
//
// h(i) = SHA-256(h(i-1), bytes 24.. of record i); h(0) is zero.
//
// Half a chain value in a record is enough: whoever wants to put another record
// in its place has to find a second preimage of 128 bits, and the whole value is
// in every header. It names the first record that does not belong, for one per
// cent of a record of 1,500 bytes; a value per segment would only say "somewhere
// in these 64 MiB", and nothing at all about the last segment.
//
// The head has a check of its own, so that a length is believed before a payload
// is read: a damaged length cannot pass for a torn tail, cannot make a reader
// allocate, and whole records behind damage are found in one pass. The check
// holds at one offset of one segment only, with a seed that nobody outside knows:
// a payload that contains a record is not taken for one.
const (
	magic       = "wary.log"
	version     = 1
	headerBytes = 60
	recordHead  = 37
	chainBytes  = 16
	bodyAt      = 24 // the hashed part of a record
	frameRoom   = sha256.Size - bodyAt
	suffix      = ".wal"
)

// chain is the running hash over all records.
type chain [sha256.Size]byte

// castagnoli returns the table of CRC32C, which the library keeps.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli()) }

// header is what stands at the start of a segment.
type header struct {
	segment uint32
	began   time.Time
	chain   chain
	seed    uint32
}

// append appends the header to b and fills in the seed.
func (h *header) append(b []byte) []byte {
	start := len(b)
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint32(b, version)
	b = binary.LittleEndian.AppendUint32(b, h.segment)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.began.UnixNano()))
	b = append(b, h.chain[:]...)
	h.seed = checksum(b[start:])
	return binary.LittleEndian.AppendUint32(b, h.seed)
}

// parseHeader reads the header of segment n.
func parseHeader(b *[headerBytes]byte, n uint32) (header, error) {
	h := header{segment: n, seed: checksum(b[:headerBytes-4])}
	at := Address{Segment: n}
	switch {
	case string(b[:8]) != magic:
		return h, &DamageError{at, "the header is not that of a log"}
	case binary.LittleEndian.Uint32(b[headerBytes-4:]) != h.seed:
		return h, &DamageError{at, "the checksum of the header is wrong"}
	case binary.LittleEndian.Uint32(b[8:]) != version:
		return h, &DamageError{at, fmt.Sprintf("the log is of version %d, this program reads %d", binary.LittleEndian.Uint32(b[8:]), version)}
	case binary.LittleEndian.Uint32(b[12:]) != n:
		return h, &DamageError{at, fmt.Sprintf("the header is that of segment %d", binary.LittleEndian.Uint32(b[12:]))}
	}
	h.began = time.Unix(0, int64(binary.LittleEndian.Uint64(b[16:])))
	h.chain = chain(b[24:56])
	return h, nil
}

// A frame is a record behind a little room, in which the chain value before it
// fits exactly over the part of the record that is not hashed: one call hashes
// both, without a copy.

// seal completes the record in a frame, whose body is filled in, for an offset of
// the segment, and returns the chain value after it.
func (h *header) seal(frame []byte, offset int64, before *chain) chain {
	copy(frame, before[:])
	next := chain(sha256.Sum256(frame))
	rec := frame[frameRoom:]
	copy(rec[8:bodyAt], next[:chainBytes])
	binary.LittleEndian.PutUint32(rec[4:], checksum(rec[recordHead:]))
	binary.LittleEndian.PutUint32(rec, h.check(rec, offset))
	return next
}

// follows returns the chain value after the record in a frame, and whether it is
// the one that the record carries.
func follows(frame []byte, before *chain) (next chain, ok bool) {
	carried := [chainBytes]byte(frame[frameRoom+8:])
	copy(frame, before[:])
	next = sha256.Sum256(frame)
	return next, [chainBytes]byte(next[:]) == carried
}

func (h *header) check(head []byte, offset int64) uint32 {
	return crc32.Update(h.seed^uint32(offset), castagnoli(), head[4:recordHead])
}

// length returns the length of the payload of the record whose head this is, and
// whether it is a head of that offset.
func (h *header) length(head []byte, offset int64) (n int, ok bool) {
	length := binary.LittleEndian.Uint32(head[bodyAt:])
	return int(length), length <= longestRecord && binary.LittleEndian.Uint32(head) == h.check(head, offset)
}

func sumHolds(head, payload []byte) bool {
	return binary.LittleEndian.Uint32(head[4:]) == checksum(payload)
}

func recordOf(head, payload []byte, at Address) Record {
	return Record{At: at, Kind: Kind(head[28]), Time: time.Unix(0, int64(binary.LittleEndian.Uint64(head[29:]))), Payload: payload}
}

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
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(name, 10, 32)
		if err != nil || n == 0 || e.Name() != filepath.Base(segmentPath(dir, uint32(n))) || !e.Type().IsRegular() {
			return nil, fmt.Errorf("journal: %s is not a segment of a log", filepath.Join(dir, e.Name()))
		}
		out = append(out, uint32(n))
	}
	slices.Sort(out)
	return out, nil
}
