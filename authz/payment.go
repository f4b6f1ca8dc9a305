package authz

import (
	"encoding/json"
	"strconv"

	"github.com/waryauth/wary/signals"
)

// amount returns the amount that a payment initiation asks for (RFC 9396, section
// 2.2, as open banking writes it), and its currency; of several the first.
func amount(details []Detail) (value signals.Opt[float64], currency string) {
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
