package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waryauth/wary/models"
	"github.com/waryauth/wary/models/train"
)

// Where the trials and the peers are, from the root of the repository.
const (
	trialsDir = "../shared/data/models"
	peersDir  = "data/peers"
)

// trials are the models of the figures: trees x leaves x features.
func trials() []string { return []string{"300x31x120", "500x63x200"} }

// model takes rows through our kernels and through others, for each trial in a
// child of its own on one core.
func model(ctx context.Context, r *run) (map[string]float64, error) {
	values := map[string]float64{}
	var failed error
	rounds := "12"
	if r.quick {
		rounds = "4"
	}
	for _, name := range trials() {
		if _, err := os.Stat(trialsDir + "/" + name + ".txt.gz"); err != nil {
			r.note("model %s is not here: %v", name, err)
			continue
		}
		one, err := r.results(ctx, serverCore, "trial", name, rounds)
		failed = errors.Join(failed, err)
		maps.Copy(values, one)
		if !r.quick {
			failed = errors.Join(failed, instructions(ctx, r, name))
		}
	}
	worst(values, "model_allocations", math.Max)
	worst(values, "model_rows_equal_share", math.Min)
	return values, failed
}

// worst makes one value of those that a trial each has under "name:trial".
func worst(values map[string]float64, name string, pick func(a, b float64) float64) {
	for _, t := range trials() {
		v, ok := values[name+":"+t]
		if !ok {
			continue
		}
		if old, known := values[name]; known {
			v = pick(old, v)
		}
		values[name] = v
	}
}

// trialChild NAME ROUNDS measures every way of scoring a trial and prints them.
func trialChild(args []string) error {
	if len(args) != 2 {
		return errors.New("trial: want name, rounds")
	}
	rounds, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	debug.SetGCPercent(-1)
	t, err := openTrial(trialsDir, args[0])
	if err != nil {
		return err
	}
	own, e, err := kernelWays(t)
	if err != nil {
		return err
	}
	for _, kernel := range []string{"avx512", "avx2"} {
		if !slices.Contains(e.Kernels(), kernel) {
			fmt.Printf("# model %s: there is no %s kernel for it on this processor\n", t.name, kernel)
		}
	}
	whole, err := attributionWay(t, e)
	if err != nil {
		return err
	}
	others, err := otherWays(t)
	if err != nil {
		fmt.Printf("# model %s: not measured: %s\n", t.name, told(err))
	}
	ghz := clock()
	all := withoutCall(t.measure(slices.Concat(own, []*way{whole}, others), rounds))
	ghz = max(ghz, clock())
	fmt.Printf("# model %s: clock %.2f GHz, if a multiplication takes three cycles\n", t.name, ghz)
	for i, m := range all {
		m.print(t.name)
		if i < len(own) {
			limit(e, t.name, m.way, ghz)
		}
	}
	values := compare(t.name, all, len(own))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		fmt.Println(name, values[name])
	}
	return nil
}

// limit prints what the machine could do at best: read a kernel's tables once.
func limit(e *models.Ensemble, trial, kernel string, ghz float64) {
	n := e.Bytes(kernel)
	fmt.Printf("# limit %s %s ghz=%.2f bytes=%d read_us=%.3f\n", trial, kernel, ghz, n, reading(n).Seconds()*1e6)
}

// otherWays are leaves, LightGBM and what peers there are. What the error tells is
// not among them.
func otherWays(t *trial) ([]*way, error) {
	var ways []*way
	l, failed := leavesWay(t)
	if failed == nil {
		ways = append(ways, l)
	}
	score, nothing, err := lightgbmWays(t, train.DefaultPath())
	if err == nil {
		ways = append(ways, score, nothing)
	}
	failed = errors.Join(failed, err)
	p, err := openPeers(peersDir)
	if err != nil {
		return ways, errors.Join(failed, fmt.Errorf("peers: %w", err))
	}
	more, err := p.ways(t, train.DefaultPath())
	return append(ways, more...), errors.Join(failed, err)
}

// told is an error in one line, with paths as from the root of the repository: the
// notes are kept with it.
func told(err error) string {
	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	if root, err := os.Getwd(); err == nil {
		text = strings.ReplaceAll(text, root+string(os.PathSeparator), "")
	}
	return text
}

// withoutCall takes from LightGBM what the call from Go costs, and drops the call
// that did nothing.
func withoutCall(all []measured) []measured {
	score, nothing := find(all, "lightgbm"), find(all, "nothing")
	if score == nil || nothing == nil {
		return all
	}
	score.warm -= nothing.warm
	score.cold -= nothing.cold
	fmt.Printf("# lightgbm: %.0f ns, cold %.0f ns, of the call from Go are taken off\n", nothing.warm, nothing.cold)
	return slices.DeleteFunc(all, func(m measured) bool { return m.way == "nothing" })
}

func find(all []measured, way string) *measured {
	for i := range all {
		if all[i].way == way {
			return &all[i]
		}
	}
	return nil
}

func (m *measured) print(trial string) {
	fmt.Printf("# model %s %s us=%.3f cold_us=%.2f allocations=%.0f equal=%d/%d apart=%.2g\n",
		trial, m.way, m.warm/1e3, m.cold/1e3, m.allocations, m.equal, m.of, m.apart)
}

// compare returns the values of a trial, of which the first ways are our own and the
// first of them serves.
func compare(trial string, all []measured, own int) map[string]float64 {
	peer := peerTimes(all[own:])
	values := map[string]float64{"model_allocations:" + trial: 0, "model_rows_equal_share:" + trial: 1}
	for _, m := range all[:own] {
		for other, warm := range peer {
			values[m.way+"_"+trial+"_vs_"+other] = ratio(warm, m.warm)
		}
		worse := func(name string, v float64, pick func(a, b float64) float64) {
			values[name+":"+trial] = pick(values[name+":"+trial], v)
		}
		worse("model_allocations", m.allocations, math.Max)
		worse("model_rows_equal_share", float64(m.equal)/float64(m.of), math.Min)
	}
	if whole := find(all, "attribution"); whole != nil {
		values["attribution_"+trial+"_vs_kernel"] = ratio(whole.warm, all[0].warm)
	}
	if portable, wide := find(all[:own], "go"), find(all[:own], "avx2"); portable != nil && wide != nil {
		values["avx2_"+trial+"_vs_go"] = ratio(portable.warm, wide.warm)
	}
	return values
}

// peerTimes returns what the goals set us against: leaves, LightGBM by the faster
// of its two ways, and the fastest of the compiled ones.
func peerTimes(all []measured) map[string]float64 {
	times := map[string]float64{}
	faster := func(name string, warm float64) {
		if old, known := times[name]; !known || warm < old {
			times[name] = warm
		}
	}
	for _, m := range all {
		switch {
		case m.way == "leaves":
			faster(m.way, m.warm)
		case m.way == "lightgbm" || m.way == "lightgbm_c_loop":
			faster("lightgbm", m.warm)
		case slices.Contains(compiled(), m.way):
			faster("best_compiled", m.warm)
		}
	}
	return times
}

// clock returns how many thousand million cycles a second this core makes now, by
// multiplications that wait for one another.
func clock() float64 {
	const n = 1 << 14
	best, x := time.Hour, uint64(3)
	for range 1000 {
		before := time.Now()
		for range n {
			x *= 0x9e3779b97f4a7c15
		}
		best = min(best, time.Since(before))
	}
	runtime.KeepAlive(x)
	return 3 * n / float64(best.Nanoseconds())
}

// reading returns how long it takes to read so many bytes once, from the caches
// that hold them: the standard library compares one half with the other.
func reading(n int) time.Duration {
	b, best := make([]byte, n), time.Hour
	for range 1000 {
		before := time.Now()
		if !bytes.Equal(b[:n/2], b[n-n/2:]) {
			return 0
		}
		best = min(best, time.Since(before))
	}
	return best
}
