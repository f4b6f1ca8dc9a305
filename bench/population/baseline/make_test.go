package baseline

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/bench/population"
	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/models/train"
)

// quiet keeps a test's log lines to itself.
func quiet(t *testing.T) {
	t.Helper()
	before := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	t.Cleanup(func() { slog.SetDefault(before) })
}

// recipe makes a model in a few seconds, or the test is skipped.
func recipe(t *testing.T) *Recipe {
	t.Helper()
	library := train.DefaultPath()
	if os.Getenv("WARY_LIGHTGBM") == "" {
		library = filepath.Join("..", "..", "..", library)
	}
	if _, err := os.Stat(library); err != nil {
		t.Skipf("without LightGBM no model can be made: %v", err)
	}
	quiet(t)
	p := DefaultParams()
	p.Trees, p.Threads = 25, 1
	return &Recipe{
		Library: library, Geo: t.TempDir(), Version: "test", Created: time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC), Seed: 1, Scale: 0.008, Params: p,
	}
}

// The same recipe makes the same bytes: text, card and table; the card tells what
// was done.
func TestTheSameRecipeMakesTheSameBytes(t *testing.T) {
	c := recipe(t)
	var table, exported bytes.Buffer
	steps := map[string]int{}
	c.Table, c.Progress = &table, func(step string, added, _ int) { steps[step] += added }
	text, card, err := c.Make(t.Context(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	c.Table, c.Progress = nil, nil
	again, cardAgain, err := c.Make(t.Context(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	a, b := encode(t, card), encode(t, cardAgain)
	if !bytes.Equal(text, again) || !bytes.Equal(a, b) {
		t.Errorf("another text or card:\n%s\n%s", a, b)
	}
	if err := c.Export(t.Context(), &exported, io.Discard); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(exported.Bytes(), table.Bytes()) {
		t.Error("Export and Make write other tables")
	}
	if back, err := models.ParseCard(a); err != nil || back.Training.Parameters != card.Training.Parameters {
		t.Errorf("the card is not read back: %v", err)
	}
	trees := bytes.Count(text, []byte("\nTree="))
	tr := card.Training
	if tr.Trees != trees || tr.TreesAtMost != 25 || tr.EarlyStopping != 30 || len(tr.Slices) != 4 || tr.Prior != takeoverPrior || steps[Growing] != tr.Grown+tr.Trees || steps[Simulating] == 0 {
		t.Errorf("card %+v of %d trees, steps %v", tr, trees, steps)
	}
	var directions []string
	for _, f := range features.Schema {
		directions = append(directions, strconv.Itoa(int(f.Risk)))
	}
	if want := "\nmonotone_constraints=" + strings.Join(directions, " ") + "\n"; !bytes.Contains(text, []byte(want)) {
		t.Errorf("the text does not say %s", want)
	}
	c.Seed++
	if other, _, err := c.Make(t.Context(), io.Discard); err != nil || bytes.Equal(other, text) {
		t.Errorf("another seed, the same text, or %v", err) // the control
	}
}

func encode(t *testing.T, card models.Card) []byte {
	t.Helper()
	b, err := json.Marshal(card)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// scripts/train.py grows from the table of Make what Make grew: the texts are the
// same bytes up to the parameters, which tell how each was asked, so every tree is.
// scripts/train-python.sh makes Python's environment and sets $WARY_PYTHON.
func TestPythonGrowsTheSameTrees(t *testing.T) {
	python := os.Getenv("WARY_PYTHON")
	if python == "" {
		t.Skip("$WARY_PYTHON names no Python with lightgbm: scripts/train-python.sh makes one")
	}
	for _, c := range []struct {
		name   string
		change func(p *train.Params)
	}{
		{"the shipped parameters", func(*train.Params) {}},
		{"stopped early", func(p *train.Params) { p.Trees, p.LearningRate, p.EarlyStopping = 200, 0.5, 5 }},
		{"weighted, all rows", func(p *train.Params) { p.PositiveWeight, p.EarlyStopping, p.BaggingFraction = 4, 0, 0 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := recipe(t)
			c.change(&r.Params)
			inPython(t, python, r)
		})
	}
}

func inPython(t *testing.T, python string, r *Recipe) {
	dir := t.TempDir()
	rows, model := filepath.Join(dir, "rows.parquet"), filepath.Join(dir, "model.txt")
	var table bytes.Buffer
	r.Table = &table
	text, card, err := r.Make(t.Context(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(rows, table.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	said, err := exec.CommandContext(t.Context(), python, filepath.Join("..", "..", "..", "scripts", "train.py"), rows, model).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	got, err := os.ReadFile(model)
	if err != nil {
		t.Fatal(err)
	}
	trees, _, found := bytes.Cut(text, []byte("\nparameters:\n"))
	his, _, _ := bytes.Cut(got, []byte("\nparameters:\n"))
	if !found || !bytes.Equal(his, trees) {
		t.Errorf("Python's trees are others: %s", said)
	}
	m, err := load(got, card)
	if err != nil || m.Trees() != card.Training.Trees {
		t.Fatalf("Python's text as a model: %v", err)
	}
	t.Logf("%d bytes up to the parameters are the same, %d trees of %d grown", len(trees), card.Training.Trees, card.Training.Grown)
}

func TestMakeEndsWithItsContext(t *testing.T) {
	c := recipe(t)
	for _, step := range []string{Simulating, Growing} {
		ctx, cancel := context.WithCancel(context.Background())
		after := 0
		c.Progress = func(s string, _, _ int) {
			if ctx.Err() != nil {
				after++
			}
			if s == step {
				cancel()
			}
		}
		text, _, err := c.Make(ctx, io.Discard)
		if !errors.Is(err, context.Canceled) || text != nil || after > 0 {
			t.Errorf("cancelled while %s: %v, went on for %d", step, err, after)
		}
		cancel()
	}
}

// What a model was told to keep, it keeps: its score never moves against the
// direction of a feature, at values that simulated people have.
func TestBaselineIsMonotone(t *testing.T) {
	m, err := models.Baseline()
	if err != nil {
		t.Fatal(err)
	}
	var vectors []features.Vector
	for r := range population.Rows(population.New(population.Options{Seed: 3, Users: 60, Days: 20}), 0) {
		vectors = append(vectors, r.Vector)
	}
	step := len(vectors) / 40
	var p models.Prediction
	against := func(i int, direction features.Direction) (n int) {
		for k := 0; k+step < len(vectors); k += step {
			v := vectors[k]
			last, lastX := 0.0, float32(0)
			for j := 0; j < len(vectors); j += step {
				x := vectors[j][i]
				if x != x { // missing values are outside the order
					continue
				}
				v[i] = x
				m.Predict(&p, &v)
				if d := (p.Raw - last) * float64(direction); lastX != x && last != 0 && (d < -1e-9) == (x > lastX) && (d > 1e-9 || d < -1e-9) {
					n++
				}
				last, lastX = p.Raw, x
			}
		}
		return n
	}
	moved := 0
	for i, f := range features.Schema {
		if f.Risk == 0 {
			moved += against(i, features.Rises)
			continue
		}
		if n := against(i, f.Risk); n > 0 {
			t.Errorf("%s (%s): %d steps the other way", f.Name, f.Risk, n)
		}
	}
	if moved == 0 {
		t.Error("features without a direction never fall either: the test shows little") // the control
	}
}
