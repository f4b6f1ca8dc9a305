package models

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Entry is one model of a registry, as its files tell. It has not been loaded: only
// its digest, its card and its signature were looked at.
type Entry struct {
	Digest string
	Role   string // "champion", "challenger" or ""
	Card   Card
	Signer string // the public key, or ""
	Err    error  // why it cannot serve, as far as was looked
}

// Roles of an Entry.
const (
	ChampionRole   = "champion"
	ChallengerRole = "challenger"
)

// List returns the models of the registry: those that serve first, then the newest.
// The registry's own model is among them, since it always can serve.
func (r *Registry) List() ([]Entry, error) {
	names, err := r.named()
	if err != nil {
		return nil, err
	}
	if names.Champion == "" && r.own != nil {
		names.Champion = r.own.Digest()
	}
	digests, err := r.digests()
	if err != nil {
		return nil, err
	}
	for _, d := range [...]string{names.Champion, names.Challenger} {
		if d != "" && !slices.Contains(digests, d) { // named, and not there
			digests = append(digests, d)
		}
	}
	var out []Entry
	for _, d := range digests {
		e := r.entry(d)
		switch d {
		case names.Champion:
			e.Role = ChampionRole
		case names.Challenger:
			e.Role = ChallengerRole
		}
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(rank(a.Role), rank(b.Role)), b.Card.Created.Compare(a.Card.Created), cmp.Compare(a.Digest, b.Digest))
	})
	return out, nil
}

func rank(role string) int {
	return slices.Index([]string{ChampionRole, ChallengerRole, ""}, role)
}

// digests lists what lies in the folder, and the registry's own model.
func (r *Registry) digests() ([]string, error) {
	var out []string
	if r.own != nil {
		out = append(out, r.own.Digest())
	}
	files, err := os.ReadDir(r.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, f := range files {
		if d := digestPrefix + f.Name(); isDigest(d) && !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	return out, nil
}

func (r *Registry) entry(want string) Entry {
	e := Entry{Digest: want}
	if r.own != nil && want == r.own.Digest() {
		e.Card = r.own.Card()
		return e
	}
	dir := r.Folder(want)
	text, card, err := readDir(dir)
	if err == nil && digest(text, card) != want {
		err = errors.New("its files are not what its name says")
	}
	if err == nil {
		e.Card, err = ParseCard(card)
	}
	if err == nil {
		err = trust(dir, want, r.keys)
	}
	if k, unsigned := signerOf(dir, want); unsigned == nil {
		e.Signer = k.String()
	}
	e.Err = err
	return e
}

// minPrefix is how many digits of a digest name a model at least.
const minPrefix = 6

// Find returns the digest of the one model that a text names: its digest or the
// first digits of it.
func (r *Registry) Find(text string) (string, error) {
	digits := strings.TrimPrefix(text, digestPrefix)
	if len(digits) < minPrefix || strings.Trim(digits, "0123456789abcdef") != "" {
		return "", fmt.Errorf("%.80q is no model: at least %d digits of its digest name one", text, minPrefix)
	}
	all, err := r.digests()
	if err != nil {
		return "", err
	}
	all = slices.DeleteFunc(all, func(d string) bool { return !strings.HasPrefix(d, digestPrefix+digits) })
	switch len(all) {
	case 0:
		return "", fmt.Errorf("no model in %s begins with %s", r.dir, digits)
	case 1:
		return all[0], nil
	}
	return "", fmt.Errorf("%d models in %s begin with %s", len(all), r.dir, digits)
}

// LoadDir loads the model of any folder, trusted as one of the registry's.
func (r *Registry) LoadDir(dir string) (*Model, error) { return LoadTrusted(dir, r.keys) }

// Add brings the model of another folder into the registry, with its signature if
// it has one, once it has been loaded and is trusted.
func (r *Registry) Add(dir string) (*Model, error) {
	m, err := r.LoadDir(dir)
	if err != nil {
		return nil, err
	}
	_, unsigned := signerOf(dir, m.Digest())
	if unsigned != nil && !errors.Is(unsigned, ErrUnsigned) {
		return nil, unsigned
	}
	if err := m.Save(r.dir); err != nil {
		return nil, err
	}
	folder := r.Folder(m.Digest()) // what is there already stays: it may be damaged
	if text, card, err := readDir(folder); err != nil || digest(text, card) != m.Digest() {
		return nil, fmt.Errorf("%s is there already and is not that model: remove it", folder)
	}
	if unsigned != nil {
		return m, nil
	}
	text, err := readFile(filepath.Join(dir, SignatureFile), maxSmallBytes)
	if err != nil {
		return nil, err
	}
	return m, replaceFile(filepath.Join(folder, SignatureFile), text)
}
