package geoip

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"
)

// refusal remembers a file that was refused, so that it is not read again until
// it changes.
type refusal struct {
	stat fs.FileInfo
	err  error
}

// Reload looks at the files on disk and swaps in those that have changed, all
// at once, and returns their paths. A file that is corrupt, of another type or
// gone is in err, and what was loaded keeps serving; it stays in err at every
// Reload until it is mended. Lookups go on meanwhile and never see half a swap.
func (d *Database) Reload() (changed []string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.current.Load()
	next := *now
	var failed []error
	d.findAgain()
	for k := range kinds {
		path := *d.files.path(k)
		if path == "" {
			continue
		}
		swapped, err := d.refresh(&next, k, path)
		if err != nil {
			failed = append(failed, err)
		}
		if swapped {
			changed = append(changed, path)
		}
	}
	if len(changed) > 0 {
		next.note()
		d.current.Store(&next)
	}
	return changed, errors.Join(failed...)
}

// findAgain looks in Find's folder for kinds that have no file, or whose file
// has gone, perhaps to come back under another name.
func (d *Database) findAgain() {
	if d.files.dir == "" {
		return
	}
	found := Find(d.files.dir)
	for k := range kinds {
		path := d.files.path(k)
		if _, err := os.Stat(*path); err == nil || *found.path(k) == "" {
			continue
		}
		*path = *found.path(k)
	}
}

// refresh loads the file of one kind into g where it is not the one loaded.
func (d *Database) refresh(g *generation, k kind, path string) (swapped bool, err error) {
	stat, err := os.Stat(path)
	if err != nil {
		return false, fmt.Errorf("look at %s file: %w", kindOf[k].name, err)
	}
	if s := g.loaded[k]; s != nil && s.info.Path == path && same(s.stat, stat) {
		d.refused[k] = refusal{}
		return false, nil
	}
	if r := d.refused[k]; same(r.stat, stat) {
		return false, r.err
	}
	err = g.load(k, path)
	d.refused[k] = refusal{}
	if err != nil && !errors.Is(err, errUnsettled) {
		d.refused[k] = refusal{stat: stat, err: err}
	}
	return err == nil, err
}

// Watch calls Reload at every interval (one minute where it is not positive)
// until ctx is done. It logs each swap, and each new reason for a refusal once.
func (d *Database) Watch(ctx context.Context, every time.Duration, log *slog.Logger) {
	if every <= 0 {
		every = time.Minute
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var told string
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		changed, err := d.Reload()
		for _, path := range changed {
			log.Info("geo file swapped", "path", path)
		}
		reason := ""
		if err != nil {
			reason = err.Error()
		}
		if reason != "" && reason != told {
			log.Warn("geo file refused, the loaded one keeps serving", "error", reason)
		}
		told = reason
	}
}
