package journal

import (
	"encoding/hex"
	"errors"
	"io"
	"os"
)

// Verify reads a whole folder and checks checksums and the hash chain, within and
// across segments. The error is a DamageError that names the first bad address.
// The log may be open in another process: an unfinished record at the very end is
// no damage. It cannot tell a log that was cut at its end from a shorter one: keep
// Report.Head elsewhere for that.
func Verify(dir string, progress func(done, total int64)) (r Report, err error) {
	numbers, err := segments(dir)
	if err != nil {
		return r, err
	}
	var total int64
	for _, n := range numbers {
		info, err := os.Stat(segmentPath(dir, n))
		if err != nil {
			return r, err
		}
		total += info.Size()
	}
	var c [32]byte
	for i, n := range numbers {
		if i > 0 && n != numbers[i-1]+1 {
			return r, &DamageError{Address{numbers[i-1] + 1, 0}, "the segment is missing"}
		}
		if c, err = r.segment(dir, n, c, i == 0, i == len(numbers)-1); err != nil {
			return r, err
		}
		if progress != nil {
			progress(r.Bytes, total)
		}
	}
	r.Head = hex.EncodeToString(c[:])
	return r, nil
}

// segment verifies one segment, which continues the chain value c.
func (r *Report) segment(dir string, n uint32, c [32]byte, first, last bool) ([32]byte, error) {
	f, err := os.Open(segmentPath(dir, n))
	if err != nil {
		return c, err
	}
	defer f.Close()
	s, err := newScanner(f, n, maxRecordOnDisk)
	if err == nil && (!first || n == 1) && s.chain.value != c {
		return c, &DamageError{Address{n, 0}, "the segment does not continue the one before it"}
	}
	for err == nil {
		var rec Record
		if rec, err = s.next(); err == nil {
			r.add(rec)
		}
	}
	if s == nil {
		return c, err
	}
	r.Segments++
	r.Bytes += s.size
	var damage *DamageError
	switch {
	case err == io.EOF:
		return s.chain.value, nil
	case err == errTorn && last, last && errors.As(err, &damage) && s.at >= headerBytes && tornTail(f, s):
		r.TornTail = s.size - s.at
		return s.chain.value, nil
	case err == errTorn:
		return c, &DamageError{Address{n, uint32(s.at)}, "the segment ends in the middle of a record"}
	}
	return c, err
}

func (r *Report) add(rec Record) {
	if r.Records == 0 {
		r.First, r.From = rec.At, rec.Time
	}
	r.Records++
	r.Last, r.To = rec.At, rec.Time
}
