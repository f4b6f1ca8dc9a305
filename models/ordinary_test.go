package models

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/waryauth/wary/features"
)

func TestMedians(t *testing.T) {
	nan := float32(math.NaN())
	column := func(i int, values ...float32) func(row int) (int, float32) {
		return func(row int) (int, float32) { return i, values[row] }
	}
	columns := []func(int) (int, float32){
		column(0, 5, 1, 3, 2, 4),
		column(1, 1, nan, 1, nan, 0), // missing in two of five
		column(2, 1, nan, nan, nan, 0),
		column(3, nan, nan, nan, nan, nan),
		column(4, 7, 3, nan, 9, 1), // of four the lower middle
	}
	var rows []*features.Vector
	for r := range 5 {
		v := new(features.Vector)
		for _, c := range columns {
			i, x := c(r)
			v[i] = x
		}
		rows = append(rows, v)
	}
	got := Medians(slices.Values(rows))
	name := func(i int) string { return features.Schema[i].Name }
	want := map[string]float64{name(0): 3, name(1): 1, name(4): 3, name(5): 0}
	for n, x := range want {
		if v, ok := got[n]; !ok || v != x {
			t.Errorf("%s: %v, want %v", n, v, x)
		}
	}
	for _, i := range []int{2, 3} {
		if v, ok := got[name(i)]; ok {
			t.Errorf("%s is missing in most rows and has %v", name(i), v)
		}
	}
	if none := Medians(slices.Values(rows[:0])); len(none) != 0 {
		t.Errorf("of no rows: %d medians", len(none))
	}
}

func TestCompleteFromTheCard(t *testing.T) {
	m, err := Baseline()
	if err != nil {
		t.Fatal(err)
	}
	c := m.Card()
	c.Ordinary = map[string]float64{features.Schema[7].Name: 2.5, features.Schema[9].Name: 3.5}
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := ParseCard(b)
	if err != nil {
		t.Fatal(err)
	}
	nan := float32(math.NaN())
	f := func(card Card, want map[int]float32) {
		t.Helper()
		var usual, own features.Vector
		usual.Reset()
		own[9], usual[5] = nan, 1
		(&Model{card: card}).Complete(&usual, &own)
		for i, x := range want {
			if usual[i] != x && (usual[i] == usual[i] || x == x) {
				t.Errorf("feature %d is %v, want %v", i, usual[i], x)
			}
		}
	}
	// Told by the record; by the card; missing in most; missing in the attempt.
	f(parsed, map[int]float32{5: 1, 7: 2.5, 6: nan, 9: nan})
	f(Card{}, map[int]float32{5: 1, 7: 0, 6: 0, 9: nan})
	bad := strings.Replace(string(b), "2.5", "1e300", 1)
	if _, err := ParseCard([]byte(bad)); err == nil || !strings.Contains(err.Error(), "beyond a float32") {
		t.Errorf("beyond a float32: %v", err)
	}
}
