package scoreapi

import (
	"os"
	"path/filepath"
)

// contractSample is an attempt with every field of the contract.
func contractSample() ([]byte, error) { return os.ReadFile(filepath.Join("testdata", "attempt.json")) }
