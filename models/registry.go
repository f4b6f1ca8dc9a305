package models

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Serving are the models that score. The champion decides; the answer of the
// challenger, nil where there is none, is only recorded. By is who had it so, where
// that is known.
type Serving struct {
	Champion, Challenger *Model
	By                   string
}

// Registry is a folder of models that names which of them serve. Each lies in a
// folder of its own, named by the digits of its digest; [ServingFile] names the
// champion and at most one challenger. What is read from it is loaded and proven
// anew, and where there are keys, signed by one of them; what serves meanwhile is
// for its caller to keep. It is safe for concurrent use.
type Registry struct {
	dir  string
	keys []PublicKey
	own  *Model

	mu      sync.Mutex
	found   bool // the serving file has been there
	refused map[string]refusal
}

// refusal remembers why a model was refused, so that it is not loaded again until
// its files change.
type refusal struct {
	files string
	err   error
}

// NewRegistry returns the registry in a folder, which need not exist yet. keys are
// those whose signature is trusted; without any, no signature is asked for. own is
// the model that serves where the file names no champion: it is never read from the
// folder, and is trusted as the caller trusts it.
func NewRegistry(dir string, keys []PublicKey, own *Model) *Registry {
	return &Registry{dir: dir, keys: keys, own: own, refused: map[string]refusal{}}
}

// Dir returns the registry's folder.
func (r *Registry) Dir() string { return r.dir }

// Folder returns the folder of a model, whether or not it is there.
func (r *Registry) Folder(digest string) string {
	return filepath.Join(r.dir, strings.TrimPrefix(digest, digestPrefix))
}

// Model loads a model by its digest and proves it: files that have this digest, a
// trusted signature where there are keys, and all that Load demands.
func (r *Registry) Model(digest string) (*Model, error) {
	if !isDigest(digest) {
		return nil, fmt.Errorf("load model: %.80q is no digest", digest)
	}
	if r.own != nil && digest == r.own.Digest() {
		return r.own, nil
	}
	return loadTrusted(r.Folder(digest), digest, r.keys)
}

// Read returns the models that the serving file names. What serves now is taken over
// where it is still named, so that a promotion loads nothing. A model that is
// refused is in err, with its role and why, and the role keeps what it has now; so
// it is with a file that is wrong, or gone once it was there. A refused model is
// loaded again when its files have changed; until then it stays in err.
func (r *Registry) Read(now Serving) (Serving, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	names, err := r.Names()
	switch {
	case errors.Is(err, fs.ErrNotExist) && !r.found:
		names = Names{}
	case err != nil:
		return now, fmt.Errorf("read registry: %w", err)
	default:
		r.found = true
	}
	was := r.refused
	r.refused = map[string]refusal{}
	next := now
	next.By = names.By
	var failed [2]error
	if names.Champion == "" {
		next.Champion = r.own
	} else if m, err := r.take(names.Champion, now, was); err != nil {
		failed[0] = fmt.Errorf("champion %s refused: %w", names.Champion, err)
	} else {
		next.Champion = m
	}
	if names.Challenger == "" {
		next.Challenger = nil
	} else if m, err := r.take(names.Challenger, now, was); err != nil {
		failed[1] = fmt.Errorf("challenger %s refused: %w", names.Challenger, err)
	} else {
		next.Challenger = m
	}
	if next.Champion != nil && next.Challenger != nil && next.Champion.Digest() == next.Challenger.Digest() {
		next.Challenger = nil
	}
	if next.Champion == now.Champion && next.Challenger == now.Challenger {
		next.By = now.By // nobody has changed anything
	}
	return next, errors.Join(failed[:]...)
}

// take returns a model by its digest: one that serves, or one from the folder.
func (r *Registry) take(digest string, now Serving, was map[string]refusal) (*Model, error) {
	for _, m := range [...]*Model{now.Champion, now.Challenger} {
		if m != nil && m.Digest() == digest {
			return m, nil
		}
	}
	files := r.files(digest)
	if old, ok := was[digest]; ok && old.files == files {
		r.refused[digest] = old
		return nil, old.err
	}
	m, err := r.Model(digest)
	if err != nil {
		r.refused[digest] = refusal{files, err}
	}
	return m, err
}

// files tells a state of a model's folder from another: names, sizes and times.
func (r *Registry) files(digest string) string {
	var b strings.Builder
	for _, name := range [...]string{TextFile, GzipFile, CardFile, SignatureFile} {
		if s, err := os.Stat(filepath.Join(r.Folder(digest), name)); err == nil {
			fmt.Fprintf(&b, "%s %d %d\n", name, s.Size(), s.ModTime().UnixNano())
		}
	}
	return b.String()
}
