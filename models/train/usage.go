package train

import (
	"bytes"
	"fmt"
	"iter"
	"math"
	"strconv"
	"strings"

	"github.com/waryauth/wary/features"
)

// MissingShares returns models.Card's Missing of rows: in which share of them a feature is
// missing, by name and to four decimals. One that is never missing is left out.
func MissingShares(rows iter.Seq[*features.Vector]) map[string]float64 {
	var missing [features.Width]int
	n := 0
	for v := range rows {
		n++
		for i, x := range v {
			if x != x {
				missing[i]++
			}
		}
	}
	out := map[string]float64{}
	for i, m := range missing {
		if m > 0 {
			out[features.Schema[i].Name] = rounded(float64(m) / float64(n))
		}
	}
	return out
}

// GainShares returns models.Card's Gain of a LightGBM model's text: a feature's share of the
// loss that all splits of all trees together took away in training, by name and to
// four decimals. A feature in no tree is left out.
func GainShares(text []byte) (map[string]float64, error) {
	var names, splits []string
	gains, total := map[string]float64{}, 0.0
	for line := range bytes.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(string(line)), "=")
		switch key {
		case "feature_names":
			names = strings.Fields(value)
		case "split_feature":
			splits = strings.Fields(value)
		case "split_gain":
			of := strings.Fields(value)
			if len(of) != len(splits) {
				return nil, fmt.Errorf("%d gains of %d splits", len(of), len(splits))
			}
			for i, s := range splits {
				column, err := strconv.Atoi(s)
				if err != nil || column < 0 || column >= len(names) {
					return nil, fmt.Errorf("split by column %.40q of %d", s, len(names))
				}
				gain, err := strconv.ParseFloat(of[i], 64)
				if err != nil || !(gain >= 0) {
					return nil, fmt.Errorf("gain %.40q", of[i])
				}
				gains[names[column]] += gain
				total += gain
			}
		}
	}
	for name := range gains {
		gains[name] = rounded(gains[name] / max(total, math.SmallestNonzeroFloat64))
	}
	return gains, nil
}

func rounded(share float64) float64 { return math.Round(share*1e4) / 1e4 }
