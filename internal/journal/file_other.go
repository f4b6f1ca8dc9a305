//go:build !linux

package journal

import "os"

func openFile(path string, flag int, _ int64) (file, error) { return os.OpenFile(path, flag, 0o600) }
