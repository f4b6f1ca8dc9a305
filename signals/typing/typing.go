// Package typing answers: does this person type as before?
//
// A login page measures the rhythm of what is typed and sends a [Summary], 78
// statistics that name no key. [Train] learns a [Table], shared by all accounts,
// from summaries grouped by account. At a login, [Table.Embed] projects the
// summary to 32 numbers, [Profile.LLR] compares them with the 36 bytes that are
// kept of the account, and [Profile.Update] learns from a login that was accepted.
//
// The model is two-covariance linear discriminant scoring (PLDA: Ioffe, ECCV 2006;
// Brümmer and de Villiers, Odyssey 2010) with noise that belongs to the account. In
// the Table's space an account's attempts lie round its mean with variance 1 and
// accounts round 0 with a variance b of each dimension.
//
// An [Embedding] carries all that Update needs, so that a log of embeddings makes
// the same profiles again without the Table. Embed, LLR and Update neither allocate
// nor lock; a Table is read-only.
//
// It is weak evidence: a page can be made to send anything, and who copies a
// person's speed and hold time is several times harder to tell (docs/typing.md).
package typing

import "math"

// Dims is how many numbers an embedding has.
const Dims = 32

// Limits of the model. A comment names the measurement that set each; all were made
// on typists that no test judges by.
const (
	clipInput  = 2  // standard deviations that a field may count; 4 costs about half a point of equal error rate
	minLLR     = -5 // one bad attempt must not outweigh three good ones: four fused 3.1 % without, 1.4 % with it
	maxStep    = 2  // standard deviations that one attempt may move a mean by, before the gain
	noisePrior = 30 // attempts' worth of belief that an account is as steady as others
	meanRange  = 4  // numbers span 4 standard deviations of the population either side of 0
	noiseUnit  = 1.0 / 64
	maxNoise   = 4

	// MaxCount is how many attempts a profile knows at most: an attempt weighs a ninth
	// or more, for ever, and so old habits fade. Simulated drift to a correlation of
	// 0.7 in 30 logins: 8.0 % without a cap, 4.2 to 5.7 % with 5 to 10.
	MaxCount = 8
)

// An Embedding is an attempt in a Table's space. The zero Embedding is none.
type Embedding struct {
	Table   uint16      // Table.ID, 0 none
	At      [Dims]int8  // in units of a 127th of meanRange standard deviations of the population
	Between [Dims]uint8 // codes of b
}

// A Profile is what is kept of an account. The zero Profile knows nothing.
type Profile struct {
	Mean  [Dims]int8 // as Embedding.At
	Count uint8      // attempts learnt, at most MaxCount
	Noise uint8      // mean squared surprise, in noiseUnit; 1 is an account as steady as the average one
	Table uint16     // Table.ID that Mean belongs to; after a new Table the Profile starts again
}

// variances are b by its code, sixteen to the octave; b is the variance of accounts
// where that within one is 1.
var variances = func() (b [256]float32) {
	for code := range b {
		b[code] = float32(math.Exp2(float64(code-128) / 16))
	}
	return b
}()

// codeOf returns the code of the nearest b.
func codeOf(b float64) uint8 {
	if !(b > 0) {
		return 0
	}
	return uint8(min(max(math.Round(16*math.Log2(b))+128, 0), 255))
}

// square is that of a unit of At where the population's variance is 1.
const square = float32(meanRange * meanRange / (127.0 * 127.0))

// The conversions of products below keep the compiler from fusing them with sums
// where a processor can: every node computes the same bits.

// LLR is the log likelihood ratio, in nats and at least -5, of the attempt's being
// of p's account against its being of anyone. Of several attempts take the mean. It
// is 0 where the profile knows nothing of the embedding's Table.
func (p *Profile) LLR(e *Embedding) float32 {
	if !p.Knows(e) {
		return 0
	}
	noise, count, sum, ratio := p.noise(), float32(p.Count), float32(0), float32(1)
	for i, y := range e.At {
		b := variances[e.Between[i]]
		all := 1 + b
		own := noise + unknown(b, count)
		d := float32(y) - float32(p.Mean[i])
		// y*y/all is square for each unit of y*y: they are measured in the population's deviations.
		sum += square * (float32(float32(y)*float32(y)) - float32(d*d)*float32(all/own))
		ratio *= own / all
	}
	return max(minLLR, (sum-float32(math.Log(float64(ratio))))/2)
}

// Knows reports whether the profile has learnt attempts in the embedding's space.
func (p *Profile) Knows(e *Embedding) bool {
	return p.Count > 0 && p.Table == e.Table && e.Table != 0
}

// noise is the account's variance within, drawn towards 1 while few attempts are known.
func (p *Profile) noise() float32 {
	dof := float32(p.Count-1) * Dims / 4
	seen := max(0.3, min(3, float32(p.Noise)*noiseUnit))
	return (float32(seen*dof) + noisePrior) / (dof + noisePrior)
}

// unknown is the variance of an account's mean that count attempts leave, where
// accounts vary by b.
func unknown(b, count float32) float32 { return b / (float32(count*b) + 1) }

// Update learns an attempt. Call it only for one that was accepted by another
// factor than typing. seed is any number of the attempt's own: it decides how
// fractions are rounded. The same calls make the same profile, on any processor.
func (p *Profile) Update(e *Embedding, seed uint32) { p.update(e, seed, MaxCount) }

// update knows most attempts at most.
func (p *Profile) update(e *Embedding, seed uint32, most uint8) {
	if e.Table == 0 {
		return
	}
	if p.Table != e.Table {
		*p = Profile{Table: e.Table}
	}
	count, surprise := float32(p.Count), float32(0)
	for i, y := range e.At {
		b := variances[e.Between[i]]
		v := unknown(b, count)
		mean := float32(p.Mean[i])
		d := float32(y) - mean
		// In units of At: the square of a within-account deviation is 1/(square*all).
		spread := (1 + v) / float32(square*(1+b))
		surprise += float32(d*d) / spread
		limit := maxStep * float32(math.Sqrt(float64(spread)))
		mean += float32(v / (v + 1) * max(-limit, min(limit, d)))
		p.Mean[i] = roundStochastic(mean, seed+uint32(i)*0x9e3779b9)
	}
	if p.Count > 0 {
		old, seen := float32(p.Noise), min(maxNoise, surprise/Dims)/noiseUnit
		p.Noise = uint8(min(255, old+(seen-old)/count+0.5))
	}
	p.Count = min(p.Count+1, most)
}

// roundStochastic rounds x up with the probability of its fraction, so that steps
// below half a unit are not lost for ever. The chance comes from the seed (finalizer
// of MurmurHash3), which makes it repeatable.
func roundStochastic(x float32, seed uint32) int8 {
	seed ^= seed >> 16
	seed *= 0x85ebca6b
	seed ^= seed >> 13
	seed *= 0xc2b2ae35
	seed ^= seed >> 16
	x += float32(seed>>8) / (1 << 24)
	return int8(max(-127, min(127, math.Floor(float64(x)))))
}
