package statuslist

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"time"
)

// Mark names something whose tokens end together, a token itself among them: the
// beginning of a digest, so that no names lie in the store.
type Mark [8]byte

// MarkOf returns the mark of a name among the names of a kind.
func MarkOf(kind byte, name string) (m Mark) {
	sum := sha256.Sum256([]byte(string([]byte{kind, 0}) + name))
	copy(m[:], sum[:])
	return m
}

// Marks are those of one token; unused ones are zero.
type Marks [6]Mark

// entry says whose the token of an entry of a list is.
type entry struct {
	Index uint16
	Given int64 // Unix milliseconds from which on what it rests on was given
	Marks Marks
}

// processLength is of the name of a process, in bytes.
const processLength = 16

var errDamaged = errors.New("a record of the status lists is damaged")

// directory says whose the entries of a list are. complete says that no token has an
// entry that is not named in it.
type directory struct {
	process  string // that writes it, of processLength
	complete bool
	entries  []entry
}

// Lengths of records, in bytes.
const (
	headLength   = 1 + processLength
	entryLength  = 2 + 8 + 6*8
	endingLength = 8 + 8 + 1
)

// encode returns the directory as it lies in the store. (By encoding/binary's reflection
// a full one took 9 ms to read on a busy machine, where this took 0.4: BenchmarkStatuses.)
func (d *directory) encode() []byte {
	b := make([]byte, 1, headLength+len(d.entries)*entryLength)
	if d.complete {
		b[0] = 1
	}
	b = append(b, d.process...)
	for i := range d.entries {
		e := &d.entries[i]
		b = binary.LittleEndian.AppendUint16(b, e.Index)
		b = binary.LittleEndian.AppendUint64(b, uint64(e.Given))
		for _, m := range e.Marks {
			b = append(b, m[:]...)
		}
	}
	return b
}

func decodeDirectory(b []byte) (*directory, error) {
	if len(b) < headLength || b[0] > 1 || (len(b)-headLength)%entryLength != 0 {
		return nil, errDamaged
	}
	d := &directory{complete: b[0] == 1, process: string(b[1:headLength])}
	b = b[headLength:]
	d.entries = make([]entry, len(b)/entryLength)
	for i := range d.entries {
		e, row := &d.entries[i], b[i*entryLength:]
		e.Index, e.Given = binary.LittleEndian.Uint16(row), int64(binary.LittleEndian.Uint64(row[2:]))
		for m := range e.Marks {
			copy(e.Marks[m][:], row[10+8*m:])
		}
	}
	return d, nil
}

// ending is what ended, or is suspended.
type ending struct {
	Mark   Mark
	At     int64 // Unix milliseconds: what was given until then
	Status Status
}

// endings are what ended while tokens of it may live. all is Unix milliseconds:
// everything that was given until then has ended.
type endings struct {
	all  int64
	rows []ending
}

// encode returns the endings as they lie in the store.
func (e *endings) encode() []byte {
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, 8+len(e.rows)*endingLength), uint64(e.all))
	for i := range e.rows {
		b = append(b, e.rows[i].Mark[:]...)
		b = binary.LittleEndian.AppendUint64(b, uint64(e.rows[i].At))
		b = append(b, byte(e.rows[i].Status))
	}
	return b
}

// decodeEndings reads endings. Nothing is no endings.
func decodeEndings(b []byte) (e endings, err error) {
	if len(b) == 0 {
		return e, nil
	}
	if len(b) < 8 || (len(b)-8)%endingLength != 0 {
		return e, errDamaged
	}
	e.all = int64(binary.LittleEndian.Uint64(b))
	b = b[8:]
	e.rows = make([]ending, len(b)/endingLength)
	for i := range e.rows {
		r, row := &e.rows[i], b[i*endingLength:]
		copy(r.Mark[:], row)
		r.At, r.Status = int64(binary.LittleEndian.Uint64(row[8:])), Status(row[16])
	}
	return e, nil
}

// add gives everything of a mark that was given until now a status. Valid takes a
// suspension back, and nothing else: what is invalid stays so. Rows older than keep are
// dropped. Where more than most would be left, everything given until now ends, and add
// returns true: too much is refused rather than too little.
func (e *endings) add(m Mark, status Status, now time.Time, keep time.Duration, most int) (overflowed bool) {
	at := now.UnixMilli()
	e.rows = slices.DeleteFunc(e.rows, func(r ending) bool {
		return at-r.At > keep.Milliseconds() || r.Mark == m && (r.Status == status || r.Status == Suspended && status == Valid)
	})
	if status != Valid {
		e.rows = append(e.rows, ending{m, at, status})
	}
	if len(e.rows) > most {
		e.all, e.rows = at, nil
		return true
	}
	return false
}

// statuses returns what a list of n entries says: a function of its directory, of what
// ended, and of whether the process that writes the directory still lives. Where that
// ended and left it incomplete, nobody knows whose the other entries are, and they are
// invalid.
func (d *directory) statuses(n int, alive bool, ended []endings) ([]Status, error) {
	out := make([]Status, n)
	if !d.complete && !alive {
		for i := range out {
			out[i] = Invalid
		}
	}
	all, rows := int64(0), found{by: map[Mark][]ending{}}
	for _, e := range ended {
		all = max(all, e.all)
		for _, r := range e.rows {
			rows.by[r.Mark] = append(rows.by[r.Mark], r)
			rows.first[r.Mark[0]] = true
		}
	}
	for i := range d.entries {
		e := &d.entries[i]
		if int(e.Index) >= n {
			return nil, errDamaged
		}
		out[e.Index] = e.status(&rows, all)
	}
	return out, nil
}

// found are endings by their marks, and the first bytes of these: most marks need no more
// than that look.
type found struct {
	by    map[Mark][]ending
	first [256]bool
}

func (e *entry) status(rows *found, all int64) Status {
	if e.Given <= all {
		return Invalid
	}
	status := Valid
	for _, m := range e.Marks {
		if !rows.first[m[0]] {
			continue
		}
		for _, r := range rows.by[m] {
			switch {
			case r.Status == Invalid && e.Given <= r.At:
				return Invalid
			case r.Status == Suspended:
				status = Suspended
			}
		}
	}
	return status
}
