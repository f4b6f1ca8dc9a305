package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// goTest runs go test on one package and returns what it printed.
func goTest(ctx context.Context, core int, args ...string) (string, error) {
	words := append([]string{"go", "test", "-count=1", "-timeout=120s"}, args...)
	if core != anywhere && pinnable() {
		words = append([]string{"taskset", "-c", strconv.Itoa(core)}, words...)
	}
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", strings.Join(words, " "), err, lastLine(out))
	}
	return string(out), err
}

func lastLine(b []byte) string {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return lines[len(lines)-1]
}

// timing is the best of a benchmark's lines.
type timing struct{ ns, allocations float64 }

// benchmark is a line of a benchmark, without the number of threads.
func benchmarkLine() *regexp.Regexp {
	return regexp.MustCompile(`(?m)^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+([\d.]+) ns/op(?:.*?\s(\d+) allocs/op)?`)
}

// timings runs benchmarks of a package on one core, in turns, and returns the best
// of each by name.
func timings(ctx context.Context, r *run, pattern, dir string) (map[string]timing, error) {
	count, each := 5, "300ms"
	if r.quick {
		count, each = 1, "100ms"
	}
	best := map[string]timing{}
	for range count {
		out, err := goTest(ctx, serverCore, "-cpu=1", "-run=^$", "-bench="+pattern, "-benchtime="+each, dir)
		if err != nil {
			return best, err
		}
		for _, m := range benchmarkLine().FindAllStringSubmatch(out, -1) {
			ns, err := strconv.ParseFloat(m[2], 64)
			if err != nil {
				return best, err
			}
			allocations, _ := strconv.ParseFloat(m[3], 64) // no number: not reported, 0
			old, known := best[m[1]]
			if !known || ns < old.ns {
				best[m[1]] = timing{ns, max(allocations, old.allocations)}
			}
		}
	}
	return best, nil
}

// decode takes the strict decoder and encoding/json over the contract's own sample
// with every field.
func decode(ctx context.Context, r *run) (map[string]float64, error) {
	t, err := timings(ctx, r, "^BenchmarkDecode$", "./engine/scoreapi")
	if err != nil {
		return nil, err
	}
	own, std := t["Decode/scoreapi"], t["Decode/encoding-json"]
	if own.ns == 0 || std.ns == 0 {
		return nil, errors.New("the benchmark of the decoder was not found")
	}
	r.note("decode: %.2f us, encoding/json %.2f us", own.ns/1e3, std.ns/1e3)
	return map[string]float64{"decode_vs_encoding_json": ratio(std.ns, own.ns), "decode_allocations": own.allocations}, nil
}

// model takes one row through the model's kernel and through leaves, with the
// shared models where they are there.
func model(ctx context.Context, r *run) (map[string]float64, error) {
	t, err := timings(ctx, r, "^BenchmarkKernel$/.*/^(leaves|kernel)$", "./models")
	if err != nil {
		return nil, err
	}
	values := map[string]float64{}
	for _, name := range []string{"300x31x120", "500x63x200"} {
		own, ok := t["Kernel/"+name+"/kernel"]
		peer := t["Kernel/"+name+"/leaves"]
		if !ok || peer.ns == 0 {
			r.note("model: %s is not here", name)
			continue
		}
		r.note("model %s: %.2f us a row, leaves %.2f us", name, own.ns/1e3, peer.ns/1e3)
		values["model_"+name+"_vs_leaves"] = ratio(peer.ns, own.ns)
		values["model_allocations"] = max(values["model_allocations"], own.allocations)
	}
	return values, nil
}

// kills runs the journal's own test, which kills a writer 200 times, and a control
// that acknowledges before it writes.
func kills(ctx context.Context, r *run) (map[string]float64, error) {
	out, err := goTest(ctx, anywhere, "-run=^TestKill$", "-v", "./internal/journal")
	found := regexp.MustCompile(`kills=200 acknowledged=(\d+) lost=(\d+) doubled=(\d+)`).FindStringSubmatch(out)
	control := regexp.MustCompile(`control: acknowledged=(\d+) lost=(\d+)`).FindStringSubmatch(out)
	if found == nil || control == nil {
		return nil, errors.Join(errors.New("the test did not say how many were lost"), err)
	}
	r.note("kills: %s facts acknowledged; the control %s", found[1], control[1])
	values := map[string]float64{}
	for name, text := range map[string]string{
		"facts_lost_over_200_kills": found[2], "facts_doubled_over_200_kills": found[3], "facts_lost_by_the_control": control[2],
	} {
		v, failed := strconv.ParseFloat(text, 64)
		if err = errors.Join(err, failed); failed == nil {
			values[name] = v
		}
	}
	return values, err
}
