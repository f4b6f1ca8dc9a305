package journal

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"time"
)

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

// progressBytes is how much is read between two calls of progress.
const progressBytes = 8 << 20

// Verify reads a whole folder and checks checksums and the hash chain, within and
// across segments. The error is a DamageError that names the first bad address;
// the report is then of what was read before it. progress, which may be nil, is
// told bytes.
//
// The log may be open in another process: an unfinished record at the very end is
// no damage, and is reported as TornTail; so is a last record that was damaged. A
// log that ends earlier than it did verifies: compare Head with one kept elsewhere.
func Verify(dir string, progress func(done, total int64)) (Report, error) {
	var r Report
	total, err := bytesOf(dir)
	if err != nil {
		return r, err
	}
	if progress == nil {
		progress = func(int64, int64) {}
	}
	var done, told int64
	w := walker{dir: dir, gaps: true}
	err = w.walk(func(rec Record) bool {
		if rec.At.Segment != r.Last.Segment {
			done += headerBytes
		}
		r.add(rec)
		done += recordHead + int64(len(rec.Payload))
		if done-told >= progressBytes {
			told = done
			progress(done, max(done, total))
		}
		return true
	})
	r.Segments, r.Bytes, r.TornTail = w.segments, w.bytes, w.torn
	if err != nil {
		return r, err
	}
	progress(w.bytes, w.bytes)
	r.Head = hex.EncodeToString(w.chain[:])
	return r, nil
}

func (r *Report) add(rec Record) {
	if r.Records == 0 {
		r.First, r.From = rec.At, rec.Time
	}
	r.Records++
	r.Last, r.To = rec.At, rec.Time
}

func bytesOf(dir string) (total int64, err error) {
	numbers, err := segments(dir)
	if err != nil {
		return 0, err
	}
	for _, n := range numbers {
		info, err := os.Stat(segmentPath(dir, n))
		if errors.Is(err, fs.ErrNotExist) {
			continue // retired just now
		}
		if err != nil {
			return 0, err
		}
		total += info.Size()
	}
	return total, nil
}
