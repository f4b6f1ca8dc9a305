package features

import "math"

// unfed is when a feature of a feed is missing.
const unfed = "the policy maps no name to it, or the attempt does not give it"

// FeedOf returns the index of the feature of a feed by its name: one whose value no
// family computes, since it comes with the attempt. ok is false for any other.
func FeedOf(name string) (feature int, ok bool) {
	for i := range Schema {
		if Schema[i].Name == name {
			return i, Schema[i].External
		}
	}
	return 0, false
}

// Feed writes the feature of a feed into a vector that Extract has filled. What lies
// outside of the feature's unit is brought to its end: a share lies in 0 to 1, and
// nothing that feeds tell is negative but times: of what is over, or by a clock that is late.
func Feed(v *Vector, feature int, value float64) {
	least, most := 0.0, float64(math.MaxFloat32)
	switch Schema[feature].Unit {
	case "0/1", "share":
		most = 1
	case "days", "s":
		least = -most
	}
	v[feature] = float32(max(least, min(value, most)))
}
