// Package modeltest answers: what do tests serve that need several models?
//
// [Stump] makes a model of one split over the whole schema, so small that loading
// and proving it takes no time; [Folder] writes it as an operator would bring it.
package modeltest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waryauth/wary/features"
	"github.com/waryauth/wary/models"
)

// Stump returns the two files of a model whose log-odds are low where a feature is
// missing or at most the threshold, and high above it.
func Stump(version string, feature int, threshold, low, high float64) (text, card []byte) {
	names := make([]string, features.Width)
	infos := make([]string, features.Width)
	for i := range names {
		names[i], infos[i] = features.Schema[i].Name, "none"
	}
	tree := fmt.Sprintf("Tree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=%d\nsplit_gain=1\nthreshold=%v\ndecision_type=10\nleft_child=-1\nright_child=-2\n"+
		"leaf_value=%v %v\nleaf_weight=1 1\nleaf_count=60 40\ninternal_value=0\ninternal_weight=2\ninternal_count=100\nis_linear=0\nshrinkage=1\n\n\n",
		feature, threshold, low, high)
	var b bytes.Buffer
	fmt.Fprintf(&b, "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=%d\nobjective=binary sigmoid:1\n", features.Width-1)
	fmt.Fprintf(&b, "feature_names=%s\nfeature_infos=%s\ntree_sizes=%d\n\n%send of trees\n\n", strings.Join(names, " "), strings.Join(infos, " "), len(tree), tree)
	day := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	card, err := json.Marshal(models.Card{Version: version, Created: day, Schema: features.Digest(),
		Data: models.Data{Generator: "modeltest", Rows: 100, From: day, To: day}, Calibration: models.Calibration{Kind: models.Uncalibrated}})
	if err != nil {
		panic(err) // a card is JSON
	}
	return b.Bytes(), card
}

// Load returns a Stump over the first feature: low where it is missing.
func Load(tb testing.TB, version string, low, high float64) *models.Model {
	tb.Helper()
	m, err := models.Load(Stump(version, 0, 0.5, low, high))
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// Digest computes a model's digest from its definition: SHA-256 over text and card,
// each after its length in eight bytes, the most significant first.
func Digest(text, card []byte) string {
	var all []byte
	for _, part := range [...][]byte{text, card} {
		all = append(binary.BigEndian.AppendUint64(all, uint64(len(part))), part...)
	}
	return fmt.Sprintf("sha256:%x", sha256.Sum256(all))
}

// Folder writes the files of a model into a folder that it makes.
func Folder(tb testing.TB, dir string, text, card []byte) {
	tb.Helper()
	err := errors.Join(os.MkdirAll(dir, 0o755),
		os.WriteFile(filepath.Join(dir, models.TextFile), text, 0o644), os.WriteFile(filepath.Join(dir, models.CardFile), card, 0o644))
	if err != nil {
		tb.Fatal(err)
	}
}
