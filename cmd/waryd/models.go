package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/VictoriaMetrics/metrics"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/models"
)

var modelsRefusedTotal = metrics.NewCounter(`wary_models_refused_total`)

// shelf is what the configuration says of models.
type shelf struct {
	serving  models.Serving
	registry *models.Registry // nil where one model is pinned
	refused  error            // a challenger: no reason not to start
}

// readModels returns the models that serve. Without a champion there is an error: a
// daemon that decided by another model than the one named would be a surprise.
func readModels(c *Config) (s shelf, err error) {
	keys, err := readModelKeys(c.Models.Keys)
	if err != nil {
		return s, err
	}
	if c.Model != "" {
		if s.serving.Champion, err = models.LoadTrusted(c.Model, keys); err != nil {
			return s, fmt.Errorf("model: %w", err)
		}
		return s, nil
	}
	own, err := models.Baseline()
	if err != nil {
		return s, err
	}
	dir := c.Models.Dir
	if dir == "" {
		dir = filepath.Join(c.Data, engine.ModelFolder)
	} else if _, err := os.Stat(dir); err != nil {
		return s, fmt.Errorf("models.dir: %w", err)
	}
	s.registry = models.NewRegistry(dir, keys, own)
	s.serving, s.refused = s.registry.Read(models.Serving{})
	if s.serving.Champion == nil {
		return s, fmt.Errorf("models.dir: %w", s.refused)
	}
	return s, nil
}

func readModelKeys(list string) (keys []models.PublicKey, err error) {
	var wrong []error
	for _, text := range split(list) {
		k, err := models.ParsePublicKey(text)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("models.keys: %w", err))
		}
		keys = append(keys, k)
	}
	return keys, errors.Join(wrong...)
}

// print says what serves.
func (s *shelf) print(w io.Writer) {
	for _, role := range [...]struct {
		name  string
		model *models.Model
	}{{"model", s.serving.Champion}, {"shadow", s.serving.Challenger}} {
		if role.model != nil {
			fmt.Fprintf(w, "%-8s %s, %s\n", role.name, role.model.Version(), role.model.Digest())
		}
	}
}

// lookAtModels looks at the registry, as at every interval.
func (d *daemon) lookAtModels() {
	d.swapping.Lock()
	defer d.swapping.Unlock()
	d.swapModels()
}

// readModelsAgain looks at the registry now, and tells a refusal even if it was told
// before.
func (d *daemon) readModelsAgain() {
	d.swapping.Lock()
	defer d.swapping.Unlock()
	d.told = ""
	d.swapModels()
}

// swapModels puts in force what the registry names. What is refused is told, and the
// role keeps the model it has.
func (d *daemon) swapModels() {
	if d.registry == nil {
		return
	}
	now := d.engine.Models()
	next, refused := d.registry.Read(now)
	d.tellModels(refused)
	if next == now {
		return
	}
	if err := d.engine.SetModels(next); err != nil {
		d.log.Error("models not changed", "why", err)
		return
	}
	said := []any{"model", next.Champion.Version(), "digest", next.Champion.Digest()}
	if next.Challenger != nil {
		said = append(said, "challenger", next.Challenger.Version(), "challenger_digest", next.Challenger.Digest())
	}
	d.log.Info("models swapped", said...)
}

// tellModels counts and logs each new reason for a refusal once.
func (d *daemon) tellModels(refused error) {
	reason := ""
	if refused != nil {
		reason = refused.Error()
	}
	if reason != "" && reason != d.told {
		modelsRefusedTotal.Inc()
		d.log.Warn("model refused, what serves keeps serving", "why", reason)
	}
	d.told = reason
}
