package feedback

import (
	"bufio"
	"fmt"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/signals"
)

// column is one of a file's columns before those of the features.
type column struct {
	name  string
	node  parquet.Node
	value func(r *Row) parquet.Value // null where the row has none
}

// told returns them in order. Identifiers are keyed hashes, as on the topics; the
// path of what was typed, addresses and notes stay in the log.
func told() []column {
	null := parquet.NullValue()
	text := func(s string) parquet.Value {
		if s == "" {
			return null
		}
		return parquet.ByteArrayValue([]byte(s))
	}
	key := func(k features.Key) parquet.Value {
		if k == 0 {
			return null
		}
		return text(fmt.Sprintf("%016x", uint64(k)))
	}
	words, times := parquet.Optional(parquet.Encoded(parquet.String(), &parquet.RLEDictionary)), parquet.Timestamp(parquet.Millisecond)
	id := parquet.Optional(parquet.String())
	float, double, whole := parquet.Leaf(parquet.FloatType), parquet.Leaf(parquet.DoubleType), parquet.Leaf(parquet.Int32Type)
	return []column{
		{"place", id, func(r *Row) parquet.Value { return text(fmt.Sprintf("%d:%d", r.At.Segment, r.At.Offset)) }},
		{"logged", times, func(r *Row) parquet.Value { return parquet.Int64Value(r.Logged.UnixMilli()) }},
		{"time", times, func(r *Row) parquet.Value { return parquet.Int64Value(r.Trace.Time) }},
		{"action", words, func(r *Row) parquet.Value { return text(r.Action.String()) }},
		{"result", words, func(r *Row) parquet.Value { return text(r.Result.String()) }},
		{"user", id, func(r *Row) parquet.Value { return key(r.User) }},
		{"client", id, func(r *Row) parquet.Value { return key(r.Trace.Client) }},
		{"device", id, func(r *Row) parquet.Value { return key(r.Trace.Device) }},
		{"attempt", id, func(r *Row) parquet.Value { return key(r.Attempt) }},
		{"decision", words, func(r *Row) parquet.Value { return text(engine.OutcomeNames[r.Decision.Outcome]) }},
		{"probability", double, func(r *Row) parquet.Value { return parquet.DoubleValue(r.Decision.Probability) }},
		{"points", whole, func(r *Row) parquet.Value { return parquet.Int32Value(int32(r.Decision.Points)) }},
		{"degraded", whole, func(r *Row) parquet.Value { return parquet.Int32Value(int32(r.Decision.Degraded)) }},
		{"model", words, func(r *Row) parquet.Value { return text(r.Decision.ModelDigest) }},
		{"policy", words, func(r *Row) parquet.Value { return text(r.Decision.PolicyDigest) }},
		{"challenger", words, func(r *Row) parquet.Value { return text(r.Shadow.Digest) }},
		{"challenger_decision", words, func(r *Row) parquet.Value {
			if r.Shadow.Digest == "" {
				return null
			}
			return text(engine.OutcomeNames[r.Shadow.Outcome])
		}},
		{"challenger_probability", parquet.Optional(double), func(r *Row) parquet.Value {
			if r.Shadow.Digest == "" {
				return null
			}
			return parquet.DoubleValue(r.Shadow.Probability)
		}},
		{"label", words, func(r *Row) parquet.Value { return text(signals.FeedbackValues[r.Label]) }},
		{"source", words, func(r *Row) parquet.Value { return text(signals.Sources[r.Source]) }},
		{"said", parquet.Optional(times), func(r *Row) parquet.Value {
			if r.Label == 0 {
				return null
			}
			return parquet.Int64Value(r.Said.UnixMilli())
		}},
		{"family", words, func(r *Row) parquet.Value { return text(r.Family) }},
		{"weight", float, func(r *Row) parquet.Value { return parquet.FloatValue(r.Weight) }},
		{"propensity", float, func(r *Row) parquet.Value { return parquet.FloatValue(r.Propensity) }},
		{"held", parquet.Leaf(parquet.BooleanType), func(r *Row) parquet.Value { return parquet.BooleanValue(r.Held) }},
	}
}

// rowsOfGroup bounds what is held in memory: a row group of 360 features has 12 MB.
const rowsOfGroup = 8192

// table writes rows as a Parquet file.
type table struct {
	w       *parquet.GenericWriter[any]
	out     *bufio.Writer
	columns []column
	row     []parquet.Value
}

// newTable begins a file: the columns, then a float for each feature (NaN: missing).
func newTable(w io.Writer) *table {
	t := &table{out: bufio.NewWriterSize(w, 1<<20), columns: told()}
	all := ordered{Group: parquet.Group{}}
	for _, c := range t.columns {
		all.Group[c.name], all.order = c.node, append(all.order, c.name)
	}
	for i := range features.Schema {
		name := features.Schema[i].Name
		all.Group[name], all.order = parquet.Leaf(parquet.FloatType), append(all.order, name)
	}
	t.w = parquet.NewGenericWriter[any](t.out, parquet.NewSchema("decisions", all), parquet.Compression(&parquet.Snappy),
		parquet.MaxRowsPerRowGroup(rowsOfGroup), parquet.CreatedBy("wary", "1", "0"))
	return t
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

// append writes a row.
func (t *table) append(r *Row) error {
	t.row = t.row[:0]
	for i := range t.columns {
		c := &t.columns[i]
		v, level := c.value(r), 0
		if c.node.Optional() && !v.IsNull() {
			level = 1
		}
		t.row = append(t.row, v.Level(0, level, i))
	}
	for i, x := range r.Vector {
		t.row = append(t.row, parquet.FloatValue(x).Level(0, 0, len(t.columns)+i))
	}
	_, err := t.w.WriteRows([]parquet.Row{t.row})
	return err
}

func (t *table) close() error {
	if err := t.w.Close(); err != nil {
		return err
	}
	return t.out.Flush()
}
