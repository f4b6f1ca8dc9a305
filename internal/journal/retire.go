package journal

import "os"

// Pin keeps retention away from the segment of an address and all after it.
func (l *Log) Pin(a Address) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pin, l.pinned = a, true
}

// Hold keeps retention away from the segment of an address and all after it, as Pin
// does, but only while the log has at most so many bytes (0 is no bound): for who reads
// behind the writer and may fall behind for ever. [Stats].Released counts segments that
// went although they were held.
func (l *Log) Hold(a Address, most int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hold, l.holding, l.holdMost = a, true, most
}

// Retire removes the oldest segments that RetainAge and RetainBytes no longer
// keep: never the active one, never from the pinned address on, nor what is held. A
// segment is as old as the beginning of the next. What remains verifies: the first
// header says which chain value it continues.
func (l *Log) Retire() (removed int, err error) {
	if l.o.RetainAge <= 0 && l.o.RetainBytes <= 0 {
		return 0, nil
	}
	l.retiring.Lock()
	defer l.retiring.Unlock()
	numbers, err := segments(l.dir)
	if err != nil {
		return 0, err
	}
	var total int64
	sizes := make([]int64, len(numbers))
	for i, n := range numbers {
		info, err := os.Stat(segmentPath(l.dir, n))
		if err != nil {
			return 0, err
		}
		sizes[i] = info.Size()
		total += sizes[i]
	}
	for i, n := range numbers {
		held, ok := l.removable(n, total)
		if !ok {
			break
		}
		old, err := l.outdated(n + 1)
		if err != nil {
			return removed, err
		}
		if !old && (l.o.RetainBytes <= 0 || total <= l.o.RetainBytes) {
			break
		}
		if err := l.remove(n, held); err != nil {
			return removed, err
		}
		total -= sizes[i]
		removed++
	}
	return removed, nil
}

// removable reports whether a segment may go, and whether it goes although it is held:
// because the log of total bytes is larger than that may make it.
func (l *Log) removable(n uint32, total int64) (held, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	held = l.holding && n >= l.hold.Segment
	return held, !l.closed && n < l.header.segment && (!l.pinned || n < l.pin.Segment) && (!held || l.holdMost > 0 && total > l.holdMost)
}

// outdated reports whether segment n, whose header must hold, began so long ago
// that what is before it may go.
func (l *Log) outdated(n uint32) (bool, error) {
	s, err := openSegment(l.dir, n)
	if err != nil {
		return false, err
	}
	return l.o.RetainAge > 0 && l.o.Now().Sub(s.header.began) > l.o.RetainAge, s.f.Close()
}

// remove removes segment n, once its successor is on disk: if that lost its
// header in a power failure, there would be no chain to continue (invariant 5).
func (l *Log) remove(n uint32, held bool) error {
	if err := syncFile(segmentPath(l.dir, n+1)); err != nil {
		return err
	}
	if err := syncDir(l.dir); err != nil {
		return err
	}
	l.readers.Lock()
	defer l.readers.Unlock()
	if s := l.open[n]; s != nil {
		delete(l.open, n)
		if err := s.f.Close(); err != nil {
			return err
		}
	}
	if err := os.Remove(segmentPath(l.dir, n)); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept--
	if held {
		l.released++
	}
	return nil
}
