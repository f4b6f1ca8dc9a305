// Package models answers: how likely is it fraud?
//
// [Load] reads a LightGBM text model and its [Card], refuses what it does not
// fully understand, and proves the result against an independent implementation
// on thousands of rows before it hands it out. [Model.Predict] turns a
// features.Vector into a [Prediction]: a calibrated probability, and what each
// family of features added to it. [Model.Explain] names the features.
//
// A Model is immutable and safe for concurrent use. Prediction allocates nothing
// and is bit for bit LightGBM's own score. A [Registry] is a folder of models that
// names which of them serve.
package models

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/waryauth/wary/features"
)

// Model is a verified ensemble with its card.
type Model struct {
	card    Card
	digest  string
	sigmoid float64
	rounds  float64 // what divides Raw before the sigmoid
	forest  *forest

	text, cardText []byte // as read: Save writes them again
}

// Load reads a model: text as LightGBM saves it (versions v2, v3, v4; boosting gbdt,
// dart, goss or rf; objective binary or cross_entropy, for others score no
// probability; no linear tree) and its card as JSON. The card's schema and the
// text's feature names must be those of features.Schema. A text that is refused
// gives a *ParseError with the line.
//
// Before it returns, Load has the same text read by github.com/dmitryikh/leaves
// and compares 4,096 rows bit by bit, for every kernel and the plain walk.
// What LightGBM can grow and Load refuses, [Inspect] may read.
func Load(text, card []byte) (*Model, error) { return load(text, card, oracleRows) }

// load compares so many rows.
func load(text, card []byte, rows int) (*Model, error) {
	c, err := ParseCard(card)
	if err != nil {
		return nil, err
	}
	if want := features.Digest(); c.Schema != want {
		return nil, fmt.Errorf("load model: trained on schema %.80q, this program's is %q", c.Schema, want)
	}
	e, err := parse(text)
	if err != nil {
		return nil, err
	}
	names, family := schema()
	if err := e.fits(names); err != nil {
		return nil, err
	}
	f := newForest(e, family)
	if err := f.verify(text, e, rows); err != nil {
		return nil, err
	}
	return &Model{card: c, digest: digest(text, card), sigmoid: e.sigmoid, rounds: e.rounds(), forest: f, text: bytes.Clone(text), cardText: bytes.Clone(card)}, nil
}

// schema returns name and family of every feature.
func schema() (names []string, family []uint8) {
	for _, f := range features.Schema {
		names, family = append(names, f.Name), append(family, uint8(f.Family))
	}
	return names, family
}

// fits demands what the engine needs: the features by name, and a log-odds.
func (e *ensemble) fits(names []string) error {
	if err := e.checkNames(names); err != nil {
		return err
	}
	if e.sigmoid == 0 {
		return &ParseError{e.objectiveLine, fmt.Sprintf("objective %s gives no probability: the engine decides by one, so it takes binary and cross_entropy", quote(e.objective))}
	}
	return nil
}

// checkNames demands the features by name and order.
func (e *ensemble) checkNames(want []string) error {
	for i := range max(len(want), len(e.names)) {
		got, name := "missing", "none"
		switch {
		case i < len(want) && i < len(e.names) && want[i] == e.names[i]:
			continue
		case i < len(want) && i < len(e.names):
			got, name = quote(e.names[i]), quote(want[i])
		case i < len(want):
			name = quote(want[i])
		default:
			got = quote(e.names[i])
		}
		return &ParseError{e.nameLine, fmt.Sprintf("feature_names: feature %d is %s, the schema has %s", i, got, name)}
	}
	return nil
}

// verify compares every way of walking, and the predictions that serve, with leaves.
func (f *forest) verify(text []byte, e *ensemble, rows int) error {
	o, err := newOracle(text, e)
	if err != nil {
		return err
	}
	return o.check(e, rows, append(f.walks(), f.as("prediction"), f.asPairs("prediction of two rows"))...)
}

// digest is SHA-256 over both files, each after its length, so that no byte can
// move from one to the other.
func digest(text, card []byte) string {
	h := sha256.New()
	var n [8]byte
	for _, b := range [...][]byte{text, card} {
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// Predict fills p, but for Top, with what the model says of v. It allocates nothing
// after the first time, and on a processor with vectors not even then (but for a
// model of more than 384 trees).
func (m *Model) Predict(p *Prediction, v *features.Vector) {
	m.forest.predict(p, v[:])
	m.calibrate(p)
}

func (m *Model) calibrate(p *Prediction) {
	p.Probability, p.LogOdds = m.card.Calibration.probability(m.sigmoid * (p.Raw / m.rounds))
}

// Explain fills p.Top. p must come from this model's Predict; after another
// model's, Top says NoFeature throughout. It takes about as long as Predict: ask
// where reasons are told.
func (m *Model) Explain(p *Prediction) {
	var moved [features.Width]int32
	m.forest.explain(p, moved[:])
}

// Kernel names what scores on this processor: "avx512", "avx2", "go" or "plain". All
// give the same bits.
func (m *Model) Kernel() string { return m.forest.kernels[0].name() }

// Digest names text and card together: "sha256:<hex>".
func (m *Model) Digest() string { return m.digest }

// Version is the card's.
func (m *Model) Version() string { return m.card.Version }

// Card returns what the model says of itself. Its lists and map are the model's
// own: read only.
func (m *Model) Card() Card { return m.card }

// Trees returns the number of trees.
func (m *Model) Trees() int { return len(m.forest.plain.trees) }
