// Package journal answers: what happened, in which order?
//
// It is a segmented, append-only log on local disk: [Open] a folder, [Log.Append]
// facts, [Log.Read] one by its address, range over [Log.Records], [Verify] the
// whole. It knows nothing of what the facts mean.
//
// Invariants:
//
//  1. Whole. A segment is a header and whole records. Append returns nil only
//     after the record is in the operating system's page cache (SyncNone: it
//     survives a kill) or after it is on disk (SyncGroup: it survives power loss).
//     Behind the last record of a segment zeros may stand, room for more: its writer
//     is at work, or was killed.
//  2. Taken back. What a failed or short write left is truncated away before
//     anything else is written, and so is, with SyncGroup, everything that a failed
//     sync may have lost: all of it is still waiting, and is told. While that cannot
//     be done the log refuses appends, and tries again at each: garbage never stands
//     before a good record, and an append that failed is never found later.
//  3. Chained. Every record carries the first half of a SHA-256 chain over all
//     records before it; a segment's header carries the whole value it continues.
//     A record that is changed, removed, exchanged or moved breaks the chain.
//  4. Torn only at the end. What a crash can leave is an unfinished record after
//     which nothing whole stands, at the end of the last segment, or a last
//     segment without a header. Open cuts that and counts it. Anything else is
//     damage: a [DamageError] that names segment and offset, and nothing is cut.
//  5. Recoverable at its beginning. Retention removes whole segments, oldest
//     first, each only once the next one's header is on disk.
//
// The chain has no key. It shows every change to whoever knows a later chain
// value, such as the head that [Verify] reports and a signed checkpoint keeps; who
// may write the files can make a new chain from any record on, or end it earlier.
package journal

import (
	"errors"
	"fmt"
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

// DamageError says where a log does not hold and why.
type DamageError struct {
	At  Address
	Why string
}

// Error names segment, offset and reason.
func (e *DamageError) Error() string {
	return fmt.Sprintf("journal: segment %d, offset %d: %s", e.At.Segment, e.At.Offset, e.Why)
}

// Options of a log. The zero value works.
type Options struct {
	SegmentBytes int64            // of a file; default 64 MiB, less than 4 GiB
	MaxRecord    int              // bytes of a payload; default 1 MiB, at most 64 MiB
	Sync         SyncMode         // default SyncNone
	RetainAge    time.Duration    // 0 keeps everything
	RetainBytes  int64            // 0 keeps everything
	Now          func() time.Time // for retention; default time.Now

	openFile func(path string, flag int) (file, error) // tests make writes fail
}

// file is what the log needs of a segment that it writes.
type file interface {
	WriteAt(b []byte, off int64) (int, error)
	Truncate(size int64) error
	Sync() error
	Close() error
}

// longestRecord bounds what a reader takes for the length of a payload.
const longestRecord = 64 << 20

func (o *Options) defaults() error {
	if o.SegmentBytes == 0 {
		o.SegmentBytes = 64 << 20
	}
	if o.MaxRecord == 0 {
		o.MaxRecord = 1 << 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.openFile == nil {
		size := o.SegmentBytes
		o.openFile = func(path string, flag int) (file, error) { return openFile(path, flag, size) }
	}
	switch {
	case o.SegmentBytes < 0 || o.SegmentBytes >= 1<<32:
		return fmt.Errorf("journal: segments of %d bytes: must be less than 4 GiB", o.SegmentBytes)
	case o.MaxRecord < 0 || o.MaxRecord > longestRecord:
		return fmt.Errorf("journal: records of %d bytes: at most %d", o.MaxRecord, longestRecord)
	case o.Sync > SyncGroup:
		return fmt.Errorf("journal: sync mode %d is not known", o.Sync)
	}
	return nil
}

// Stats are counts since Open.
type Stats struct {
	Records      uint64 // acknowledged
	Bytes        uint64 // of these records
	TornBytes    uint64 // cut from the tail at Open
	FailedWrites uint64 // writes, syncs and new segments that failed
	Released     uint64 // segments that retention removed although they were held
	Segments     int    // on disk now
}

// Log is an open log. All methods are safe for concurrent use.
type Log struct {
	dir  string
	o    Options
	lock *os.File

	mu      sync.Mutex
	changed sync.Cond // syncing, rounds, unsettled
	active  file
	header  header // of the active segment
	end     mark   // whole records end here, and the next one goes here
	durable mark   // with SyncGroup: what is on disk; else not used
	dirty   bool   // bytes after end may stand in the file
	stray   string // a segment that could not be begun and not be removed
	frame   []byte // the record that is being built
	closed  bool
	pin     Address
	pinned  bool
	torn    uint64
	failed  uint64
	kept    int // segments on disk

	hold     Address // see Hold
	holding  bool
	holdMost int64
	released uint64

	round     *round // of the appends that wait for the next sync
	syncing   bool
	unsettled []file // finished segments that are not yet on disk

	retiring sync.Mutex // one retention at a time

	readers sync.RWMutex // guards open
	open    map[uint32]*segment
}

// mark is a place in the active segment, and what was appended up to there.
type mark struct {
	size           int64
	chain          chain
	records, bytes uint64
}

// visible is the mark up to which records are acknowledged.
func (l *Log) visible() *mark {
	if l.o.Sync == SyncGroup {
		return &l.durable
	}
	return &l.end
}

// acknowledged returns the address after the last acknowledged record.
func (l *Log) acknowledged() Address {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Address{l.header.segment, uint32(l.visible().size)}
}

// End returns where the next record will go at the earliest.
func (l *Log) End() Address {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Address{l.header.segment, uint32(l.end.size)}
}

// Stats returns counts since Open.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	done := l.visible()
	return Stats{Records: done.records, Bytes: done.bytes, TornBytes: l.torn, FailedWrites: l.failed, Released: l.released, Segments: l.kept}
}
