package feedback

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/internal/journal"
)

// ExportOptions say what [Export] writes. The zero value is all of the log.
type ExportOptions struct {
	Window WindowOptions
	From   time.Time // whole days of UTC from this one on
	// Progress, unless nil, is told each file as it is dealt with.
	Progress func(path string, written bool)
}

// Exported says what became of an export.
type Exported struct {
	Report  Report `json:"report"`
	Files   int    `json:"files"` // of the rows
	Written int    `json:"written"`
	Rows    int    `json:"rows"` // in the files that were written
	// Kept are files of days of which the log has retired a part since: they stay as
	// they were.
	Kept int `json:"kept,omitempty"`
}

// Key-value metadata of a file: what was written, so that the same is not written again.
const (
	contentNote = "wary.content" // hexadecimal SHA-256 of what may change of the rows
	schemaNote  = "wary.schema"  // digest of the features' schema
)

// exportFormat is in contentNote: files of another one are written anew.
const exportFormat = "wary.rows.1"

// run is rows of one day that follow each other in the log: a file. Days have one,
// unless the clock was set.
type run struct {
	day     int32
	first   journal.Address
	rows    int
	content string
	write   bool
}

// path returns the run's file in a folder: what SQL engines call Hive partitions.
func (r *run) path(dir string) string {
	return filepath.Join(r.folder(dir), fmt.Sprintf("rows-%d-%d.parquet", r.first.Segment, r.first.Offset))
}

func (r *run) folder(dir string) string {
	return filepath.Join(dir, "day="+time.Unix(int64(r.day)*24*60*60, 0).UTC().Format(time.DateOnly))
}

// Export writes the rows of [Window] as Parquet files, partitioned by the day on which
// they were logged: DIR/day=2026-06-01/rows-1-8.parquet. Columns are those that
// docs/data.md tells. A file appears whole; one whose rows have not changed is left as
// it is, so what was broken off goes on, and a day is written again when labels have
// come for it. The folder may outlive the log: what the log has retired stays.
func Export(ctx context.Context, data, dir string, o ExportOptions) (*Exported, error) {
	out := &Exported{}
	o.Window.Report = &out.Report
	o.From = o.From.UTC().Truncate(24 * time.Hour)
	j, err := read(data, o.From, time.Time{}, &o.Window)
	if err != nil {
		return nil, err
	}
	out.Report = j.report
	rows := func() iter.Seq2[*Row, error] { return j.rows(ctx, data, o.From, &o.Window) }
	runs, err := runsOf(rows())
	if err != nil {
		return nil, err
	}
	out.Files = len(runs)
	for i := range runs {
		r := &runs[i]
		if i == 0 && cut(r, dir) {
			out.Kept++
			continue
		}
		if r.write = written(r.path(dir)) != r.content; r.write {
			out.Written++
			out.Rows += r.rows
		}
	}
	if out.Written == 0 {
		return out, nil
	}
	return out, writeRuns(dir, runs, rows(), o.Progress)
}

// rows yields the joined rows.
func (j *join) rows(ctx context.Context, data string, from time.Time, o *WindowOptions) iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		for c, err := range cases(data, from, time.Time{}, new(int)) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !o.Known.IsZero() && c.Logged.After(o.Known) {
				continue
			}
			if !yield(j.row(c), nil) {
				return
			}
		}
	}
}

// runsOf finds the runs among rows and what is in them.
func runsOf(rows iter.Seq2[*Row, error]) (runs []run, err error) {
	var sum hash.Hash
	end := func() {
		if n := len(runs); n > 0 {
			runs[n-1].content = hex.EncodeToString(sum.Sum(nil))
		}
	}
	for r, err := range rows {
		if err != nil {
			return nil, err
		}
		day := dayOf(r.Logged)
		if n := len(runs); n == 0 || runs[n-1].day != day {
			end()
			runs = append(runs, run{day: day, first: r.At})
			sum = sha256.New()
			_, _ = sum.Write([]byte(exportFormat + features.Digest())) // a hash takes everything
		}
		runs[len(runs)-1].rows++
		_, _ = sum.Write(r.mark(nil))
	}
	end()
	return runs, nil
}

// mark returns what may change of a row, and its place.
func (r *Row) mark(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, r.At.Segment)
	b = binary.LittleEndian.AppendUint32(b, r.At.Offset)
	b = append(b, uint8(r.Label), uint8(r.Source), uint8(r.Result), uint8(len(r.Family)))
	b = append(b, r.Family...)
	if r.Held {
		b = append(b, 1)
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(r.Said.UnixMilli()))
	return binary.LittleEndian.AppendUint32(b, math.Float32bits(r.Weight))
}

// cut reports whether the log's first run is what is left of one that was written when
// the log had more of it.
func cut(r *run, dir string) bool {
	names, err := filepath.Glob(filepath.Join(r.folder(dir), "rows-*-*.parquet"))
	if err != nil {
		return false // no pattern of ours is malformed
	}
	return slices.ContainsFunc(names, func(name string) bool {
		var at journal.Address
		_, err := fmt.Sscanf(filepath.Base(name), "rows-%d-%d.parquet", &at.Segment, &at.Offset)
		return err == nil && at.Less(r.first)
	})
}

// written returns the content of a file that was written before, "" where there is none
// or it cannot be read.
func written(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	p, err := parquet.OpenFile(f, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return ""
	}
	content, _ := p.Lookup(contentNote)
	return content
}

var errMoved = errors.New("the log retired rows while they were exported: export again")

// writeRuns writes the runs that are to be written.
func writeRuns(dir string, runs []run, rows iter.Seq2[*Row, error], progress func(string, bool)) error {
	next, stop := iter.Pull2(rows)
	defer stop()
	for i := range runs {
		r := &runs[i]
		take := func(each func(*Row) error) error {
			for n := range r.rows {
				row, err, ok := next()
				switch {
				case err != nil:
					return err
				case !ok, n == 0 && row.At != r.first:
					return errMoved
				}
				if err := each(row); err != nil {
					return err
				}
			}
			return nil
		}
		err := error(nil)
		if r.write {
			err = r.writeFile(dir, take)
		} else {
			err = take(func(*Row) error { return nil })
		}
		if err != nil {
			return err
		}
		if progress != nil {
			progress(r.path(dir), r.write)
		}
	}
	return nil
}

// writeFile writes the run's file, whole or not at all.
func (r *run) writeFile(dir string, rows func(each func(*Row) error) error) error {
	if err := os.MkdirAll(r.folder(dir), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return journal.WriteFile(r.path(dir), func(f *os.File) error {
		t := newTable(f)
		t.w.SetKeyValueMetadata(contentNote, r.content)
		t.w.SetKeyValueMetadata(schemaNote, features.Digest())
		if err := rows(t.append); err != nil {
			return err
		}
		return t.close()
	})
}
