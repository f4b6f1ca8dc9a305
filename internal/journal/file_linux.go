package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"unsafe"
)

// mappedFile is a segment that is written through a shared mapping of its pages: a
// store there is in the operating system's hands as after write(2), so that it
// survives a kill, and there is no system call. Zeros are written ahead, many at
// once, so that the file has its blocks and its pages before a record comes
// (BenchmarkAppend less BenchmarkSeal: 2.2 us with pwrite, 0.5 us so; decision 009).
//
// Invariants: bytes [0, room) of the file have been written, so that a store there
// never meets a full disk; records are within [0, end), and [end, room) is zeros
// after every whole WriteAt. Close gives the room back; after a kill Open does.
type mappedFile struct {
	*os.File
	fd    uintptr
	pages []byte // as many as the segment may have; nil where it cannot be mapped
	zeros []byte // roomStep of them
	end   int64
	room  int64
}

// roomStep is how many zeros are written at once: about 30 us.
const roomStep = 256 << 10

// openFile opens a segment that will have about size bytes.
func openFile(path string, flag int, size int64) (file, error) {
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, err
	}
	m := &mappedFile{File: f, fd: f.Fd()}
	if m.end, err = f.Seek(0, io.SeekEnd); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	m.room = m.end // written before, as far as Open has not cut it
	// Where it cannot be mapped it is written as any other.
	if m.pages, err = syscall.Mmap(int(m.fd), 0, int(size), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED); err == nil {
		m.zeros = make([]byte, roomStep)
	}
	return m, nil
}

// WriteAt writes all of b at an offset, or says why not and how much it wrote.
func (m *mappedFile) WriteAt(b []byte, off int64) (int, error) {
	end := off + int64(len(b))
	if end > int64(len(m.pages)) {
		n, err := m.write(b, off)
		m.end = max(m.end, off+int64(n))
		m.room = max(m.room, m.end)
		return n, err
	}
	if end > m.room {
		if err := m.makeRoom(end); err != nil {
			return 0, err
		}
	}
	m.end = max(m.end, end)
	if err := store(m.pages[off:end], b); err != nil {
		return 0, &os.PathError{Op: "store", Path: m.Name(), Err: err}
	}
	return len(b), nil
}

// makeRoom writes zeros up to end at least, more where there is space.
func (m *mappedFile) makeRoom(end int64) error {
	for m.room < end {
		n, err := m.write(m.zeros[:min(roomStep-m.room%roomStep, int64(len(m.pages))-m.room)], m.room)
		m.room += int64(n)
		if err != nil && m.room < end {
			return err
		}
	}
	return nil
}

// store copies into mapped pages. A page that the disk cannot give, or that somebody
// has cut off the file, is a fault, which is an error here and not the program's end.
func store(pages, b []byte) (err error) {
	before := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(before)
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("%w: %v", syscall.EIO, fault)
		}
	}()
	copy(pages, b)
	return nil
}

// write writes without telling the scheduler. A record goes to the page cache in a
// few microseconds, under the log's lock; an ordinary system call of more than 20 us
// gives the processor away, and whoever holds the lock then waits for one while
// everyone else waits for the lock (decision 007).
func (m *mappedFile) write(b []byte, off int64) (done int, err error) {
	for done < len(b) {
		rest := b[done:]
		n, _, errno := syscall.RawSyscall6(syscall.SYS_PWRITE64, m.fd, uintptr(unsafe.Pointer(&rest[0])), uintptr(len(rest)), uintptr(off)+uintptr(done), 0, 0)
		runtime.KeepAlive(m)
		switch {
		case errno == syscall.EINTR:
		case errno != 0:
			return done, &os.PathError{Op: "pwrite", Path: m.Name(), Err: errno}
		case n == 0:
			return done, io.ErrShortWrite
		default:
			done += int(n)
		}
	}
	return done, nil
}

// Truncate cuts the file, and with it the room.
func (m *mappedFile) Truncate(size int64) error {
	if err := m.File.Truncate(size); err != nil {
		return err
	}
	m.end, m.room = size, size
	return nil
}

// Close gives back the room and closes the file.
func (m *mappedFile) Close() error {
	err := m.unmap()
	if m.room > m.end {
		err = errors.Join(err, m.File.Truncate(m.end))
	}
	return errors.Join(err, m.File.Close())
}

func (m *mappedFile) unmap() error {
	if m.pages == nil {
		return nil
	}
	pages := m.pages
	m.pages = nil
	return syscall.Munmap(pages)
}
