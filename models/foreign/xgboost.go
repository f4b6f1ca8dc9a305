package foreign

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/waryauth/wary/models"
)

// Sizes of the structures in XGBoost's binary files (src/learner.cc,
// src/gbm/gbtree_model.h, include/xgboost/tree_model.h, version 0.90), little-endian.
const (
	xgLearnerBytes = 136
	xgModelBytes   = 160
	xgTreeBytes    = 148
	xgNodeBytes    = 20
	xgStatBytes    = 16
)

var errXGBoostShort = errors.New("the file ends early, or a size in it is forged")

// xgReader steps through a file.
type xgReader struct{ rest []byte }

// take returns the next n bytes.
func (r *xgReader) take(n uint64) ([]byte, error) {
	if n > uint64(len(r.rest)) {
		return nil, errXGBoostShort
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b, nil
}

// list returns the bytes of a vector: its length and so many items.
func (r *xgReader) list(item uint64) ([]byte, error) {
	b, err := r.take(8)
	if err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint64(b)
	if n > uint64(len(r.rest)) {
		return nil, errXGBoostShort
	}
	return r.take(n * item)
}

func xgInt(b []byte, at int) int32 { return int32(binary.LittleEndian.Uint32(b[4*at:])) }

// checkXGBoost finds what would make leaves allocate beyond the file, walk in circles
// or score with what is no number.
func checkXGBoost(file []byte) error {
	r := &xgReader{file}
	learner, err := r.take(xgLearnerBytes)
	if err != nil {
		return err
	}
	features := xgInt(learner, 1)
	if features < 1 || features > models.MaxFeatures {
		return fmt.Errorf("%d features, not 1..%d", features, models.MaxFeatures)
	}
	if !xgFinite(learner) {
		return errors.New("the base score is no number")
	}
	if _, err := r.list(1); err != nil { // the objective
		return err
	}
	booster, err := r.list(1)
	if err != nil {
		return err
	}
	if s := string(booster); s != "gbtree" && s != "dart" {
		return fmt.Errorf("booster %.40q is not gbtree or dart", s)
	}
	model, err := r.take(xgModelBytes)
	if err != nil {
		return err
	}
	trees, groups := xgInt(model, 0), xgInt(model, 6)
	if trees < 1 || trees > models.MaxTrees || groups != 1 {
		return fmt.Errorf("%d trees, %d scores a row, not 1..%d and 1", trees, groups, models.MaxTrees)
	}
	for i := range trees {
		if err := r.tree(features); err != nil {
			return fmt.Errorf("tree %d: %w", i, err)
		}
	}
	if _, err := r.take(4 * uint64(trees)); err != nil {
		return err
	}
	if string(booster) != "dart" {
		return nil
	}
	weights, err := r.list(4)
	for ; err == nil && len(weights) > 0; weights = weights[4:] {
		if !xgFinite(weights) {
			return errors.New("a tree's weight is no number")
		}
	}
	return err
}

// tree checks that every node below the root is one, reached once, and within the
// features. Nodes that are not reached were pruned.
func (r *xgReader) tree(features int32) error {
	head, err := r.take(xgTreeBytes)
	if err != nil {
		return err
	}
	count := xgInt(head, 1)
	if count < 1 {
		return fmt.Errorf("%d nodes", count)
	}
	nodes, err := r.take(uint64(count) * xgNodeBytes)
	if err != nil {
		return err
	}
	if _, err := r.take(uint64(count) * xgStatBytes); err != nil {
		return err
	}
	if xgInt(head, 5) > 0 {
		if _, err := r.list(4); err != nil {
			return err
		}
	}
	seen := make([]bool, count)
	for stack := []int32{0}; len(stack) > 0; {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if n < 0 || n >= count || seen[n] {
			return fmt.Errorf("child %d of %d nodes is none, or reached twice: a cycle", n, count)
		}
		seen[n] = true
		node := nodes[int(n)*xgNodeBytes:]
		left, right, feature := xgInt(node, 1), xgInt(node, 2), xgInt(node, 3)&math.MaxInt32
		switch {
		case !xgFinite(node[16:]):
			return fmt.Errorf("the value of node %d is no number", n)
		case left == -1:
		case feature >= features:
			return fmt.Errorf("node %d splits feature %d of %d", n, feature, features)
		default:
			stack = append(stack, right, left)
		}
	}
	return nil
}

func xgFinite(b []byte) bool {
	x := math.Float32frombits(binary.LittleEndian.Uint32(b))
	return x-x == 0
}
