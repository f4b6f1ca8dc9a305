package engine

import (
	"errors"

	"github.com/waryauth/wary/internal/journal"
)

// ID names a decision: by its place in the log of its node.
type ID = journal.ID

// ErrID is the error of a text that is no decision's id.
var ErrID = errors.New("no such decision")

// ParseAddress returns the id of a text, or ErrID. Its tag is not checked, which
// takes the secret of the daemon: for those who hold the log itself.
func ParseAddress(text string) (ID, error) {
	id, err := journal.ParseID(text)
	if err != nil {
		return ID{}, ErrID
	}
	return id, nil
}
