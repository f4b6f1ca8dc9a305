// Package features answers: what does it mean in numbers?
//
// [Describe] turns an attempt and its observation into a [Trace], the
// pointer-free remains that state and log keep. [Extract] turns attempt,
// observation, trace and the [Profile] recalled for it into a [Vector], which a
// model reads. Both are functions of their arguments: replay, training,
// benchmarks and the live path call the same code.
//
// A feature is an index constant and, beside it, its row in [Schema]; its
// family's file writes it by that constant.
package features

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"strconv"
)

// Vector is what a model reads: one float32 for each row of Schema, NaN where
// the value is missing.
type Vector [Width]float32

// nan is the value of a feature that could not be evaluated.
func nan() float32 { return float32(math.NaN()) }

// missing is a vector in which nothing could be evaluated: copying it is several
// times faster than writing NaN by NaN.
var missing = nothing()

func nothing() (v [Width]float32) {
	for i := range v {
		v[i] = nan()
	}
	return v
}

// Reset marks every feature missing.
func (v *Vector) Reset() { *v = missing }

// Family groups features that are explained together.
type Family uint8

// Families, in the order of their features in the vector.
const (
	Geo Family = iota
	Network
	Device
	Velocity
	Baseline
	Session
	Intent
	Client
	Families int = iota
)

// FamilyNames holds the names by value.
var FamilyNames = [Families]string{
	Geo: "geo", Network: "network", Device: "device", Velocity: "velocity",
	Baseline: "baseline", Session: "session", Intent: "intent", Client: "client",
}

func (f Family) String() string {
	if int(f) < Families {
		return FamilyNames[f]
	}
	return "unknown"
}

// Direction says how a feature moves the risk where that is plain; a model is
// trained under it (LightGBM monotone_constraints).
type Direction int8

// Directions.
const (
	Falls Direction = -1
	Free  Direction = 0
	Rises Direction = 1
)

func (d Direction) String() string {
	switch d {
	case Rises:
		return "up"
	case Falls:
		return "down"
	}
	return "free"
}

// Feature is one row of the Schema.
type Feature struct {
	Name    string // catalogue name, e.g. "geo.country_new_for_user"
	Family  Family
	Unit    string // "0/1", "share", "km", "count", "days", ...
	Doc     string // what it is, in one sentence
	Missing string // when it is NaN and what that means
	Risk    Direction
	Reason  string // code of the reason shown when it raises the risk, e.g. "NEW_COUNTRY"
	// External features come with the attempt by a name that the policy maps: see Feed.
	External bool
}

// Digest names the Schema: SHA-256 over names, families, units and order, hex.
// A model trained on another schema is refused.
func Digest() string {
	h := sha256.New()
	for i, f := range Schema {
		h.Write([]byte(strconv.Itoa(i) + "\x00" + f.Name + "\x00" + f.Family.String() + "\x00" + f.Unit + "\n"))
	}
	return hex.EncodeToString(h.Sum(nil))
}
