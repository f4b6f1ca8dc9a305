package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/models/foreign"
)

// modelCheck is what wary model check prints.
type modelCheck struct {
	Format    string     `json:"format"`         // with the version: "lightgbm v4"
	Boosting  string     `json:"boosting"`       // gbdt, dart, goss, rf, or leaves' name of another library's
	Objective string     `json:"objective"`      // as the file has it; empty where nothing reads it
	Trees     int        `json:"trees"`          // all
	Leaves    int        `json:"leaves"`         // of all trees
	Largest   int        `json:"largest_tree"`   // its leaves
	Features  int        `json:"features"`       // values of a row
	Kernels   []string   `json:"kernels"`        // the first serves
	Engine    string     `json:"engine"`         // empty, or why the daemon would not serve it
	Rows      *rowsCheck `json:"rows,omitempty"` // what was given
	checked   string     // what Verify did, in words
	scorers   []rowScore // of the kernels
	tolerant  bool       // another library's: its sums are not ours
}

// rowScore scores a row.
type rowScore func(row []float32) (float64, error)

// rowsCheck compares given rows with given scores.
type rowsCheck struct {
	Rows      int     `json:"rows"`
	Equal     []int   `json:"equal"`              // bit for bit, by kernel
	Largest   float64 `json:"largest_difference"` // of any kernel
	Different int     `json:"different"`          // rows that are not as they should be by some kernel
	First     string  `json:"first,omitempty"`    // the first of these
}

// tolerance is how far, relative to the larger of 1 and the score, another
// library's score may lie from that of leaves: sums of float32 against float64.
const tolerance = 1e-5

// maxRowsBytes bounds files of rows: a million rows of 1,000 features are 4 GB, more
// than a check needs.
const maxRowsBytes = 1 << 30

func modelCheckCommand() *cobra.Command {
	var rows, raw string
	var out output
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Read a model of any features, and compare its scores with your own",
		Long: "Reads a LightGBM text (or, through leaves, an XGBoost binary file or a scikit-learn pickle), says why not where it cannot,\n" +
			"what it is, which kernel serves it, and whether the daemon would take it. Every LightGBM text is compared with an independent\n" +
			"implementation on 4,096 rows of its own making.\n\n" +
			"With --rows and --raw it also counts the rows whose score by every kernel has the very bits of yours: rows of float32 (NaN =\n" +
			"missing) without header, raw scores of float64 (raw_score=True), both little-endian. Scores of another library may differ by 1e-5.\n" +
			"All files may be compressed with gzip. Ends with 1 if any row differs, or if the sizes do not match.",
		Example: "  wary model check model.txt\n  wary model check model.txt.gz --rows rows.f32 --raw raw.f64\n" +
			"  # in Python: x.astype('<f4').tofile('rows.f32'); booster.predict(x, raw_score=True).astype('<f8').tofile('raw.f64')",
		Args: needs("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			if (rows == "") != (raw == "") {
				return misused(cmd, "--rows and --raw go together")
			}
			file, err := readPacked(args[0], models.MaxTextBytes)
			if err != nil {
				return err
			}
			c, err := inspect(file)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if rows != "" {
				if err := c.compare(rows, raw); err != nil {
					return err
				}
			}
			if err := c.print(cmd.OutOrStdout(), out); err != nil {
				return err
			}
			if c.Rows != nil && c.Rows.Different > 0 {
				return fmt.Errorf("%s: %d of %d rows differ; %s", args[0], c.Rows.Different, c.Rows.Rows, c.Rows.First)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&rows, "rows", "", "rows: little-endian float32, one row after the other")
	cmd.Flags().StringVar(&raw, "raw", "", "their raw scores: little-endian float64")
	out.flag(cmd)
	return cmd
}

// inspect reads the model and compares it with what it can be compared with by itself.
func inspect(file []byte) (*modelCheck, error) {
	if foreign.FormatOf(file) != foreign.LightGBM {
		return inspectForeign(file)
	}
	e, err := models.Inspect(file)
	if err != nil {
		return nil, err
	}
	if err := e.Verify(); err != nil {
		return nil, err
	}
	c := &modelCheck{Format: "lightgbm " + e.Version(), Boosting: e.Boosting(), Objective: e.Objective(), Trees: e.Trees(), Features: e.Features(), Kernels: e.Kernels()}
	c.Leaves, c.Largest = e.Leaves()
	c.checked = "4096 rows of its own: every kernel gives the bits of leaves"
	if err := e.Fits(); err != nil {
		c.Engine = err.Error()
	}
	for _, kernel := range c.Kernels {
		score := e.Scorer(kernel)
		c.scorers = append(c.scorers, func(row []float32) (float64, error) { return score(row), nil })
	}
	return c, nil
}

func inspectForeign(file []byte) (*modelCheck, error) {
	f, err := foreign.Read(file)
	if err != nil {
		return nil, err
	}
	c := &modelCheck{Format: string(foreign.FormatOf(file)), Boosting: f.Name(), Trees: f.Trees(), Features: f.Features(), Kernels: []string{"leaves"}}
	c.Leaves, c.Largest = f.Leaves()
	c.Engine = "the daemon serves LightGBM texts: this file does not name its features, and nothing but leaves reads it"
	c.checked = "nothing by itself: leaves alone reads it"
	c.scorers, c.tolerant = []rowScore{f.Scorer()}, true
	return c, nil
}

// compare scores the given rows by every kernel.
func (c *modelCheck) compare(rowsPath, rawPath string) error {
	rows, err := readPacked(rowsPath, maxRowsBytes)
	if err != nil {
		return err
	}
	raw, err := readPacked(rawPath, maxRowsBytes)
	if err != nil {
		return err
	}
	width := 4 * c.Features
	if len(rows) == 0 || len(rows)%width != 0 {
		return fmt.Errorf("%s: %d bytes are not rows of %d features, %d bytes each", rowsPath, len(rows), c.Features, width)
	}
	n := len(rows) / width
	if len(raw) != 8*n {
		return fmt.Errorf("%s: %d bytes are not the %d scores of %d bytes that %s needs", rawPath, len(raw), n, 8, rowsPath)
	}
	c.Rows = &rowsCheck{Rows: n, Equal: make([]int, len(c.Kernels))}
	row := make([]float32, c.Features)
	for i := range n {
		for j := range row {
			row[j] = math.Float32frombits(binary.LittleEndian.Uint32(rows[i*width+4*j:]))
		}
		if err := c.row(i, row, math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))); err != nil {
			return fmt.Errorf("%s: row %d: %w", rowsPath, i, err)
		}
	}
	return nil
}

// row compares one row.
func (c *modelCheck) row(i int, row []float32, want float64) error {
	different := false
	for k, score := range c.scorers {
		got, err := score(row)
		if err != nil {
			return err
		}
		if math.Float64bits(got) == math.Float64bits(want) {
			c.Rows.Equal[k]++
			continue
		}
		d := math.Abs(got - want)
		if math.IsNaN(d) || math.IsInf(d, 0) { // a given score that is no number
			d = math.MaxFloat64
		}
		c.Rows.Largest = max(c.Rows.Largest, d)
		if c.tolerant && d <= tolerance*max(1, math.Abs(want)) {
			continue
		}
		if !different && c.Rows.Different == 0 {
			c.Rows.First = fmt.Sprintf("row %d scores %v by %s, the file says %v", i, got, c.Kernels[k], want)
		}
		different = true
	}
	if different {
		c.Rows.Different++
	}
	return nil
}

func (c *modelCheck) print(w io.Writer, out output) error {
	if out == "json" {
		return json.NewEncoder(w).Encode(c)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(tw, name+"\t"+format+"\n", args...) }
	line("format", "%s", c.Format)
	line("boosting", "%s", c.Boosting)
	line("objective", "%s", cell(c.Objective))
	line("trees", "%d, %d leaves, at most %d in one", c.Trees, c.Leaves, c.Largest)
	line("features", "%d", c.Features)
	line("kernel", "%s%s", c.Kernels[0], others(c.Kernels[1:]))
	line("daemon", "%s", map[bool]string{true: "would serve it with a card", false: "would refuse it: " + c.Engine}[c.Engine == ""])
	line("checked", "%s", c.checked)
	if c.Rows != nil {
		for k, equal := range c.Rows.Equal {
			line("rows", "%d of %d equal bit for bit by %s", equal, c.Rows.Rows, c.Kernels[k])
		}
		line("difference", "%g at most", c.Rows.Largest)
	}
	return tw.Flush()
}

// cell is a value, or a dash for none.
func cell(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func others(kernels []string) string {
	if len(kernels) == 0 {
		return ""
	}
	return " (also here: " + strings.Join(kernels, ", ") + ")"
}

// readPacked reads a file of at most so many bytes, unpacked if it is gzip's.
func readPacked(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := readLimited(f, limit)
	if err == nil && bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
		var z *gzip.Reader
		if z, err = gzip.NewReader(bytes.NewReader(b)); err == nil {
			b, err = readLimited(z, limit)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

func readLimited(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = errors.New("larger than is read: " + fmt.Sprint(limit) + " bytes")
	}
	return b, err
}
