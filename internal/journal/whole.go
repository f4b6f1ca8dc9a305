package journal

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// WriteFile writes a file beside a log whole or not at all, and its name to disk too.
// What a crash left of an earlier try is written over.
func WriteFile(path string, fill func(*os.File) error) error {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err = fill(f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// WriteSummed is [WriteFile] of what fill writes and its SHA-256: see [OpenSummed].
func WriteSummed(path string, fill func(io.Writer) error) error {
	return WriteFile(path, func(f *os.File) error {
		w := bufio.NewWriterSize(f, 1<<20)
		sum := sha256.New()
		if err := fill(io.MultiWriter(w, sum)); err != nil {
			return err
		}
		if _, err := w.Write(sum.Sum(nil)); err != nil {
			return err
		}
		return w.Flush()
	})
}

// Summed is a file that [WriteSummed] wrote, without its sum. Size is its bytes.
type Summed struct {
	io.Reader
	io.Closer
	Size int64
}

// OpenSummed opens a file that [WriteSummed] wrote. It reads all of it once before, so
// that nothing is made of a damaged one.
func OpenSummed(path string) (*Summed, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	size, err := checkSum(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", filepath.Base(path), err), f.Close())
	}
	return &Summed{bufio.NewReaderSize(io.LimitReader(f, size), 1<<20), f, size}, nil
}

var errSum = errors.New("its checksum is wrong")

// checkSum reads a file to its end and goes back to its beginning.
func checkSum(f *os.File) (size int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if size = info.Size() - sha256.Size; size < 0 {
		return 0, io.ErrUnexpectedEOF
	}
	sum, want := sha256.New(), [sha256.Size]byte{}
	if _, err := io.CopyN(sum, f, size); err != nil {
		return 0, err
	}
	if _, err := io.ReadFull(f, want[:]); err != nil {
		return 0, err
	}
	if [sha256.Size]byte(sum.Sum(nil)) != want {
		return 0, errSum
	}
	_, err = f.Seek(0, io.SeekStart)
	return size, err
}
