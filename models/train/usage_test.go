package train

import (
	"math"
	"testing"

	"github.com/waryauth/wary/features"
)

func TestGainShares(t *testing.T) {
	text := "tree\nfeature_names=geo.a net.b dev.c\n\nTree=0\nsplit_feature=2 0\nsplit_gain=30 10\n\nTree=1\nsplit_feature=2\nsplit_gain=10\n\nTree=2\nsplit_feature=\nsplit_gain=\n"
	got, err := GainShares([]byte(text))
	if err != nil || len(got) != 2 || got["dev.c"] != 0.8 || got["geo.a"] != 0.2 {
		t.Errorf("%v, error %v", got, err)
	}
	for _, bad := range []string{"feature_names=a\nsplit_feature=1\nsplit_gain=1\n", "feature_names=a\nsplit_feature=0\nsplit_gain=1 2\n",
		"feature_names=a\nsplit_feature=0\nsplit_gain=nan\n", "feature_names=a\nsplit_feature=-1\nsplit_gain=1\n"} {
		if _, err := GainShares([]byte(bad)); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func TestMissingShares(t *testing.T) {
	rows := make([]features.Vector, 4)
	for i := range rows {
		rows[i][1] = float32(math.NaN())
	}
	rows[2][0] = float32(math.NaN())
	got := MissingShares(func(yield func(*features.Vector) bool) {
		for i := range rows {
			if !yield(&rows[i]) {
				return
			}
		}
	})
	if len(got) != 2 || got[features.Schema[0].Name] != 0.25 || got[features.Schema[1].Name] != 1 {
		t.Errorf("%v", got)
	}
}
