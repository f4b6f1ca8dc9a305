package scopes

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/waryauth/wary/signals"
)

// Ordered returns the amount that a payment initiation asks for (RFC 9396, section
// 2.2, as open banking writes it), and its currency; of several the first.
func Ordered(details []Detail) (value signals.Opt[float64], currency string) {
	for _, d := range details {
		var p struct {
			Instructed struct {
				Amount   string `json:"amount"`
				Currency string `json:"currency"`
			} `json:"instructedAmount"`
		}
		if json.Unmarshal(d.Raw, &p) != nil || len(p.Instructed.Currency) != 3 {
			continue
		}
		if v, err := strconv.ParseFloat(p.Instructed.Amount, 64); err == nil && v >= 0 && v < 1e15 {
			return signals.Some(v), p.Instructed.Currency
		}
	}
	return signals.Opt[float64]{}, ""
}

// Among returns what of asked stands in allowed, in asked's order.
func Among(asked, allowed []string) []string {
	var out []string
	for _, s := range asked {
		if slices.Contains(allowed, s) {
			out = append(out, s)
		}
	}
	return out
}

// AmongDetails returns the details of asked that stand, byte for byte, in allowed.
func AmongDetails(asked, allowed []Detail) []Detail {
	var out []Detail
	for _, d := range asked {
		if slices.ContainsFunc(allowed, func(a Detail) bool { return a.Type == d.Type && bytes.Equal(a.Raw, d.Raw) }) {
			out = append(out, d)
		}
	}
	return out
}
