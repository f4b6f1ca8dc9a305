package models

import (
	_ "embed"
	"fmt"
)

// The baseline: trained on simulated people, so that a daemon scores sensibly the
// moment it starts. Its card says exactly how it was made.
var (
	//go:embed baseline/model.txt.gz
	baselineText []byte
	//go:embed baseline/card.json
	baselineCard []byte
)

// Baseline loads the embedded model.
func Baseline() (*Model, error) {
	text, err := unpack(baselineText)
	if err != nil {
		return nil, fmt.Errorf("embedded model: %w", err)
	}
	m, err := Load(text, baselineCard)
	if err != nil {
		return nil, fmt.Errorf("embedded model: %w", err)
	}
	return m, nil
}
