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
	return goTestWith(ctx, nil, core, args...)
}

// goTestWith is goTest with more in its environment.
func goTestWith(ctx context.Context, env []string, core int, args ...string) (string, error) {
	words := append([]string{"go", "test", "-timeout=120s"}, args...)
	if core != anywhere && pinnable() {
		words = append([]string{"taskset", "-c", strconv.Itoa(core)}, words...)
	}
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.WaitDelay = 5 * time.Second
	cmd.Env = append(cmd.Environ(), env...)
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

// benchmarkLine matches a line of a benchmark, without the number of threads.
func benchmarkLine() *regexp.Regexp {
	return regexp.MustCompile(`(?m)^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+([\d.]+) ns/op(?:.*?\s(\d+) allocs/op)?`)
}

// timings runs benchmarks of a package some times on one core and returns the best
// of each by name.
func timings(ctx context.Context, r *run, pattern, dir string) (map[string]timing, error) {
	count, each := "5", "300ms"
	if r.quick {
		count, each = "1", "100ms"
	}
	out, err := goTest(ctx, serverCore, "-count="+count, "-cpu=1", "-run=^$", "-bench="+pattern, "-benchtime="+each, dir)
	if err != nil {
		return nil, err
	}
	best := map[string]timing{}
	for _, m := range benchmarkLine().FindAllStringSubmatch(out, -1) {
		ns, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			return nil, err
		}
		allocations, _ := strconv.ParseFloat(m[3], 64) // no number: not reported, 0
		old, known := best[m[1]]
		if !known || ns < old.ns {
			best[m[1]] = timing{ns, max(allocations, old.allocations)}
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

// beside holds the state of 10 million entities beside a map of pointers to the same records,
// and beside as many independent reads of random lines. It takes 12 GB.
func beside(ctx context.Context, r *run) (map[string]float64, error) {
	entities := "WARY_ENTITIES=10000000"
	if r.quick {
		entities = "WARY_ENTITIES=200000"
	}
	out, err := goTestWith(ctx, []string{entities}, serverCore, "-timeout=600s", "-count=1", "-run=^$", "-bench=^BenchmarkBeside$", "-benchtime=400000x", "./features/history")
	if err != nil {
		return nil, err
	}
	return reported(out, map[string]string{"state_vs_map_of_pointers": "pointers/store", "state_vs_floor": "store/floor"})
}

// reported returns the least of what benchmarks reported in some units, by figure.
func reported(out string, units map[string]string) (map[string]float64, error) {
	values := map[string]float64{}
	for name, unit := range units {
		for _, m := range regexp.MustCompile(`\s([\d.]+) `+regexp.QuoteMeta(unit)+`(?:\s|$)`).FindAllStringSubmatch(out, -1) {
			v, err := strconv.ParseFloat(m[1], 64)
			if err != nil {
				return nil, err
			}
			if old, known := values[name]; !known || v < old {
				values[name] = v
			}
		}
	}
	return values, nil
}

// token takes a whole token request over its own cryptography, and over one in which
// something allows at once in the engine's place: each benchmark measures both in turns.
func token(ctx context.Context, r *run) (map[string]float64, error) {
	count := "3"
	if r.quick {
		count = "1"
	}
	out, err := goTest(ctx, anywhere, "-count="+count, "-run=^$", "-bench=^BenchmarkTokenOver", "-benchtime=1s", "./authz/fapi")
	if err != nil {
		return nil, err
	}
	return reported(out, map[string]string{"token_vs_its_cryptography": "x-crypto", "token_vs_without_the_engine": "x-without"})
}

// kills runs the journal's own test, which kills a writer 200 times, and a control
// that acknowledges before it writes.
func kills(ctx context.Context, r *run) (map[string]float64, error) {
	out, err := goTest(ctx, anywhere, "-count=1", "-run=^TestKill$", "-v", "./internal/journal")
	got, control := counts(out)
	if got["kills"] != 200 || control == nil {
		return nil, errors.Join(errors.New("the test did not say how many were lost over 200 kills"), err)
	}
	r.note("kills: of %.0f facts acknowledged %.0f are lost; of the control's %.0f, %.0f", got["acknowledged"], got["lost"], control["acknowledged"], control["lost"])
	return map[string]float64{
		"facts_lost_over_200_kills": got["lost"], "facts_doubled_over_200_kills": got["doubled"], "facts_lost_by_the_control": control["lost"],
	}, err
}

// counts finds what the kill test logged: for the test and for its control, numbers
// by name.
func counts(out string) (got, control map[string]float64) {
	number := regexp.MustCompile(`(\w+)[:=](\d+)`)
	for line := range strings.Lines(out) {
		_, text, logged := strings.Cut(line, "_test.go:")
		if !logged || !strings.Contains(text, "lost") {
			continue
		}
		found := map[string]float64{}
		for _, m := range number.FindAllStringSubmatch(text, -1) {
			found[m[1]], _ = strconv.ParseFloat(m[2], 64) // digits
		}
		if strings.Contains(text, "control") {
			control = found
		} else {
			got = found
		}
	}
	return got, control
}
