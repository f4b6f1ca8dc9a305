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

	"github.com/waryauth/wary/internal/journal"
)

// A snapshot is: magic, the schema mark, the log's address it goes up to, state,
// the four ledgers, and the SHA-256 of all before.
const snapshotMagic = "WARYSNAP\x01"

// Snapshot writes memory to disk, together with how far in the log it goes.
// Nothing is remembered while it is taken; requests wait.
//
// The log goes to disk first: were it shorter than the snapshot after a loss of
// power, the snapshot would be of no use, and retention may have removed what it
// stands for. Most of it goes while requests are still answered.
func (e *Engine) Snapshot() error {
	started := time.Now()
	if err := e.log.Sync(); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	e.pause.Lock()
	defer e.pause.Unlock()
	if err := e.log.Sync(); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	end := e.log.End()
	err := writeFile(e.snapshotPath(), func(f *os.File) error {
		w := bufio.NewWriterSize(f, 1<<20)
		sum := sha256.New()
		out := io.MultiWriter(w, sum)
		head := append([]byte(snapshotMagic), e.schema[:]...)
		if _, err := out.Write(appendAddress(head, end)); err != nil {
			return err
		}
		if err := e.state.Snapshot(out); err != nil {
			return err
		}
		for _, l := range e.ledgers() {
			if err := l.snapshot(out); err != nil {
				return err
			}
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

func (e *Engine) ledgers() [4]*ledger {
	return [4]*ledger{e.attempts, e.feedback, e.events, e.joins}
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
	at, err := e.readSnapshot(f)
	if err == nil && e.log.End().Less(at) {
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

func (e *Engine) readSnapshot(f *os.File) (at journal.Address, err error) {
	info, err := f.Stat()
	if err != nil {
		return at, err
	}
	if err := checkSum(f, info.Size()); err != nil {
		return at, err
	}
	src := bufio.NewReaderSize(io.LimitReader(f, info.Size()-sha256.Size), 1<<20)
	head := make([]byte, len(snapshotMagic)+8+8)
	if _, err := io.ReadFull(src, head); err != nil {
		return at, err
	}
	r := reader{b: head}
	if string(r.take(len(snapshotMagic))) != snapshotMagic || [8]byte(r.take(8)) != e.schema {
		return at, errors.New("it is of another version or schema")
	}
	at = r.address()
	if err := e.state.Restore(src); err != nil {
		return at, err
	}
	for _, l := range e.ledgers() {
		if err := l.restore(src); err != nil {
			return at, err
		}
	}
	return at, nil
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
