package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/waryauth/wary/features/history"
	"github.com/waryauth/wary/internal/journal"
)

// A snapshot is: magic, the schema mark, the origin (the node, the log's address that
// state goes up to, and up to where in other nodes' logs), state, the four ledgers, the
// address that nothing of them goes beyond, and the SHA-256 of all before.
//
// State is as it was at the first address: it is the fold of the log up to there,
// and no fact is folded twice. The ledgers may know of facts beyond, up to the
// second: what is put in a ledger again is there once.
const snapshotMagic = "WARYSNAP\x03"

// SeedFile is another node's snapshot in the data folder of a new one, whose memory
// begins with that: its state, and not its ledgers, which lead into its log.
const SeedFile = "seed.snapshot"

// Origin is which facts a snapshot's state was made of.
type Origin struct {
	Node   uint16          // whose snapshot it is
	At     journal.Address // up to where in its log
	Others []byte          // what [Engine.Others] wrote of the other nodes
}

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
	of, state := e.freeze()
	defer state.Close()
	err := journal.WriteSummed(e.snapshotPath(), func(w io.Writer) error { return e.writeSnapshot(w, of, state) })
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	e.log.Pin(of.At)
	slog.Debug("snapshot", "seconds", time.Since(started).Seconds())
	return nil
}

// freeze takes an image of state at an address between two facts.
func (e *Engine) freeze() (Origin, *history.Image) {
	e.pause.Lock()
	defer e.pause.Unlock()
	if e.others != nil {
		e.origin.Others = e.others()
	}
	return Origin{e.o.Node, e.log.End(), e.origin.Others}, e.state.Freeze()
}

func (e *Engine) writeSnapshot(w io.Writer, of Origin, state *history.Image) error {
	head := append([]byte(snapshotMagic), e.schema[:]...)
	head = appendAddress(binary.LittleEndian.AppendUint16(head, of.Node), of.At)
	head = binary.LittleEndian.AppendUint32(head, uint32(len(of.Others)))
	if _, err := w.Write(append(head, of.Others...)); err != nil {
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
	at, reach, err := e.readSnapshot(e.snapshotPath())
	if errors.Is(err, fs.ErrNotExist) {
		return journal.Address{}, e.readSeed()
	}
	if errors.As(err, new(*fs.PathError)) {
		return journal.Address{}, err // it may be good: it cannot be read
	}
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
		return journal.Address{}, e.readSeed()
	}
	return at, nil
}

// readSeed begins memory with another node's snapshot, where there is one.
func (e *Engine) readSeed() error {
	_, _, err := e.readSnapshot(filepath.Join(e.dir, SeedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && e.origin.Node == e.o.Node {
		err = errors.New(SeedFile + " is of this very node")
	}
	if err != nil {
		return err
	}
	e.newLedgers()
	return nil
}

func (e *Engine) readSnapshot(path string) (at, reach journal.Address, err error) {
	src, err := journal.OpenSummed(path)
	if err != nil {
		return at, reach, err
	}
	defer src.Close()
	head := make([]byte, len(snapshotMagic)+8+2+8+4)
	if _, err := io.ReadFull(src, head); err != nil {
		return at, reach, err
	}
	r := reader{b: head}
	if string(r.take(len(snapshotMagic))) != snapshotMagic || [8]byte(r.take(8)) != e.schema {
		return at, reach, errors.New("it is of another version or schema")
	}
	e.origin = Origin{Node: r.u16(), At: r.address()}
	if at, e.origin.Others = e.origin.At, make([]byte, min(int64(r.u32()), src.Size)); len(e.origin.Others) > 0 {
		if _, err := io.ReadFull(src, e.origin.Others); err != nil {
			return at, reach, err
		}
	}
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
