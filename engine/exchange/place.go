package exchange

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/waryauth/wary/internal/journal"
)

// readPlace reads a file that writePlace wrote into v, strictly. It reports false
// where there is none.
func readPlace(path string, v any) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	return true, nil
}

// writePlace writes v to a file, whole or not at all, and its name to disk too.
func writePlace(path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return journal.WriteFile(path, func(f *os.File) error {
		_, err := f.Write(append(b, '\n'))
		return err
	})
}

// Files of a data folder that hold places.
const (
	OutboxFile = "outbox.json"
	InboxFile  = "inbox.json"
)

// PlaceOf returns the place that an outbox has kept in a file: the zero address, the
// beginning of the log, where there is none.
func PlaceOf(path string) (journal.Address, error) {
	var p outboxPlace
	if _, err := readPlace(path, &p); err != nil {
		return journal.Address{}, fmt.Errorf("exchange: place of the outbox: %w", err)
	}
	return journal.Address{Segment: p.Segment, Offset: p.Offset}, nil
}

// OutboxLag is what waits to be published.
type OutboxLag struct {
	Facts   int     `json:"facts"`
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"` // since the oldest of them was logged
}

// LagOfOutbox counts the facts of a log behind the place in a file. The daemon may run
// meanwhile.
func LagOfOutbox(log, path string) (*OutboxLag, error) {
	from, err := PlaceOf(path)
	if err != nil {
		return nil, err
	}
	lag := &OutboxLag{}
	for rec, err := range journal.Records(log, from) {
		if err != nil {
			return nil, fmt.Errorf("exchange: %w", err)
		}
		if lag.Facts == 0 {
			lag.Seconds = max(0, time.Since(rec.Time).Seconds())
		}
		lag.Facts++
		lag.Bytes += int64(len(rec.Payload))
	}
	return lag, nil
}
