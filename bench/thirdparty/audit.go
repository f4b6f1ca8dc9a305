package thirdparty

import (
	"encoding/json"
	"fmt"
	"io"
)

// mostSteps is more than the decisions that led to one token.
const mostSteps = 12

// Audit writes the decisions that led to one, the last first. get returns the receipt of
// an id, as the score API does.
func Audit(w io.Writer, id string, get func(id string) ([]byte, error)) error {
	for n := 0; id != "" && n < mostSteps; n++ {
		text, err := get(id)
		if err != nil {
			return err
		}
		var r struct {
			Action   string `json:"action"`
			Decision string `json:"decision"`
			Risk     struct {
				Probability float64 `json:"probability"`
			} `json:"risk"`
			Previous string `json:"previous_decision_id"`
		}
		if err := json.Unmarshal(text, &r); err != nil {
			return err
		}
		fmt.Fprintf(w, "  %s  %-10s %-8s p = %.4f\n", id, r.Action, r.Decision, r.Risk.Probability)
		id = r.Previous
	}
	return nil
}
