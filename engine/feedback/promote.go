package feedback

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/waryauth/wary/models"
)

// Promote makes a model of the registry the champion, "" the registry's own, and says
// who had it so. A challenger that is promoted, is challenger no more. It returns the
// names as they are now: Before is whom Rollback brings back. A daemon takes the
// change up within seconds and writes it to its log: who, from, to.
func Promote(r *models.Registry, digest, by string) (models.Names, error) {
	n, err := servedBy(r)
	if err != nil {
		return n, err
	}
	if n.Champion == digest {
		return n, nil
	}
	n.Before, n.Champion, n.By = n.Champion, digest, by
	if n.Challenger == digest {
		n.Challenger = ""
	}
	return n, r.Name(n)
}

// Rollback makes the champion of before the champion again. Once more, and it is
// undone.
func Rollback(r *models.Registry, by string) (models.Names, error) {
	n, err := servedBy(r)
	if err != nil {
		return n, err
	}
	if n.Before == n.Champion {
		return n, errors.New("nobody was champion before")
	}
	return Promote(r, n.Before, by)
}

// servedBy returns who serves; where nobody was ever named, nobody.
func servedBy(r *models.Registry) (models.Names, error) {
	n, err := r.Names()
	if errors.Is(err, fs.ErrNotExist) {
		return models.Names{}, nil
	}
	return n, err
}

// Settle acts on the word about a challenger: better, it is promoted; worse or
// harmful, it shadows no more; else it goes on. It reports whether it did anything.
func Settle(r *models.Registry, w *Watch, by string) (done bool, err error) {
	n, err := servedBy(r)
	if err != nil {
		return false, err
	}
	if n.Challenger != w.Challenger {
		return false, fmt.Errorf("the challenger is %q, not %s any more", n.Challenger, w.Challenger)
	}
	switch w.Word {
	case Better:
		_, err = Promote(r, w.Challenger, by)
		return err == nil, err
	case Worse, Harmful, Alike:
		n.Challenger, n.By = "", by
		err = r.Name(n)
		return err == nil, err
	}
	return false, nil
}
