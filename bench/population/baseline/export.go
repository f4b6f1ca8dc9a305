package baseline

import (
	"context"
	"io"
	"time"

	"github.com/waryauth/wary/bench/population"
	"github.com/waryauth/wary/models/train"
)

// ExportSimulation writes every attempt of one simulation, or the first most (0 is
// all), as Recipe.Export writes those of many: label 1 is fraud of any kind, every
// weight is 1, and the slices are told by time alone: training, from 5/9 of the
// days stopping, from 2/3 judging. It returns how many there are.
func ExportSimulation(ctx context.Context, o population.Options, most int, w io.Writer) (n int, err error) {
	c := Recipe{Params: DefaultParams()}
	var k rows
	sim := population.New(o)
	split := newSplitter(sim.Options())
	err = c.table(&k, w, func() error {
		for r := range population.Rows(sim, 0) {
			row := train.Row{X: r.Vector[:], Weight: 1, Slice: names[training], At: time.UnixMilli(r.At)}
			if r.Fraud {
				row.Label = 1
			}
			switch {
			case r.At >= split.cut:
				row.Slice = names[judging]
			case r.At >= split.stop:
				row.Slice = names[stopping]
			}
			if err := k.table.Append(&row); err != nil {
				return err
			}
			n++
			if n == most {
				return nil
			}
			if n%1024 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
		}
		return nil
	})
	return n, err
}
