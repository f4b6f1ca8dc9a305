package train

import (
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/parquet-go/parquet-go"
)

// Row is a labelled row of a table.
type Row struct {
	X      []float32 // one a feature; NaN = missing
	Label  float32   // 1 = fraud, 0 = legitimate
	Weight float32
	Slice  string // what the row is for, such as "training"
	At     time.Time
}

// Columns of a table after those of the features.
const (
	LabelColumn  = "label"  // float
	WeightColumn = "weight" // float
	SliceColumn  = "slice"  // string
	TimeColumn   = "time"   // timestamp in milliseconds, UTC
)

// rowsOfGroup bounds what is held in memory: a row group of 120 features has 8 MB.
const rowsOfGroup = 16_384

// Table writes rows as a Parquet file: a float column for each feature in order,
// then label, weight, slice and time. It holds one row group in memory, and of
// those written about 1 kB a column for the footer. The same rows give the same
// bytes.
type Table struct {
	w        *parquet.GenericWriter[any]
	features int
	values   []parquet.Value
}

// NewTable begins a table. features names its columns; names may not repeat, nor
// be those of the other columns. Close ends it; the writer stays the caller's.
func NewTable(w io.Writer, features []string) (*Table, error) {
	p := Params{FeatureNames: slices.Concat(features, []string{LabelColumn, WeightColumn, SliceColumn, TimeColumn})}
	if err := p.checkNames(len(p.FeatureNames)); err != nil {
		return nil, fmt.Errorf("new table: %w", err)
	}
	columns := ordered{order: p.FeatureNames, Group: parquet.Group{
		LabelColumn:  parquet.Leaf(parquet.FloatType),
		WeightColumn: parquet.Leaf(parquet.FloatType),
		SliceColumn:  parquet.Encoded(parquet.String(), &parquet.RLEDictionary),
		TimeColumn:   parquet.Timestamp(parquet.Millisecond),
	}}
	for _, name := range features {
		columns.Group[name] = parquet.Leaf(parquet.FloatType)
	}
	return &Table{
		features: len(features),
		values:   make([]parquet.Value, 0, len(p.FeatureNames)),
		w: parquet.NewGenericWriter[any](w, parquet.NewSchema("rows", columns), parquet.Compression(&parquet.Snappy), parquet.MaxRowsPerRowGroup(rowsOfGroup),
			parquet.CreatedBy("wary", "1", "0")),
	}, nil
}

// ordered is a group whose columns are in an order of ours, not of the alphabet.
type ordered struct {
	parquet.Group
	order []string
}

func (o ordered) Fields() []parquet.Field {
	fields := o.Group.Fields()
	at := make(map[string]int, len(o.order))
	for i, name := range o.order {
		at[name] = i
	}
	slices.SortFunc(fields, func(a, b parquet.Field) int { return at[a.Name()] - at[b.Name()] })
	return fields
}

// Append writes a row. It keeps nothing of it. What Grow would refuse is refused
// here too.
func (t *Table) Append(r *Row) error {
	if len(r.X) != t.features {
		return fmt.Errorf("append row: %d values for %d features", len(r.X), t.features)
	}
	if r.Label != 0 && r.Label != 1 || !(r.Weight > 0 && r.Weight <= math.MaxFloat32) {
		return fmt.Errorf("append row: label %g, weight %g", r.Label, r.Weight)
	}
	row := t.values[:0]
	add := func(v parquet.Value) { row = append(row, v.Level(0, 0, len(row))) }
	for i, x := range r.X {
		if math.IsInf(float64(x), 0) {
			return fmt.Errorf("append row: value %d is infinite", i)
		}
		add(parquet.FloatValue(x))
	}
	add(parquet.FloatValue(r.Label))
	add(parquet.FloatValue(r.Weight))
	add(parquet.ByteArrayValue([]byte(r.Slice)))
	add(parquet.Int64Value(r.At.UnixMilli()))
	if _, err := t.w.WriteRows([]parquet.Row{row}); err != nil {
		return fmt.Errorf("append row: %w", err)
	}
	return nil
}

// Note puts a fact into the file's own key-value metadata.
func (t *Table) Note(key, value string) { t.w.SetKeyValueMetadata(key, value) }

// NoteParams notes how Grow would be asked, for scripts/train.py: wary.parameters,
// wary.trees, wary.early_stopping.
func (t *Table) NoteParams(p *Params) {
	t.Note("wary.parameters", p.Text())
	t.Note("wary.trees", fmt.Sprint(p.trees()))
	t.Note("wary.early_stopping", fmt.Sprint(p.EarlyStopping))
}

// Close writes what is left and the file's footer.
func (t *Table) Close() error {
	if err := t.w.Close(); err != nil {
		return fmt.Errorf("close table: %w", err)
	}
	return nil
}
