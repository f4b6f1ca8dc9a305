package ceremony

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/waryauth/wary/internal/store"
)

// Of the accounts that were last in force the store keeps, of each, a stamp that tells
// nothing of the password but whether it is another. So a change is noticed that was made
// while no node ran.
const (
	settledKey   = "accounts" // how many pieces there are
	settledPiece = 124 << 10  // bytes of one, at most
)

// stamps returns the stamp of each subject. It is another when what was granted before
// must end: the password is another, or the account is disabled.
func (a *Accounts) stamps() map[string]string {
	all := make(map[string]string, len(a.bySubject))
	for subject, known := range a.bySubject {
		all[subject] = known.stamp()[:11] // 66 bits: nobody chooses it
		if known.disabled {
			all[subject] += "-"
		}
	}
	return all
}

// changed returns the subjects whose stamp changed for the worse: they are gone, newly
// disabled, or have another password.
func changed(before, now map[string]string) (subjects []string) {
	for subject, stamp := range before {
		if next, there := now[subject]; !there || next != stamp && next+"-" != stamp {
			subjects = append(subjects, subject)
		}
	}
	slices.Sort(subjects)
	return subjects
}

// Settle compares the accounts in force with those of before, in this process, an
// earlier one or another node, has end called for every subject whose tokens must end
// (RFC 9700, section 4.14.2), and remembers the accounts in force. Where end fails, or the
// store, it is all to do again.
func (s *Server) Settle(ctx context.Context, end func(subject string) error) (err error) {
	for range settleTries {
		if err = s.settle(ctx, end); !errors.Is(err, store.ErrConflict) {
			break
		}
	}
	return err
}

// settleTries is how often other nodes may be faster.
const settleTries = 8

// settle is one try of Settle; ErrConflict says that another node settled meanwhile.
func (s *Server) settle(ctx context.Context, end func(subject string) error) error {
	now := s.accounts.Load().stamps()
	held, before, err := s.settled(ctx)
	if err != nil {
		return fmt.Errorf("read the accounts that were in force: %w", err)
	}
	for _, subject := range changed(before, now) {
		if err := end(subject); err != nil {
			return fmt.Errorf("end what an account granted: %w", err)
		}
	}
	if maps.Equal(before, now) {
		return nil
	}
	changes := []store.Change{{Key: settledKey, Prev: held[0].Data, Next: []byte{'0'}, Deadline: store.Forever}}
	pieces := piecesOf(now)
	for i := range max(len(pieces), len(held)-1) {
		c := store.Change{Key: pieceKey(i), Deadline: store.Forever}
		if i < len(held)-1 {
			c.Prev = held[i+1].Data
		}
		if i < len(pieces) {
			c.Next = pieces[i]
		}
		changes = append(changes, c)
	}
	changes[0].Next = strconv.AppendInt(nil, int64(len(pieces)), 10)
	if err := s.o.Store.Swap(ctx, changes...); err != nil {
		return fmt.Errorf("keep the accounts in force: %w", err)
	}
	return nil
}

func pieceKey(i int) string { return settledKey + ":" + strconv.Itoa(i) }

// settled returns what the store keeps, the count first, and the stamps in it.
func (s *Server) settled(ctx context.Context) (held []store.Value, stamps map[string]string, err error) {
	if held, err = s.o.Store.Get(ctx, settledKey); err != nil {
		return nil, nil, err
	}
	count, _ := strconv.Atoi(string(held[0].Data)) // of nothing, none
	keys := []string{settledKey}
	for i := range count {
		keys = append(keys, pieceKey(i))
	}
	if held, err = s.o.Store.Get(ctx, keys...); err != nil {
		return nil, nil, err
	}
	stamps = map[string]string{}
	for _, piece := range held[1:] {
		for line := range bytes.Lines(piece.Data) {
			subject, stamp, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
			stamps[subject] = stamp
		}
	}
	return held, stamps, nil
}

// piecesOf returns the stamps in pieces that the store takes.
func piecesOf(stamps map[string]string) (pieces [][]byte) {
	var piece []byte
	for _, subject := range slices.Sorted(maps.Keys(stamps)) {
		piece = append(append(append(append(piece, subject...), ' '), stamps[subject]...), '\n')
		if len(piece) > settledPiece {
			pieces, piece = append(pieces, piece), nil
		}
	}
	if piece != nil {
		pieces = append(pieces, piece)
	}
	return pieces
}
