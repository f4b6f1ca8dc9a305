// Package bench answers: how fast is the whole path, beside what one could have instead?
//
// [NewStream] makes requests of simulated people, [OpenEngine] the product and
// [OpenNaive] the build one would write first; a [Caller] sends the same bytes to
// either, and to the bare echo of bench/echo. The benchmarks are this package's
// tests; bench/figures sets them against the goals.
package bench

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/dmitryikh/leaves"
	"github.com/oschwald/geoip2-golang/v2"

	"github.com/waryauth/wary/bench/naive"
	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/engine/scoreapi"
	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/signals"
	"github.com/waryauth/wary/signals/geoip"
)

// OpenEngine opens an engine as the daemon has it by default, with its log in
// dir: the embedded model and policy. A nil locator knows no places.
func OpenEngine(dir string, locator signals.Locator) (*engine.Engine, error) {
	m, err := models.Baseline()
	if err != nil {
		return nil, err
	}
	return engine.Open(dir, engine.Options{Secret: [32]byte{1}, Model: m, Locator: locator})
}

// NewAPI returns the score API of an engine. It logs nothing.
func NewAPI(e *engine.Engine) *scoreapi.Server {
	return scoreapi.New(scoreapi.Options{Engine: e, Log: slog.New(slog.DiscardHandler)})
}

// OpenLocator returns a locator over the files of a folder, or nil where City or
// ASN is not there: then neither Wary nor the naive build knows places.
func OpenLocator(geo string) (signals.Locator, error) {
	files := geoip.Find(geo)
	if files.City == "" || files.ASN == "" {
		return nil, nil
	}
	return geoip.Open(files)
}

// OpenNaive opens the naive build with the same model, the same City and ASN
// files where they are there, and its log in dir. Close what it returns.
func OpenNaive(dir, geo string) (*naive.Server, io.Closer, error) {
	model, err := naiveModel(dir)
	if err != nil {
		return nil, nil, err
	}
	log, err := os.Create(filepath.Join(dir, "decisions.ndjson"))
	if err != nil {
		return nil, nil, err
	}
	open := closers{log}
	files := geoip.Find(geo)
	if files.City == "" || files.ASN == "" {
		return naive.New(nil, nil, model, log), open, nil
	}
	city, err := geoip2.Open(files.City)
	if err != nil {
		return nil, nil, errors.Join(err, open.Close())
	}
	open = append(open, city)
	asn, err := geoip2.Open(files.ASN)
	if err != nil {
		return nil, nil, errors.Join(err, open.Close())
	}
	return naive.New(city, asn, model, log), append(open, asn), nil
}

// naiveModel loads the embedded model with leaves, as a first build would. leaves
// knows the header of v3; what v4 changed is not in what it reads.
func naiveModel(dir string) (*leaves.Ensemble, error) {
	m, err := models.Baseline()
	if err != nil {
		return nil, err
	}
	if err := m.Save(dir); err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(dir, strings.TrimPrefix(m.Digest(), "sha256:"), models.GzipFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	text = bytes.Replace(text, []byte("version=v4"), []byte("version=v3"), 1)
	return leaves.LGEnsembleFromReader(bufio.NewReader(bytes.NewReader(text)), false)
}

type closers []io.Closer

func (c closers) Close() (err error) {
	for _, one := range c {
		err = errors.Join(err, one.Close())
	}
	return err
}
