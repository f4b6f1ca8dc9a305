package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Open opens the log in a folder, which it makes where there is none, and takes
// its lock. It reads the headers of all segments and the whole of the last two,
// which is what a crash can have touched, and cuts a torn tail (invariant 4).
func Open(dir string, o Options) (*Log, error) {
	if err := o.defaults(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("journal: %s is in use by another process: %w", dir, err), lock.Close())
	}
	l := &Log{dir: dir, o: o, lock: lock, round: new(round), open: map[uint32]*segment{}}
	l.changed.L = &l.mu
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.recover(); err != nil {
		return nil, errors.Join(err, unlock(lock))
	}
	return l, nil
}

// unlock gives up the lock before it closes the file: a child that is being
// started at this moment holds the same file open until it runs its program.
func unlock(lock *os.File) error {
	return errors.Join(syscall.Flock(int(lock.Fd()), syscall.LOCK_UN), lock.Close())
}

// recover finds the last whole record and goes on behind it.
func (l *Log) recover() error {
	all, err := segments(l.dir)
	if err != nil {
		return err
	}
	numbers, torn, err := withoutVoid(l.dir, all)
	if err != nil {
		return err
	}
	if len(numbers) == 0 {
		if len(all) > 0 && all[0] > 1 {
			return &DamageError{Address{Segment: all[0]}, "the segment has no header, and none before it is left to continue"}
		}
		l.torn = uint64(torn)
		return l.create(1)
	}
	if err := headersHold(l.dir, numbers); err != nil {
		return err
	}
	w := walker{dir: l.dir, from: Address{Segment: numbers[max(0, len(numbers)-2)]}}
	if err := w.walk(func(Record) bool { return true }); err != nil {
		return err
	}
	for _, n := range all[len(numbers):] {
		if err := os.Remove(segmentPath(l.dir, n)); err != nil {
			return err
		}
	}
	l.torn, l.kept = uint64(w.torn), len(numbers)
	return l.resume(&w)
}

// headersHold reads the headers of consecutive segments.
func headersHold(dir string, numbers []uint32) error {
	for i, n := range numbers {
		if i > 0 && n != numbers[i-1]+1 {
			return missing(numbers[i-1] + 1)
		}
		s, err := openSegment(dir, n)
		if err != nil {
			return err
		}
		if err := s.f.Close(); err != nil {
			return err
		}
	}
	return nil
}

// resume goes on where a walk has ended.
func (l *Log) resume(w *walker) error {
	f, err := l.o.openFile(segmentPath(l.dir, w.header.segment), os.O_RDWR)
	if err != nil {
		return err
	}
	l.active, l.header = f, w.header
	l.end = mark{size: w.end, chain: w.chain}
	err = f.Truncate(w.end) // what is torn, and the room a kill has left
	// What survived a kill may not be on disk, yet is acknowledged from now on.
	if err == nil && l.o.Sync == SyncGroup {
		err = errors.Join(f.Sync(), syncDir(l.dir))
		if before := segmentPath(l.dir, w.header.segment-1); err == nil && l.kept > 1 {
			err = syncFile(before)
		}
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	l.durable = l.end
	return nil
}

// Close waits for appends under way, brings the log to disk and closes it.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	l.closed = true
	var err error
	for l.syncing || len(l.unsettled) > 0 || l.o.Sync == SyncGroup && l.durable.size < l.end.size {
		if l.syncing || len(l.unsettled) > 0 {
			l.changed.Wait()
		} else {
			err = errors.Join(err, l.sync())
		}
	}
	err = errors.Join(err, l.repair(), l.active.Sync(), l.active.Close())
	l.readers.Lock()
	defer l.readers.Unlock()
	for _, s := range l.open {
		err = errors.Join(err, s.f.Close())
	}
	l.open = nil
	return errors.Join(err, unlock(l.lock))
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
