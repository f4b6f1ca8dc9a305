package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"
	"unsafe"

	"github.com/ebitengine/purego"
)

// peers are the loops in C that scripts/peers.sh makes, around LightGBM and what
// it made of the models.
type peers struct {
	dir  string
	open func(kind, library, model string, x unsafe.Pointer, rows, features int32) uintptr
	fail func() string
	run  func(peer uintptr, first, n int64, out unsafe.Pointer) int64
	cold func(peer uintptr, row int64, memory unsafe.Pointer, words int64, out unsafe.Pointer) int64
}

// openPeers opens what is in the folder.
func openPeers(dir string) (*peers, error) {
	path, err := filepath.Abs(filepath.Join(dir, "libpeers.so"))
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("%w (scripts/peers.sh makes it)", err)
	}
	library, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, err
	}
	p := &peers{dir: filepath.Dir(path)}
	for name, function := range map[string]any{"peers_open": &p.open, "peers_error": &p.fail, "peers_run": &p.run, "peers_cold": &p.cold} {
		address, err := purego.Dlsym(library, name)
		if err != nil {
			return nil, err
		}
		purego.RegisterFunc(function, address)
	}
	return p, nil
}

// compiled are the peers that make machine code of a model.
func compiled() []string { return []string{"lleaves", "tl2cgen", "tl2cgen_quantized"} }

// ways returns the peers that are made for a trial. The error says which are not
// here, and why; the others are returned all the same.
func (p *peers) ways(t *trial, lightgbm string) ([]*way, error) {
	made := func(end string) string { return filepath.Join(p.dir, t.name+end) }
	lightgbm, failed := filepath.Abs(lightgbm)
	var ways []*way
	for _, x := range []struct{ name, kind, library, model string }{
		{"lightgbm_c_loop", "lightgbm", lightgbm, made(".txt")},
		{"lleaves", "lleaves", made(".lleaves.so"), ""},
		{"tl2cgen", "tl2cgen", made(".tl2cgen.so"), ""},
		{"tl2cgen_quantized", "tl2cgen", made(".tl2cgen-q.so"), ""},
		{"onnxruntime", "onnxruntime", filepath.Join(p.dir, "libonnxruntime.so"), made(".onnx")},
	} {
		peer := p.open(x.kind, x.library, x.model, unsafe.Pointer(&t.x[0]), int32(len(t.raw)), int32(t.features))
		if peer == 0 {
			failed = errors.Join(failed, fmt.Errorf("%s: %s", x.name, filepath.Base(p.fail())))
			continue
		}
		ways = append(ways, p.way(x.name, peer, t))
	}
	return ways, failed
}

// way keeps the trial, since the peer reads its rows.
func (p *peers) way(name string, peer uintptr, t *trial) *way {
	return &way{
		name: name,
		run: func(first int, out []float64) time.Duration {
			defer runtime.KeepAlive(t)
			return time.Duration(p.run(peer, int64(first), int64(len(out)), unsafe.Pointer(&out[0])))
		},
		cold: func(row int, memory []uint64, out []float64) time.Duration {
			return time.Duration(p.cold(peer, int64(row), unsafe.Pointer(&memory[0]), int64(len(memory)), unsafe.Pointer(&out[0])))
		},
	}
}
