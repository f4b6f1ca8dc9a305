package models

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Names of the files of a model's folder.
const (
	TextFile = "model.txt"
	GzipFile = "model.txt.gz"
	CardFile = "card.json"
)

// LoadDir loads the model in a folder: card.json beside either model.txt or
// model.txt.gz. The digest is that of the text before compression.
func LoadDir(dir string) (*Model, error) {
	text, card, err := readDir(dir)
	if err != nil {
		return nil, fmt.Errorf("load model: %w", err)
	}
	return Load(text, card)
}

// readDir reads the two files of a model's folder.
func readDir(dir string) (text, card []byte, err error) {
	if card, err = readFile(filepath.Join(dir, CardFile), maxCardBytes); err != nil {
		return nil, nil, err
	}
	text, err = readFile(filepath.Join(dir, TextFile), MaxTextBytes)
	packed, packedErr := readFile(filepath.Join(dir, GzipFile), MaxTextBytes)
	switch {
	case err == nil && packedErr == nil:
		return nil, nil, fmt.Errorf("%s holds both %s and %s", dir, TextFile, GzipFile)
	case err == nil && errors.Is(packedErr, fs.ErrNotExist):
		return text, card, nil
	case packedErr == nil && errors.Is(err, fs.ErrNotExist):
		if text, err = unpack(packed); err != nil {
			return nil, nil, fmt.Errorf("unpack %s: %w", GzipFile, err)
		}
		return text, card, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, nil, err
	case !errors.Is(packedErr, fs.ErrNotExist):
		return nil, nil, packedErr
	default:
		return nil, nil, fmt.Errorf("%s holds neither %s nor %s: %w", dir, TextFile, GzipFile, fs.ErrNotExist)
	}
}

// readFile reads a file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f, path, limit)
}

func unpack(b []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return readAll(z, "the text", MaxTextBytes)
}

func readAll(r io.Reader, name string, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, limit)
	}
	return b, nil
}
