package train

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/waryauth/wary/models"
)

// AUC returns the area under the ROC curve: the chance that a random positive
// scores above a random negative, a tie counting as half (Hanley and McNeil
// 1982), each drawn by weight. labels are 0 or 1, both occur; weights nil = 1 for
// all. Only the order of scores matters; NaN among them is an error.
func AUC(scores []float64, labels, weights []float32) (float64, error) {
	if err := checkScored(scores, labels, weights); err != nil {
		return 0, fmt.Errorf("AUC: %w", err)
	}
	var below, positives, pairs float64 // below: weight of the negatives under the group at hand
	for group := range ties(scores) {
		pos, neg := classes(group, labels, weights)
		pairs += pos * (below + neg/2)
		below += neg
		positives += pos
	}
	return pairs / (positives * below), nil
}

// RecallAtFPR returns the share of positives that are caught when no more than
// the share fpr of the negatives is challenged, and the threshold: who scores at
// or above it is challenged. Equal scores are challenged together or not at all,
// so that ties can only lower the recall; when even the highest score is too
// many negatives, the threshold is +Inf and the recall 0. Every row counts as one.
func RecallAtFPR(scores []float64, labels []float32, fpr float64) (recall, threshold float64, err error) {
	if err := checkScored(scores, labels, nil); err != nil {
		return 0, 0, fmt.Errorf("recall at FPR: %w", err)
	}
	if !(fpr >= 0 && fpr <= 1) {
		return 0, 0, fmt.Errorf("recall at FPR: %g is not a share", fpr)
	}
	groups := slices.Collect(ties(scores))
	var positives, negatives float64
	for _, group := range groups {
		pos, neg := classes(group, labels, nil)
		positives, negatives = positives+pos, negatives+neg
	}
	var caught, challenged float64
	threshold = math.Inf(1)
	for _, group := range slices.Backward(groups) {
		pos, neg := classes(group, labels, nil)
		if (challenged+neg)/negatives > fpr {
			break
		}
		caught, challenged = caught+pos, challenged+neg
		threshold = scores[group[0]]
	}
	return caught / positives, threshold, nil
}

// LogLoss returns the weighted mean of -log p(label) in nats, for probabilities
// of label 1. As LightGBM does, it takes no probability for smaller than 1e-15:
// one sure mistake is dear but not infinitely so.
func LogLoss(probabilities []float64, labels, weights []float32) (float64, error) {
	if err := checkProbabilities(probabilities, labels, weights); err != nil {
		return 0, fmt.Errorf("log loss: %w", err)
	}
	var sum, total float64
	for i, p := range probabilities {
		if labels[i] == 0 {
			p = 1 - p
		}
		w := weightOf(weights, i)
		sum -= w * math.Log(max(p, 1e-15))
		total += w
	}
	return sum / total, nil
}

// Reliability sorts rows by probability and parts them into at most n bins of
// equal weight. Equal probabilities stay together, in the bin where their middle
// falls, so bins are as equal as ties allow and one may be left out.
func Reliability(probabilities []float64, labels, weights []float32, n int) ([]models.Bin, error) {
	if n < 1 {
		return nil, fmt.Errorf("reliability: %d bins", n)
	}
	return reliability(probabilities, labels, weights, func(_, middle, total float64) int {
		return min(int(float64(n)*middle/total), n-1)
	})
}

// ReliabilityBetween parts rows at fixed probabilities, rising: one at an edge is
// above it. Where fraud is rare, bins of equal weight would put all of it into
// the last. Empty bins are left out.
func ReliabilityBetween(probabilities []float64, labels, weights []float32, edges []float64) ([]models.Bin, error) {
	if !slices.IsSorted(edges) || slices.ContainsFunc(edges, math.IsNaN) {
		return nil, fmt.Errorf("reliability: edges %v do not rise", edges)
	}
	return reliability(probabilities, labels, weights, func(p, _, _ float64) int {
		return sort.Search(len(edges), func(i int) bool { return p < edges[i] })
	})
}

// reliability makes the table. bin gives the number of a probability's bin, also
// from the weight of the rows below the middle of its own and of all; it does not
// fall as p rises.
func reliability(probabilities []float64, labels, weights []float32, bin func(p, middle, total float64) int) ([]models.Bin, error) {
	if err := checkProbabilities(probabilities, labels, weights); err != nil {
		return nil, fmt.Errorf("reliability: %w", err)
	}
	var table []models.Bin
	var total, before float64 // weight of all, of the groups before
	for i := range labels {
		total += weightOf(weights, i)
	}
	last := -1
	for group := range ties(probabilities) {
		pos, neg := classes(group, labels, weights)
		p, w := probabilities[group[0]], pos+neg
		if n := bin(p, before+w/2, total); n != last {
			table, last = append(table, models.Bin{Low: p}), n
		}
		b := &table[len(table)-1]
		b.High = p
		b.Rows += len(group)
		b.Weight += w
		b.Predicted += p * w // sums until the end
		b.Observed += pos
		before += w
	}
	for i := range table {
		b := &table[i]
		b.Predicted = min(max(b.Predicted/b.Weight, b.Low), b.High) // the sum was rounded
		b.Observed = min(b.Observed/b.Weight, 1)
	}
	return table, nil
}

// ties yields the rows of each distinct score, scores ascending, rows ascending
// within one.
func ties(scores []float64) func(yield func(group []int) bool) {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		return cmp.Or(cmp.Compare(scores[i], scores[j]), cmp.Compare(i, j))
	})
	return func(yield func([]int) bool) {
		for start := 0; start < len(order); {
			end := start + 1
			for end < len(order) && scores[order[end]] == scores[order[start]] {
				end++
			}
			if !yield(order[start:end]) {
				return
			}
			start = end
		}
	}
}

// classes returns the weight of the positives and of the negatives among rows.
func classes(rows []int, labels, weights []float32) (positives, negatives float64) {
	for _, i := range rows {
		if labels[i] == 1 {
			positives += weightOf(weights, i)
		} else {
			negatives += weightOf(weights, i)
		}
	}
	return positives, negatives
}

func weightOf(weights []float32, i int) float64 {
	if weights == nil {
		return 1
	}
	return float64(weights[i])
}

func checkScored(scores []float64, labels, weights []float32) error {
	if len(scores) != len(labels) {
		return fmt.Errorf("%d scores for %d labels", len(scores), len(labels))
	}
	if slices.ContainsFunc(scores, math.IsNaN) {
		return errors.New("a score is not a number")
	}
	return checkLabels(labels, weights)
}

func checkProbabilities(probabilities []float64, labels, weights []float32) error {
	for i, p := range probabilities {
		if !(p >= 0 && p <= 1) {
			return fmt.Errorf("row %d: %g is not a probability", i, p)
		}
	}
	return checkScored(probabilities, labels, weights)
}
