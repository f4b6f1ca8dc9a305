package population

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/waryauth/wary/signals/typing"
)

// Recording is what one real typist typed, sentence by sentence.
type Recording [][]typing.Key

// typed is how many keys of a recording a simulated login has: a name and a password.
const typed = 24

// ReadTypists reads recordings from CSV with the columns participant, section,
// press_ms, release_ms and key, rows of a participant's section together. Typists
// whose letters were lost in the recording, and sentences too short for a login,
// are left out.
//
// Such recordings are for tests and evaluation: what ships is grown with the
// parametric stand-in. It refuses other columns and times that are no numbers.
func ReadTypists(r io.Reader) ([]Recording, error) {
	c := csv.NewReader(r)
	c.ReuseRecord = true
	header, err := c.Read()
	if err != nil {
		return nil, fmt.Errorf("read typists: %w", err)
	}
	if want := []string{"participant", "section", "press_ms", "release_ms", "key"}; !slices.Equal(header, want) {
		return nil, fmt.Errorf("read typists: the columns are not %s", strings.Join(want, ","))
	}
	var all []Recording
	index := map[string]int{}
	var last [2]string
	for {
		row, err := c.Read()
		if err == io.EOF {
			return usable(all), nil
		}
		if err != nil {
			return nil, fmt.Errorf("read typists: %w", err)
		}
		k, err := keyOf(row)
		if err != nil {
			line, _ := c.FieldPos(0)
			return nil, fmt.Errorf("read typists: line %d: %w", line, err)
		}
		i, known := index[row[0]]
		if !known {
			i = len(all)
			index[strings.Clone(row[0])] = i
			all = append(all, nil)
		}
		if row[0] != last[0] || row[1] != last[1] {
			last = [2]string{strings.Clone(row[0]), strings.Clone(row[1])}
			all[i] = append(all[i], nil)
		}
		sentence := &all[i][len(all[i])-1]
		*sentence = append(*sentence, k)
	}
}

func keyOf(row []string) (k typing.Key, err error) {
	if k.Press, err = strconv.ParseFloat(row[2], 64); err == nil {
		k.Release, err = strconv.ParseFloat(row[3], 64)
	}
	if err == nil && (math.IsInf(k.Release-k.Press, 0) || math.IsNaN(k.Release-k.Press)) {
		err = fmt.Errorf("a key from %s to %s", row[2], row[3])
	}
	k.Code = strings.Clone(row[4])
	if k.Code == "U+0008" { // another name of the same key
		k.Code = "BKSP"
	}
	return k, err
}

// usable returns the recordings most of which names its letters, without the
// sentences that are too short.
func usable(all []Recording) (out []Recording) {
	for _, t := range all {
		letters, keys := 0, 0
		var long Recording
		for _, sentence := range t {
			for _, k := range sentence {
				keys++
				if len(k.Code) == 1 {
					letters++
				}
			}
			if len(sentence) >= typed {
				long = append(long, sentence)
			}
		}
		if len(long) > 0 && letters*2 > keys {
			out = append(out, long)
		}
	}
	return out
}

// replayTypist fills r.keys with a part of what a typist typed, of which a clock has
// been read anew: no two are equal.
func (r *run) replayTypist(t Recording) {
	sentence := choose(r, t)
	from := r.IntN(len(sentence) - typed + 1)
	r.keys = append(r.keys[:0], sentence[from:from+typed]...)
	for i := range r.keys {
		r.keys[i].Press += r.between(-0.5, 0.5)
		r.keys[i].Release += r.between(-0.5, 0.5)
	}
}
