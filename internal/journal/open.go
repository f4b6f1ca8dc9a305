package journal

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// Open opens the log in a folder, which it makes where there is none, and takes
// its lock. The tail of the last segment is cut back to the last whole record.
func Open(dir string, o Options) (l *Log, err error) {
	o.defaults()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	l = &Log{dir: dir, o: o, open: map[uint32]*os.File{}}
	if l.lock, err = os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(l.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("journal: %s is in use by another process: %w", dir, err), l.lock.Close())
	}
	if err := l.recover(); err != nil {
		return nil, errors.Join(err, l.lock.Close())
	}
	return l, nil
}

// recover finds the last segment and its last whole record.
func (l *Log) recover() error {
	numbers, err := segments(l.dir)
	if err != nil {
		return err
	}
	for i := 1; i < len(numbers); i++ {
		if numbers[i] != numbers[i-1]+1 {
			return &DamageError{Address{numbers[i-1] + 1, 0}, "the segment is missing"}
		}
	}
	l.stats.Segments = len(numbers)
	if len(numbers) == 0 {
		return l.create(1)
	}
	n := numbers[len(numbers)-1]
	end, c, size, err := tail(l.dir, n)
	if err != nil {
		return err
	}
	if end < headerBytes { // the crash was between the file and its header
		if c, err = l.chainBefore(numbers); err != nil {
			return err
		}
	}
	return l.resume(n, end, size, c)
}

// tail reads a segment and returns where its whole records end.
func tail(dir string, n uint32) (end int64, c [32]byte, size int64, err error) {
	f, err := os.Open(segmentPath(dir, n))
	if err != nil {
		return 0, c, 0, err
	}
	defer f.Close()
	s, err := newScanner(f, n, maxRecordOnDisk)
	for err == nil {
		_, err = s.next()
	}
	var damage *DamageError
	switch {
	case err == io.EOF, err == errTorn:
		err = nil
	case errors.As(err, &damage) && s.at >= headerBytes && tornTail(f, s):
		err = nil
	}
	if s == nil {
		return 0, c, 0, err
	}
	return s.at, s.chain.value, s.size, err
}

// chainBefore returns the chain value at the end of the last segment but one.
func (l *Log) chainBefore(numbers []uint32) (c [32]byte, err error) {
	if len(numbers) < 2 {
		return c, nil
	}
	n := numbers[len(numbers)-2]
	end, c, size, err := tail(l.dir, n)
	if err == nil && end != size {
		err = &DamageError{Address{n, uint32(end)}, "the segment ends in the middle of a record"}
	}
	return c, err
}

// resume continues a segment whose records end at end.
func (l *Log) resume(n uint32, end, size int64, c [32]byte) error {
	f, err := l.o.openFile(segmentPath(l.dir, n), os.O_RDWR)
	if err != nil {
		return err
	}
	l.active, l.segment, l.size, l.chain.value = f, n, end, c
	l.stats.TornBytes = uint64(size - end)
	if size > end {
		if err := f.Truncate(end); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	if end >= headerBytes {
		return nil
	}
	l.size = headerBytes
	if _, err := f.WriteAt(appendHeader(nil, n, c), 0); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Sync()
}

// create begins a segment and makes its name durable.
func (l *Log) create(n uint32) error {
	path := segmentPath(l.dir, n)
	f, err := l.o.openFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(appendHeader(nil, n, l.chain.value), 0)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = syncDir(l.dir)
	}
	if err != nil {
		return errors.Join(err, f.Close(), os.Remove(path))
	}
	l.active, l.segment, l.size = f, n, headerBytes
	l.stats.Segments++
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// rotate ends the active segment and begins the next. On an error the active one stays.
func (l *Log) rotate() error {
	if l.segment == 1<<32-1 {
		return errors.New("there is no next segment number")
	}
	old := l.active
	if err := old.Sync(); err != nil {
		return err
	}
	if err := l.create(l.segment + 1); err != nil {
		return err
	}
	return old.Close()
}

// Close syncs and closes the log.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	l.closed = true
	err := errors.Join(l.repair(), l.active.Sync(), l.active.Close(), l.lock.Close())
	l.readers.Lock()
	defer l.readers.Unlock()
	for _, f := range l.open {
		err = errors.Join(err, f.Close())
	}
	clear(l.open)
	return err
}

// Pin keeps retention away from the segment of an address and all after it.
func (l *Log) Pin(a Address) {
	l.mu.Lock()
	l.pin, l.hasPin = a, true
	l.mu.Unlock()
}

// Retire removes the oldest segments that RetainAge and RetainBytes no longer
// keep: never the active one, never from the pinned address on. What remains
// verifies: a segment's header says which chain it continues.
func (l *Log) Retire() (removed int, err error) {
	if l.o.RetainAge <= 0 && l.o.RetainBytes <= 0 {
		return 0, nil
	}
	l.mu.Lock()
	active, pin, pinned := l.segment, l.pin, l.hasPin
	l.mu.Unlock()
	numbers, err := segments(l.dir)
	if err != nil {
		return 0, err
	}
	var total int64
	sizes := make([]os.FileInfo, len(numbers))
	for i, n := range numbers {
		if sizes[i], err = os.Stat(segmentPath(l.dir, n)); err != nil {
			return 0, err
		}
		total += sizes[i].Size()
	}
	for i, n := range numbers {
		old := l.o.RetainAge > 0 && l.o.Now().Sub(sizes[i].ModTime()) > l.o.RetainAge
		large := l.o.RetainBytes > 0 && total > l.o.RetainBytes
		if n >= active || pinned && n >= pin.Segment || !old && !large {
			break
		}
		if err := l.remove(n); err != nil {
			return removed, err
		}
		total -= sizes[i].Size()
		removed++
	}
	return removed, nil
}

func (l *Log) remove(n uint32) error {
	l.readers.Lock()
	defer l.readers.Unlock()
	if f := l.open[n]; f != nil {
		delete(l.open, n)
		if err := f.Close(); err != nil {
			return err
		}
	}
	if err := os.Remove(segmentPath(l.dir, n)); err != nil {
		return err
	}
	l.mu.Lock()
	l.stats.Segments--
	l.mu.Unlock()
	return nil
}

// Read returns the record at an address, whose payload it puts into buf. It is
// ErrNotFound where no record begins there, or retention has removed it.
func (l *Log) Read(a Address, buf []byte) (Record, error) {
	if end := l.End(); a.Segment == 0 || a.Offset < headerBytes || !a.Less(end) {
		return Record{}, ErrNotFound
	}
	l.readers.RLock()
	f := l.open[a.Segment]
	if f != nil {
		defer l.readers.RUnlock()
		return readAt(f, a, buf)
	}
	l.readers.RUnlock()
	if err := l.openReader(a.Segment); err != nil {
		return Record{}, err
	}
	return l.Read(a, buf)
}

// maxReaders bounds the read-only handles that are kept.
const maxReaders = 256

func (l *Log) openReader(n uint32) error {
	l.readers.Lock()
	defer l.readers.Unlock()
	if l.open[n] != nil {
		return nil
	}
	f, err := os.Open(segmentPath(l.dir, n))
	if errors.Is(err, os.ErrNotExist) {
		return ErrNotFound
	}
	if err != nil {
		return err
	}
	for old, f := range l.open {
		if len(l.open) < maxReaders {
			break
		}
		delete(l.open, old)
		_ = f.Close() // read-only
	}
	l.open[n] = f
	return nil
}

// readAt reads one record. Its checksum tells a record from bytes in the middle
// of one.
func readAt(f *os.File, a Address, buf []byte) (Record, error) {
	var head [recordHead]byte
	if _, err := f.ReadAt(head[:], int64(a.Offset)); err != nil {
		return Record{}, ErrNotFound
	}
	length := int(uint32(head[0]) | uint32(head[1])<<8 | uint32(head[2])<<16 | uint32(head[3])<<24)
	if length > maxRecordOnDisk {
		return Record{}, ErrNotFound
	}
	buf = slices.Grow(buf[:0], length)[:length]
	if _, err := f.ReadAt(buf, int64(a.Offset)+recordHead); err != nil {
		return Record{}, ErrNotFound
	}
	if checkRecord(&head, buf, a) != nil {
		return Record{}, ErrNotFound
	}
	return recordOf(&head, buf, a), nil
}

// Records reads the log in order from an address on, up to what was appended
// when it began.
func (l *Log) Records(from Address) iter.Seq2[Record, error] {
	end := l.End()
	return func(yield func(Record, error) bool) {
		for rec, err := range Records(l.dir, from) {
			if err == nil && !rec.At.Less(end) {
				return
			}
			if !yield(rec, err) {
				return
			}
		}
	}
}

// Report is what Verify found.
type Report struct {
	Segments int       `json:"segments"`
	Records  int       `json:"records"`
	Bytes    int64     `json:"bytes"`
	First    Address   `json:"first"`
	Last     Address   `json:"last"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Head     string    `json:"head"`      // hexadecimal chain value after the last record
	TornTail int64     `json:"torn_tail"` // bytes after the last whole record
}
