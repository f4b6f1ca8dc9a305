package typing

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"testing"
	"time"
	"unsafe"
)

func TestSizes(t *testing.T) {
	if n := unsafe.Sizeof(Profile{}); n != 36 {
		t.Errorf("a Profile has %d bytes, want 36", n)
	}
	if TableBytes > 11<<10 {
		t.Errorf("a table has %d bytes, want 11 kB or fewer", TableBytes)
	}
}

// small are accounts that learn fast.
func small(t testing.TB) (*Table, [][]Summary) {
	accounts := summaries(invented(60, 5), 0)
	return learnt(t, accounts), accounts
}

func TestNoAllocations(t *testing.T) {
	table, all := small(t)
	var p Profile
	var e Embedding
	if n := testing.AllocsPerRun(100, func() {
		table.Embed(&e, &all[0][0])
		p.Update(&e, 7)
		p.LLR(&e)
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// TestUnknown: nothing known says nothing, be it of the account or of the table.
func TestUnknown(t *testing.T) {
	table, all := small(t)
	other := learnt(t, all[:50])
	if table.ID() == other.ID() {
		t.Fatal("two tables with one ID")
	}
	var p Profile
	var e, o Embedding
	table.Embed(&e, &all[0][0])
	other.Embed(&o, &all[0][0])
	for name, q := range map[string]struct {
		p Profile
		e Embedding
	}{"a new account": {Profile{}, e}, "no embedding": {Profile{}, Embedding{}}} {
		if s := q.p.LLR(&q.e); s != 0 {
			t.Errorf("%s: %v, want 0", name, s)
		}
	}
	p.Update(&e, 1)
	if s := p.LLR(&e); s <= 0 {
		t.Errorf("control: %v of what was just learnt", s)
	}
	if s := p.LLR(&o); s != 0 {
		t.Errorf("under another table %v, want 0", s)
	}
	p.Update(&o, 1)
	if p.Count != 1 || p.Table != other.ID() {
		t.Errorf("after another table's attempt the profile is %+v, want it to start again", p)
	}
	before := p
	if p.Update(&Embedding{}, 1); p != before {
		t.Error("no embedding teaches")
	}
}

// TestLLRByHand: in one direction that tells accounts apart, the others being
// nearly equal in all (the code of a variance 2^-8), the ratio is that of two normal
// densities.
func TestLLRByHand(t *testing.T) {
	e := Embedding{Table: 9}
	e.Between[0] = codeOf(4)
	if variances[e.Between[0]] != 4 {
		t.Fatal("4 has no code of its own")
	}
	p := Profile{Table: 9, Count: 1}
	e.At[0], p.Mean[0] = 60, 50
	unit := 4 * math.Sqrt(1+4) / 127
	y, mean := 60*unit, 50*unit
	own := 1 + 4.0/(4+1) // within 1, and what one attempt leaves of the account's mean
	want := math.Log(density(y-mean, own) / density(y, 1+4))
	tiny := 1.0 / 256
	want += 31 * math.Log(density(0, 1+tiny/(tiny+1))/density(0, 1+tiny))
	if got := float64(p.LLR(&e)); math.Abs(got-want) > 1e-3 {
		t.Errorf("%v, want %v", got, want)
	}
	e.At[0] = -127
	if got := p.LLR(&e); got != minLLR {
		t.Errorf("of a stranger %v, want %v", got, minLLR)
	}
}

func density(x, variance float64) float64 {
	return math.Exp(-x*x/(2*variance)) / math.Sqrt(2*math.Pi*variance)
}

// TestUpdateMeans: the mean moves by its share of the way, on average over how
// fractions are rounded.
func TestUpdateMeans(t *testing.T) {
	e := Embedding{Table: 9}
	e.Between[0], e.At[0] = codeOf(4), 30
	sum := 0.0
	const n = 2000
	for seed := range uint32(n) {
		p := Profile{Table: 9, Count: 3}
		p.Mean[0] = 10
		p.Update(&e, seed)
		sum += float64(p.Mean[0])
		if p.Count != 4 {
			t.Fatalf("count %d", p.Count)
		}
	}
	v := 4.0 / (3*4 + 1)
	want := 10 + v/(1+v)*20 // 4.7 units: within the limit of two deviations
	if math.Abs(sum/n-want) > 0.05 {
		t.Errorf("mean %v, want %v", sum/n, want)
	}
}

// TestCount: what is known of an account never weighs more than eight attempts.
func TestCount(t *testing.T) {
	table, all := small(t)
	var p Profile
	var e Embedding
	for i := range 30 {
		table.Embed(&e, &all[0][i%5])
		p.Update(&e, uint32(i))
	}
	if p.Count != MaxCount {
		t.Errorf("count %d, want %d", p.Count, MaxCount)
	}
	steady := p.noise()
	for i := range 8 {
		table.Embed(&e, &all[i+1][0])
		p.Update(&e, uint32(i))
	}
	if p.noise() <= steady {
		t.Errorf("noise %v after attempts of others, before %v", p.noise(), steady)
	}
}

// TestTableCodec: what is read embeds as what was written, bit for bit.
func TestTableCodec(t *testing.T) {
	table, all := small(t)
	b, err := table.AppendBinary([]byte("x"))
	if err != nil || len(b) != 1+TableBytes {
		t.Fatalf("%d bytes, error %v", len(b)-1, err)
	}
	back, err := Parse(b[1:])
	if err != nil {
		t.Fatal(err)
	}
	if *back != *table {
		t.Error("read back as another table")
	}
	if !back.Created.Equal(time.Unix(1_800_000_000, 0)) || back.Accounts != 60 || back.Attempts != 300 {
		t.Errorf("%d accounts, %d attempts, %v", back.Accounts, back.Attempts, back.Created)
	}
	var a, e Embedding
	table.Embed(&a, &all[3][2])
	back.Embed(&e, &all[3][2])
	if a != e || a.Table == 0 {
		t.Errorf("embeds to %v, want %v", e, a)
	}
	if again := learnt(t, all); *again != *table {
		t.Error("the same attempts make another table")
	}
}

// sealed gives changed bytes a checksum that fits.
func sealed(b []byte) []byte {
	n := len(b) - crc32.Size
	binary.LittleEndian.PutUint32(b[n:], checksum(b[:n]))
	return b
}

func TestParseRefuses(t *testing.T) {
	table, _ := small(t)
	good, _ := table.AppendBinary(nil)
	number := func(i int, x float32) func([]byte) []byte {
		return func(b []byte) []byte {
			binary.LittleEndian.PutUint32(b[tableHead+4*i:], math.Float32bits(x))
			return sealed(b)
		}
	}
	for name, change := range map[string]func([]byte) []byte{
		"nothing":              func([]byte) []byte { return nil },
		"another file":         func([]byte) []byte { return []byte("PNG") },
		"another version":      func(b []byte) []byte { b[7]++; return sealed(b) },
		"cut":                  func(b []byte) []byte { return sealed(b[:len(b)-40]) },
		"longer":               func(b []byte) []byte { return sealed(append(b, 0)) },
		"a bit turned":         func(b []byte) []byte { b[500] ^= 4; return b },
		"a mean of NaN":        number(3, float32(math.NaN())),
		"an infinite mean":     number(3, float32(math.Inf(1))),
		"a deviation below 0":  number(Fields+3, -1),
		"an infinite weight":   number(2*Fields+9, float32(math.Inf(-1))),
		"too large a weight":   number(2*Fields+9, 2e9),
		"an offset of NaN":     number(2*Fields+Dims*Fields+1, float32(math.NaN())),
		"no field learnt":      func(b []byte) []byte { clear(b[tableHead+4*Fields : tableHead+8*Fields]); return sealed(b) },
		"no direction that is": func(b []byte) []byte { clear(b[tableHead+8*Fields:][:4*Dims*Fields]); return sealed(b) },
	} {
		if _, err := Parse(change(bytes.Clone(good))); !errors.Is(err, ErrTable) {
			t.Errorf("%s: error %v, want ErrTable", name, err)
		}
	}
	if _, err := Parse(sealed(bytes.Clone(good))); err != nil {
		t.Errorf("control: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	table, all := small(f)
	good, _ := table.AppendBinary(nil)
	f.Add(good)
	f.Add(good[:100])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == TableBytes {
			b = sealed(bytes.Clone(b)) // or hardly any would get past the checksum
		}
		table, err := Parse(b)
		if err != nil {
			return
		}
		back, _ := table.AppendBinary(nil)
		if !bytes.Equal(back, b) {
			t.Error("read and written again it is another")
		}
		var p Profile
		var e Embedding
		for i := range 3 {
			table.Embed(&e, &all[0][i])
			p.Update(&e, 1)
		}
		if x := p.LLR(&e); x != x || math.IsInf(float64(x), 0) {
			t.Errorf("a ratio of %v", x)
		}
	})
}

// TestTrainRefuses: too few accounts, and such as do not differ; passwords, of which
// most fields are missing, can be learnt.
func TestTrainRefuses(t *testing.T) {
	_, all := small(t)
	if _, err := Train(all[:MinAccounts-1], time.Time{}); err == nil {
		t.Error("learns from too few accounts")
	}
	single := make([][]Summary, 100)
	for u := range single {
		single[u] = all[u%60][:1]
	}
	if _, err := Train(single, time.Time{}); err == nil {
		t.Error("learns from accounts of one attempt")
	}
	same := make([][]Summary, 40)
	for u := range same {
		same[u] = []Summary{all[0][0], all[0][0]}
	}
	if table, err := Train(same, time.Time{}); err == nil {
		t.Errorf("learns from nothing: %v", table.ID())
	}
	table := learnt(t, passwords(summaries(invented(60, 5), 0)))
	b, _ := table.AppendBinary(nil)
	if _, err := Parse(b); err != nil {
		t.Errorf("a table of passwords: %v", err)
	}
	for _, x := range table.numbers() {
		if !(math.Abs(float64(*x)) <= largest) {
			t.Fatalf("a table of passwords holds %v", *x)
		}
	}
}

// TestJudge agrees with the trial of the tests, which was written apart; and where
// accounts are shuffled it finds nothing.
func TestJudge(t *testing.T) {
	all := summaries(invented(120, 15), 0)
	table := learnt(t, all[:60])
	got, want := Judge(table, all[60:]), judged(7, profiles(table), all[60:], all[60:])
	if got.Accounts != 60 || got.Genuine != 60*8 || got.Others != 60*59*8 {
		t.Errorf("%+v", got)
	}
	if math.Abs(got.Equal-want.one) > 0.01 || got.AtOne < 0.95 {
		t.Errorf("judged %+v, the trial says %v", got, want)
	}
	if mixed := Judge(table, shuffled(all[60:])); math.Abs(mixed.Equal-0.5) > 0.05 {
		t.Errorf("of shuffled accounts %+v", mixed)
	}
	// By hand: 1 % of 200 others' scores are the best two; two of four genuine are above the third best.
	others := make([]float32, 200)
	for i := range others {
		others[i] = float32(i)
	}
	if r := rated(4, []float32{0.5, 197, 197.5, 300}, others); r.AtOne != 0.5 {
		t.Errorf("%v of the genuine are above, want 0.5", r.AtOne)
	}
	if r := Judge(table, all[60:61]); r != (Rates{}) {
		t.Errorf("one account is judged: %+v", r)
	}
}
