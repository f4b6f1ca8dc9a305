package engine

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/waryauth/wary/features/history"
	"github.com/waryauth/wary/internal/journal"
)

// A snapshot is: magic, the schema mark, the log's address that state goes up to,
// state, the four ledgers, the address that nothing of them goes beyond, and the
// SHA-256 of all before.
//
// State is as it was at the first address: it is the fold of the log up to there,
// and no fact is folded twice. The ledgers may know of facts beyond, up to the
// second: what is put in a ledger again is there once.
const snapshotMagic = "WARYSNAP\x02"

// Snapshot writes memory to disk, together with how far in the log it goes.
// Requests are answered meanwhile: they wait only for those that are just being
// remembered, so that there is one moment between two facts. One snapshot is taken
// at a time.
//
// The log goes to disk before the snapshot counts: were it shorter after a loss of
// power, the snapshot would be of no use, and retention may have removed what it
// stands for.
func (e *Engine) Snapshot() error {
	started := time.Now()
	e.snapshots.Lock()
	defer e.snapshots.Unlock()
	end, state := e.freeze()
	defer state.Close()
	err := WriteFile(e.snapshotPath(), func(f *os.File) error {
		w := bufio.NewWriterSize(f, 1<<20)
		sum := sha256.New()
		if err := e.writeSnapshot(io.MultiWriter(w, sum), end, state); err != nil {
			return err
		}
		if _, err := w.Write(sum.Sum(nil)); err != nil {
			return err
		}
		return w.Flush()
	})
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	e.log.Pin(end)
	slog.Debug("snapshot", "seconds", time.Since(started).Seconds())
	return nil
}

// freeze takes an image of state at an address between two facts.
func (e *Engine) freeze() (journal.Address, *history.Image) {
	e.pause.Lock()
	defer e.pause.Unlock()
	return e.log.End(), e.state.Freeze()
}

func (e *Engine) writeSnapshot(w io.Writer, end journal.Address, state *history.Image) error {
	head := append([]byte(snapshotMagic), e.schema[:]...)
	if _, err := w.Write(appendAddress(head, end)); err != nil {
		return err
	}
	if err := state.Write(w); err != nil {
		return err
	}
	for _, l := range e.ledgers() {
		if err := l.Snapshot(w); err != nil {
			return err
		}
	}
	reach := e.log.End() // a fact is in a ledger only once it is in the log
	if _, err := w.Write(appendAddress(nil, reach)); err != nil {
		return err
	}
	return e.log.Sync()
}

func (e *Engine) ledgers() [4]*facts {
	return [4]*facts{e.attempts, e.feedback, e.events, e.joins}
}

// restoreSnapshot fills memory from the snapshot and returns the address from
// which the log has to be read. A snapshot that is damaged or of another schema
// is set aside, and memory is made from the whole log. Set aside it must be: the
// log grows, and would reach the address of a snapshot that is of another past.
func (e *Engine) restoreSnapshot() (journal.Address, error) {
	f, err := os.Open(e.snapshotPath())
	if errors.Is(err, fs.ErrNotExist) {
		return journal.Address{}, nil
	}
	if err != nil {
		return journal.Address{}, err
	}
	defer f.Close()
	at, reach, err := e.readSnapshot(f)
	if err == nil && (e.log.End().Less(reach) || reach.Less(at)) {
		err = errors.New("it goes further than the log")
	}
	if err != nil {
		aside := e.snapshotPath() + ".aside"
		slog.Warn("snapshot set aside; reading the whole log", "file", aside, "why", err)
		if err := os.Rename(e.snapshotPath(), aside); err != nil {
			return journal.Address{}, err
		}
		e.clear()
		return journal.Address{}, nil
	}
	return at, nil
}

func (e *Engine) readSnapshot(f *os.File) (at, reach journal.Address, err error) {
	info, err := f.Stat()
	if err != nil {
		return at, reach, err
	}
	if err := checkSum(f, info.Size()); err != nil {
		return at, reach, err
	}
	src := bufio.NewReaderSize(io.LimitReader(f, info.Size()-sha256.Size), 1<<20)
	head := make([]byte, len(snapshotMagic)+8+8)
	if _, err := io.ReadFull(src, head); err != nil {
		return at, reach, err
	}
	r := reader{b: head}
	if string(r.take(len(snapshotMagic))) != snapshotMagic || [8]byte(r.take(8)) != e.schema {
		return at, reach, errors.New("it is of another version or schema")
	}
	at = r.address()
	if err := e.state.Restore(src); err != nil {
		return at, reach, err
	}
	for _, l := range e.ledgers() {
		if err := l.Restore(src); err != nil {
			return at, reach, err
		}
	}
	if _, err := io.ReadFull(src, head[:8]); err != nil {
		return at, reach, err
	}
	r = reader{b: head[:8]}
	return at, r.address(), nil
}

// checkSum reads the whole file once, so that a damaged snapshot fills nothing.
func checkSum(f *os.File, size int64) error {
	if size < sha256.Size {
		return io.ErrUnexpectedEOF
	}
	var sum hash.Hash = sha256.New()
	if _, err := io.CopyN(sum, f, size-sha256.Size); err != nil {
		return err
	}
	var want [sha256.Size]byte
	if _, err := io.ReadFull(f, want[:]); err != nil {
		return err
	}
	if [sha256.Size]byte(sum.Sum(nil)) != want {
		return errors.New("its checksum is wrong")
	}
	_, err := f.Seek(0, io.SeekStart)
	return err
}
