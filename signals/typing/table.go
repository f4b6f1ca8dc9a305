package typing

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"time"
)

// ErrTable says that bytes are no table.
var ErrTable = errors.New("not a typing table")

// A Table holds what is common to all accounts: how their fields vary, and the
// directions that tell accounts apart. Make one with Train or Parse.
type Table struct {
	// Of the learning: how many accounts and attempts, and when (whole seconds).
	Accounts, Attempts int
	Created            time.Time

	id      uint16
	mean    [Fields]float32
	inverse [Fields]float32              // 1 / standard deviation; 0: the field was not learnt
	project [Dims / 4][Fields][4]float32 // to units of Embedding.At; blocked, so that the sums stay in registers
	offset  [Dims]float32                // the population's mean there
	between [Dims]uint8                  // codes of b
}

// ID tells tables apart: 16 bits of a checksum of the content, never 0. Profiles
// that were learnt with another table start again.
func (t *Table) ID() uint16 { return t.id }

// checksum returns the CRC-32C of b.
func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// Digest returns "sha256:<hex>" of the encoded table.
func (t *Table) Digest() string {
	b, _ := t.AppendBinary(nil)
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Embed projects s to e. A missing field (NaN) counts as the population's mean.
func (t *Table) Embed(e *Embedding, s *Summary) {
	z := t.standardize(s)
	e.Table, e.Between = t.id, t.between
	for b := range t.project {
		var a0, a1, a2, a3 float32
		rows := &t.project[b]
		for i, x := range z {
			r := &rows[i]
			a0 += float32(x * r[0])
			a1 += float32(x * r[1])
			a2 += float32(x * r[2])
			a3 += float32(x * r[3])
		}
		o := t.offset[b*4 : b*4+4 : b*4+4]
		at := e.At[b*4 : b*4+4 : b*4+4]
		at[0], at[1], at[2], at[3] = unitsOf(a0-o[0]), unitsOf(a1-o[1]), unitsOf(a2-o[2]), unitsOf(a3-o[3])
	}
}

func unitsOf(x float32) int8 { return int8(max(-127, min(127, math.RoundToEven(float64(x))))) }

func (t *Table) standardize(s *Summary) (z [Fields]float32) {
	for i, x := range s {
		if v := (x - t.mean[i]) * t.inverse[i]; v == v {
			z[i] = max(-clipInput, min(clipInput, v))
		}
	}
	return z
}

// A table is: magic and version, accounts, attempts, seconds, the fields' means and
// inverses, the projection by dimension, offsets, codes, CRC-32C of all before;
// little-endian.
const (
	tableMagic = "WARYTYP\x01"
	tableHead  = len(tableMagic) + 4 + 4 + 8
	tableBody  = 4*(2*Fields+Dims*Fields+Dims) + Dims

	// TableBytes is how long an encoded table is.
	TableBytes = tableHead + tableBody + crc32.Size
)

// AppendBinary appends the table in TableBytes bytes. The error is always nil.
func (t *Table) AppendBinary(b []byte) ([]byte, error) {
	le, start := binary.LittleEndian, len(b)
	b = append(b, tableMagic...)
	b = le.AppendUint32(b, uint32(t.Accounts))
	b = le.AppendUint32(b, uint32(t.Attempts))
	b = le.AppendUint64(b, uint64(t.Created.Unix()))
	b = t.appendBody(b)
	return le.AppendUint32(b, checksum(b[start:])), nil
}

func (t *Table) appendBody(b []byte) []byte {
	for _, x := range t.numbers() {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(*x))
	}
	return append(b, t.between[:]...)
}

// numbers returns the table's numbers in the order of its bytes.
func (t *Table) numbers() (all []*float32) {
	for i := range Fields {
		all = append(all, &t.mean[i])
	}
	for i := range Fields {
		all = append(all, &t.inverse[i])
	}
	for d := range Dims {
		for i := range Fields {
			all = append(all, &t.project[d/4][i][d%4])
		}
	}
	for d := range Dims {
		all = append(all, &t.offset[d])
	}
	return all
}

// name gives the table its ID.
func (t *Table) name() {
	sum := checksum(t.appendBody(nil))
	t.id = uint16(sum%math.MaxUint16) + 1
}

// largest is the greatest number a table may hold, either side of 0: sums of 78 such
// products stay finite.
const largest = 1e9

// Parse reads a table; an error is ErrTable and says what is wrong. The table keeps
// nothing of b.
func Parse(b []byte) (*Table, error) {
	le := binary.LittleEndian
	switch {
	case len(b) < len(tableMagic) || string(b[:len(tableMagic)-1]) != tableMagic[:len(tableMagic)-1]:
		return nil, fmt.Errorf("%w: it does not begin as one", ErrTable)
	case b[len(tableMagic)-1] != tableMagic[len(tableMagic)-1]:
		return nil, fmt.Errorf("%w: version %d is unknown", ErrTable, b[len(tableMagic)-1])
	case len(b) != TableBytes:
		return nil, fmt.Errorf("%w: %d bytes, want %d", ErrTable, len(b), TableBytes)
	case le.Uint32(b[TableBytes-crc32.Size:]) != checksum(b[:TableBytes-crc32.Size]):
		return nil, fmt.Errorf("%w: its checksum is wrong", ErrTable)
	}
	t := &Table{}
	t.Accounts, t.Attempts = int(le.Uint32(b[8:])), int(le.Uint32(b[12:]))
	t.Created = time.Unix(int64(le.Uint64(b[16:])), 0).UTC()
	b = b[tableHead:]
	for i, x := range t.numbers() {
		*x, b = math.Float32frombits(le.Uint32(b)), b[4:]
		if !(*x >= -largest && *x <= largest) {
			return nil, fmt.Errorf("%w: number %d is %v", ErrTable, i, *x)
		}
	}
	copy(t.between[:], b)
	learnt := false
	for i, x := range t.inverse {
		if x < 0 {
			return nil, fmt.Errorf("%w: field %d has a deviation below 0", ErrTable, i)
		}
		learnt = learnt || x > 0
	}
	if !learnt || !t.tells() {
		return nil, fmt.Errorf("%w: it tells nobody apart", ErrTable)
	}
	t.name()
	return t, nil
}

// tells reports whether any direction is not zero.
func (t *Table) tells() bool {
	for d := range t.project {
		for i := range t.project[d] {
			if t.project[d][i] != [4]float32{} {
				return true
			}
		}
	}
	return false
}
