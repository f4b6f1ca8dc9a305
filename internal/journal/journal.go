// Package journal answers: what happened, in which order?
//
// It is a segmented, append-only log on local disk: [Open] a folder, [Log.Append]
// facts, [Log.Read] one by its address, range over [Log.Records]. It knows nothing
// of what the facts mean.
//
// Invariants:
//
//  1. A segment is a header and whole records. When Append returns nil, the
//     record has been given to the operating system by one write(2); with
//     SyncGroup it is on disk too.
//  2. A failed or short write is taken back by truncation before anything else is
//     written. While that fails the log refuses appends, and tries again at the
//     next one: no garbage ever stands before a good record.
//  3. Every record carries the first 16 bytes of a SHA-256 chain over all records
//     before it; a segment's header carries the whole chain value that it
//     continues. A record that is changed, removed or moved breaks the chain.
//  4. Only the tail of the last segment can be torn. Open cuts it back to the last
//     whole record and counts what it cut. Damage anywhere else is an error.
package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"os"
	"sync"
	"time"
)

// Kind tells facts apart; the log does not look at it.
type Kind uint8

// Address is where a record lies. Addresses are ordered; zero is before the first.
type Address struct {
	Segment uint32
	Offset  uint32 // bytes from the start of the segment's file
}

// Less reports whether a lies before b.
func (a Address) Less(b Address) bool {
	return a.Segment < b.Segment || a.Segment == b.Segment && a.Offset < b.Offset
}

// Record is one fact. Its payload is good until the buffer it was read into is used again.
type Record struct {
	At      Address
	Kind    Kind
	Time    time.Time
	Payload []byte
}

// SyncMode says what Append waits for.
type SyncMode uint8

// Modes.
const (
	SyncNone  SyncMode = iota // the operating system has the record: it survives a kill
	SyncGroup                 // it is on disk: it survives power loss; appends at the same time share a sync
)

// Errors a caller branches on.
var (
	ErrNotFound = errors.New("journal: no record at this address")
	ErrTooLarge = errors.New("journal: the record is larger than the log takes")
	ErrClosed   = errors.New("journal: closed")
)

// Options of a log. The zero value works.
type Options struct {
	SegmentBytes int64         // default 64 MiB, at most 4 GiB - 1
	MaxRecord    int           // bytes of a payload, default 1 MiB
	Sync         SyncMode      // default SyncNone
	RetainAge    time.Duration // 0 keeps everything
	RetainBytes  int64         // 0 keeps everything
	Now          func() time.Time

	openFile func(path string, flag int) (file, error) // tests make writes fail
}

// file is what the log needs of a segment's file.
type file interface {
	WriteAt(b []byte, off int64) (int, error)
	ReadAt(b []byte, off int64) (int, error)
	Truncate(size int64) error
	Sync() error
	Close() error
}

func (o *Options) defaults() {
	if o.SegmentBytes <= 0 || o.SegmentBytes > 1<<32-1 {
		o.SegmentBytes = 64 << 20
	}
	if o.MaxRecord <= 0 {
		o.MaxRecord = 1 << 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.openFile == nil {
		o.openFile = func(path string, flag int) (file, error) { return os.OpenFile(path, flag, 0o600) }
	}
}

// Stats are counts since Open.
type Stats struct {
	Records      uint64 // appended
	Bytes        uint64 // appended
	TornBytes    uint64 // cut from the tail at Open
	FailedWrites uint64
	Segments     int // on disk now
}

const (
	magic       = "WARYLOG1"
	headerBytes = 8 + 4 + 32 + 4             // magic, segment number, chain, CRC
	chainBytes  = 16                         // of the chain value, in a record
	recordHead  = 4 + 4 + 1 + 8 + chainBytes // length, CRC, kind, time, chain
)

// chain is the running hash over records.
type chain struct {
	value [sha256.Size]byte
	sum   [sha256.Size]byte // here, so that it does not escape at every record
	hash  hash.Hash
}

// next returns the chain value after a record's kind, time and payload.
func (c *chain) next(kindTime, payload []byte) [sha256.Size]byte {
	if c.hash == nil {
		c.hash = sha256.New()
	}
	c.hash.Reset()
	c.hash.Write(c.value[:])
	c.hash.Write(kindTime)
	c.hash.Write(payload)
	c.hash.Sum(c.sum[:0])
	return c.sum
}

// castagnoli returns the table of CRC32C, which the library keeps.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli()) }

// Log is an open log. All methods are safe for concurrent use.
type Log struct {
	dir  string
	o    Options
	lock *os.File

	mu      sync.Mutex
	active  file
	segment uint32
	size    int64 // whole records end here
	dirty   bool  // bytes beyond size may stand in the file
	chain   chain
	buf     []byte
	closed  bool
	stats   Stats
	pin     Address
	hasPin  bool
	group   group

	readers sync.RWMutex // guards open: read-only handles by segment
	open    map[uint32]*os.File
}

// Append writes one record. The payload is copied. It is safe for concurrent use
// and allocates nothing in steady state.
func (l *Log) Append(kind Kind, when time.Time, payload []byte) (Address, error) {
	if len(payload) > l.o.MaxRecord {
		return Address{}, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(payload), l.o.MaxRecord)
	}
	l.mu.Lock()
	at, err := l.append(kind, when, payload)
	l.mu.Unlock()
	if err != nil || l.o.Sync == SyncNone {
		return at, err
	}
	return at, l.synced()
}

func (l *Log) append(kind Kind, when time.Time, payload []byte) (Address, error) {
	if l.closed {
		return Address{}, ErrClosed
	}
	if err := l.repair(); err != nil {
		l.stats.FailedWrites++
		return Address{}, err
	}
	if l.size+int64(recordHead+len(payload)) > l.o.SegmentBytes && l.size > headerBytes {
		if err := l.rotate(); err != nil {
			l.stats.FailedWrites++
			return Address{}, fmt.Errorf("journal: next segment: %w", err)
		}
	}
	b := append(l.buf[:0], make([]byte, recordHead)...)
	b[8] = byte(kind)
	binary.LittleEndian.PutUint64(b[9:], uint64(when.UnixNano()))
	next := l.chain.next(b[8:17], payload)
	copy(b[17:], next[:chainBytes])
	b = append(b, payload...)
	binary.LittleEndian.PutUint32(b[0:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(b[4:], checksum(b[8:]))
	l.buf = b
	l.dirty = true
	n, err := l.active.WriteAt(b, l.size)
	if err == nil && n < len(b) {
		err = errors.New("short write")
	}
	if err != nil {
		l.stats.FailedWrites++
		_ = l.repair() // if it fails, the next append tries again
		return Address{}, fmt.Errorf("journal: write: %w", err)
	}
	l.dirty = false
	at := Address{l.segment, uint32(l.size)}
	l.size += int64(len(b))
	l.chain.value = next
	l.stats.Records++
	l.stats.Bytes += uint64(len(b))
	return at, nil
}

// repair takes back what a failed write may have left (invariant 2).
func (l *Log) repair() error {
	if !l.dirty {
		return nil
	}
	if err := l.active.Truncate(l.size); err != nil {
		return fmt.Errorf("journal: take back a failed write: %w", err)
	}
	l.dirty = false
	return nil
}

// End returns where the next record will go at the earliest.
func (l *Log) End() Address {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Address{l.segment, uint32(l.size)}
}

// Stats returns counts since Open.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stats
}

// group lets appends at the same time share a sync: who comes while one runs
// waits for the next, which covers everyone who came before it began.
type group struct {
	mu      sync.Mutex
	running bool
	next    *round
}

type round struct {
	done chan struct{}
	err  error
}

// synced returns when everything appended before the call is on disk.
func (l *Log) synced() error {
	g := &l.group
	g.mu.Lock()
	if g.next == nil {
		g.next = &round{done: make(chan struct{})}
	}
	mine := g.next
	if !g.running {
		g.running = true
		go l.syncRounds()
	}
	g.mu.Unlock()
	<-mine.done
	return mine.err
}

// syncRounds syncs for as long as someone waits. A segment is synced before the
// next one is begun, so the active file is all there is to sync.
func (l *Log) syncRounds() {
	g := &l.group
	g.mu.Lock()
	for g.next != nil {
		r := g.next
		g.next = nil
		g.mu.Unlock()
		l.mu.Lock()
		f := l.active
		l.mu.Unlock()
		if err := f.Sync(); err != nil && !errors.Is(err, os.ErrClosed) {
			r.err = fmt.Errorf("journal: sync: %w", err)
		}
		close(r.done)
		g.mu.Lock()
	}
	g.running = false
	g.mu.Unlock()
}
