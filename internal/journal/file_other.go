//go:build !linux

package journal

import "os"

func openFile(path string, flag int) (file, error) { return os.OpenFile(path, flag, 0o600) }
