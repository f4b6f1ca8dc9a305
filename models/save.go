package models

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// Save keeps the model in a folder of its own below dir, named by the digits of its
// digest, where LoadDir finds it: whole or not at all. What is there already stays.
func (m *Model) Save(dir string) error {
	final := filepath.Join(dir, strings.TrimPrefix(m.digest, "sha256:"))
	if _, err := os.Stat(final); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(dir, "new.*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err = z.Write(m.text)
	err = errors.Join(err, z.Close(),
		writeSynced(filepath.Join(tmp, GzipFile), packed.Bytes()),
		writeSynced(filepath.Join(tmp, CardFile), m.cardText))
	if err != nil {
		return err
	}
	return os.Rename(tmp, final)
}

// writeSynced writes a file that is on disk when it returns: of a folder that was
// renamed into its place, a loss of power leaves no half.
func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}
