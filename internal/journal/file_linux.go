package journal

import (
	"io"
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// pageCacheFile writes without telling the scheduler. A record goes to the page
// cache in about 4 us, under the log's lock; an ordinary system call of more than
// 20 us gives the processor away, and whoever holds the lock then waits for one
// while everyone else waits for the lock.
type pageCacheFile struct {
	*os.File
	fd uintptr
}

func openFile(path string, flag int) (file, error) {
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return &pageCacheFile{f, f.Fd()}, nil
}

// WriteAt writes b at an offset; a short write is io.ErrShortWrite.
func (f *pageCacheFile) WriteAt(b []byte, off int64) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_PWRITE64, f.fd, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), uintptr(off), 0, 0)
		runtime.KeepAlive(f)
		switch {
		case errno == syscall.EINTR:
		case errno != 0:
			return 0, &os.PathError{Op: "pwrite", Path: f.Name(), Err: errno}
		case int(n) < len(b):
			return int(n), io.ErrShortWrite
		default:
			return int(n), nil
		}
	}
}
