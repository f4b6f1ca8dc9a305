package train

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
)

// readTable reads a table by the module's own reader, with the names that the
// file's schema gives.
func readTable(t testing.TB, file []byte) (names []string, d *Data, slice []string, at []int64, notes map[string]string) {
	t.Helper()
	f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	notes = map[string]string{}
	for _, kv := range f.Metadata().KeyValueMetadata {
		notes[kv.Key] = kv.Value
	}
	for _, c := range f.Root().Columns() {
		names = append(names, c.Name())
	}
	d = &Data{Columns: len(names) - 4}
	for _, group := range f.RowGroups() {
		rows := group.Rows()
		buffer := make([]parquet.Row, 100)
		for {
			n, err := rows.ReadRows(buffer)
			for _, r := range buffer[:n] {
				for _, v := range r[:d.Columns] {
					d.X = append(d.X, v.Float())
				}
				rest := r[d.Columns:]
				d.Y, d.Weight = append(d.Y, rest[0].Float()), append(d.Weight, rest[1].Float())
				slice, at = append(slice, string(rest[2].ByteArray())), append(at, rest[3].Int64())
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return names, d, slice, at, notes
}

// writeTable makes a table of d in which every third row is for stopping.
func writeTable(t testing.TB, w io.Writer, d *Data, names []string, p *Params) {
	t.Helper()
	table, err := NewTable(w, names)
	if err != nil {
		t.Fatal(err)
	}
	for i := range d.Y {
		r := Row{X: d.X[i*d.Columns:][:d.Columns], Label: d.Y[i], Weight: d.Weight[i], Slice: "training", At: time.UnixMilli(int64(i) * 1000)}
		if i%3 == 2 {
			r.Slice = "stopping"
		}
		if err := table.Append(&r); err != nil {
			t.Fatal(err)
		}
	}
	table.NoteParams(p)
	table.Note("k", "v")
	if err := table.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTableIsReadBack(t *testing.T) {
	d := rows(31, rowsOfGroup+1000) // two row groups; column 3 has missing values
	d.X[0], d.X[1] = float32(math.Copysign(0, -1)), math.MaxFloat32
	names := []string{"z.last", "a.first", "m", "b-c", "d_e"} // not in the order of the alphabet
	var file, again bytes.Buffer
	writeTable(t, &file, d, names, &Params{Trees: 7, EarlyStopping: 3, Seed: 4})
	writeTable(t, &again, d, names, &Params{Trees: 7, EarlyStopping: 3, Seed: 4})
	if !bytes.Equal(file.Bytes(), again.Bytes()) {
		t.Error("the same rows, other bytes")
	}
	gotNames, got, slice, at, notes := readTable(t, file.Bytes())
	if !slices.Equal(gotNames, append(slices.Clone(names), "label", "weight", "slice", "time")) {
		t.Errorf("columns %v", gotNames)
	}
	if !sameBits(got.X, d.X) || !sameBits(got.Y, d.Y) || !sameBits(got.Weight, d.Weight) {
		t.Error("the values are not those written")
	}
	for i := range slice {
		want := "training"
		if i%3 == 2 {
			want = "stopping"
		}
		if slice[i] != want || at[i] != int64(i)*1000 {
			t.Fatalf("row %d: %s at %d", i, slice[i], at[i])
		}
	}
	if notes["k"] != "v" || notes["wary.trees"] != "7" || notes["wary.early_stopping"] != "3" || !strings.Contains(notes["wary.parameters"], " seed=4") {
		t.Errorf("notes %v", notes)
	}
	if len(file.Bytes()) < 4*rowsOfGroup {
		t.Error("too small a file to show much") // the control
	}
}

func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) })
}

// A model grown from what was read back is the model grown from memory.
func TestTableGrowsTheSameModel(t *testing.T) {
	l := lightgbm(t)
	d := rows(32, 3000)
	var file bytes.Buffer
	writeTable(t, &file, d, []string{"a", "b", "c", "d", "e"}, &Params{})
	_, back, _, _, _ := readTable(t, file.Bytes())
	p := Params{Trees: 5}
	want, _ := grow(t, l, d, nil, p)
	if got, _ := grow(t, l, back, nil, p); !bytes.Equal(got, want) {
		t.Error("another model")
	}
	back.X[7] += 1 // control
	back.X[13] += 1
	for i := range back.Y[:50] {
		back.Y[i] = 1 - back.Y[i]
	}
	if got, _ := grow(t, l, back, nil, p); bytes.Equal(got, want) {
		t.Error("other rows, the same model")
	}
}

// counter counts and checks nothing else.
type counter int64

func (c *counter) Write(b []byte) (int, error) { *c += counter(len(b)); return len(b), nil }

// Memory does not grow with the number of rows: ten row groups leave as much as two.
func TestTableHoldsOneRowGroup(t *testing.T) {
	names := make([]string, 20)
	for i := range names {
		names[i] = "f" + string(rune('a'+i))
	}
	var written counter
	table, err := NewTable(&written, names)
	if err != nil {
		t.Fatal(err)
	}
	r := Row{X: make([]float32, len(names)), Weight: 1, Slice: "training", At: time.UnixMilli(0)}
	var seed [8]byte
	held := func(n int) uint64 {
		for i := range n {
			binary.LittleEndian.PutUint64(seed[:], uint64(i)*0x9e3779b97f4a7c15)
			for j := range r.X {
				r.X[j] = float32(seed[j%8]) + float32(i*j)
			}
			if err := table.Append(&r); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 { // what pools hold goes with the second
			runtime.GC()
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	two, ten := held(2*rowsOfGroup+100), held(8*rowsOfGroup)
	if err := table.Close(); err != nil {
		t.Fatal(err)
	}
	if group := uint64(4 * len(names) * rowsOfGroup); ten > two+group || uint64(written) < 4*group {
		t.Errorf("after 2 row groups %d bytes are held, after 10 %d; a group has %d, the file %d", two, ten, group, written)
	}
}

func TestTableRefuses(t *testing.T) {
	table, err := NewTable(io.Discard, []string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	inf := float32(math.Inf(1))
	for _, r := range []Row{
		{X: []float32{1}, Weight: 1},
		{X: []float32{1, inf}, Weight: 1},
		{X: []float32{1, 2}, Label: 2, Weight: 1},
		{X: []float32{1, 2}},
		{X: []float32{1, 2}, Weight: inf},
	} {
		if err := table.Append(&r); err == nil {
			t.Errorf("%+v: no error", r)
		}
	}
	for _, names := range [][]string{{"a", "a"}, {"a", "label"}, {"a b"}, {""}} {
		if _, err := NewTable(io.Discard, names); err == nil {
			t.Errorf("%q: no error", names)
		}
	}
}
