package main

import (
	"bytes"
	"fmt"
	"os"

	"github.com/VictoriaMetrics/metrics"

	"github.com/waryauth/wary/signals/typing"
)

var typingRefusedTotal = metrics.NewCounter(`wary_typing_tables_refused_total`)

// readTyping returns the typing table of a file and its bytes, nothing where no file
// is named.
func readTyping(path string) (t *typing.Table, b []byte, err error) {
	if path == "" {
		return nil, nil, nil
	}
	if b, err = os.ReadFile(path); err != nil {
		return nil, nil, fmt.Errorf("typing.table: %w", err)
	}
	if t, err = typing.Parse(b); err != nil {
		return nil, b, fmt.Errorf("typing.table: %s: %w", path, err)
	}
	return t, b, nil
}

// rhythms is what the daemon knows of the typing table's file.
type rhythms struct {
	held []byte // when it was read last
	told string // why it was refused then
}

// swapTyping puts in force what the file holds now, if that is not what it held. What
// is refused is counted and told once, or again where aloud, and the table in force
// stays.
func (d *daemon) swapTyping(aloud bool) {
	if d.c.Typing.Table == "" {
		return
	}
	d.swapping.Lock()
	defer d.swapping.Unlock()
	r := &d.typing
	t, b, err := readTyping(d.c.Typing.Table)
	if err == nil && bytes.Equal(b, r.held) {
		r.told = ""
		return
	}
	if err == nil {
		err = d.engine.SetTyping(t)
	}
	if err == nil {
		*r = rhythms{held: b}
		d.log.Info("typing table swapped, rhythms are learnt anew", "table", t.ID(), "digest", t.Digest(), "accounts", t.Accounts)
		return
	}
	if err.Error() != r.told || aloud {
		typingRefusedTotal.Inc()
		d.log.Warn("typing table refused, what serves keeps serving", "why", err)
	}
	r.told = err.Error()
}
