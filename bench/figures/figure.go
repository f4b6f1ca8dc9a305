package main

import (
	"bufio"
	"context"
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// figure is a figure to reach: at least, as ">=5", or at most, as "<=1".
type figure struct{ name, goal string }

// group is figures that are measured together. What measure does not return has
// no value.
type group struct {
	name    string
	figures []figure
	measure func(context.Context, *run) (map[string]float64, error)
}

// groups are the goals of the design, section 9, and of what it leads to.
func groups() []group {
	return []group{
		{"loopback", []figure{
			{"loopback_vs_echo", ">=0.5"},
			{"loopback_vs_naive", ">=5"},
		}, loopback},
		{"in_process", []figure{
			{"in_process_vs_echo", ">=0.3"},
			{"in_process_vs_naive", ">=5"},
			{"score_allocations", "<=0"},
			{"replay_identical_share", ">=1"},
		}, inProcess},
		{"open_loop", []figure{
			{"p99_ms_at_10000_per_s", "<=2"},
			{"p99_ms_at_20000_per_s", "<=1"},
			{"p999_ms_at_20000_per_s", "<=3"},
		}, openLoop},
		{"decode", []figure{
			{"decode_vs_encoding_json", ">=6"},
			{"decode_allocations", "<=0"},
		}, decode},
		{"model", []figure{
			{"go_300x31x120_vs_leaves", ">=5"},
			{"go_500x63x200_vs_leaves", ">=5"},
			{"go_300x31x120_vs_lightgbm", ">=4.5"},
			{"go_500x63x200_vs_lightgbm", ">=5"},
			{"go_300x31x120_vs_best_compiled", ">=1.8"},
			{"go_500x63x200_vs_best_compiled", ">=2.4"},
			{"avx2_300x31x120_vs_go", ">=1.5"},
			{"avx2_500x63x200_vs_go", ">=1.5"},
			{"avx512_300x31x120_vs_leaves", ">=20"},
			{"avx512_500x63x200_vs_leaves", ">=14"},
			{"avx512_300x31x120_vs_lightgbm", ">=18"},
			{"avx512_500x63x200_vs_lightgbm", ">=14"},
			{"avx512_300x31x120_vs_best_compiled", ">=7"},
			{"avx512_500x63x200_vs_best_compiled", ">=7"},
			{"attribution_300x31x120_vs_kernel", "<=1.3"},
			{"attribution_500x63x200_vs_kernel", "<=1.3"},
			{"model_allocations", "<=0"},
			{"model_rows_equal_share", ">=1"},
		}, model},
		{"state", []figure{
			{"state_vs_redis_script", ">=12"},
			{"state_bytes_per_entity", "<=320"},
			{"forced_gc_ms_at_1000000_entities", "<=10"},
		}, state},
		{"beside", []figure{
			{"state_vs_map_of_pointers", ">=3.5"},
			{"state_vs_floor", "<=7"},
		}, beside},
		{"token", []figure{
			{"token_vs_its_cryptography", "<=1.3"},
			{"token_vs_without_the_engine", "<=1.2"},
		}, token},
		{"kills", []figure{
			{"facts_lost_over_200_kills", "<=0"},
			{"facts_doubled_over_200_kills", "<=0"},
			{"facts_lost_by_the_control", ">=1"},
		}, kills},
		{"detection", []figure{
			{"detection_auc", ">=0.95"},
			{"takeovers_caught_at_1_percent", ">=0.9"},
			{"takeovers_caught_at_1_percent_where_all_is_reported", ">=0.9"},
			{"takeovers_caught_at_0.1_percent", ">=0.7"},
			{"unseen_takeovers_caught_at_1_percent", ">=0.6"},
			{"challenges_vs_rba_at_0.83_of_attacks", "<=0.2"},
			{"challenges_vs_rba_at_0.94_of_attacks", "<=0.2"},
			{"takeovers_caught_vs_best_rule", ">=2"},
		}, detection},
		{"narrowing", []figure{
			{"unused_sensitive_scopes_vs_before", "<=0.67"},
			{"needed_scopes_asked_for_again", "<=0.02"},
			{"needed_scopes_refused", "<=0"},
		}, narrowed},
	}
}

// run is one run of the command.
type run struct {
	only, geo, profile string
	quick              bool
	dir                string // of its own, removed at the end

	lines, notes []string
}

// wants reports whether a group is asked for, by its name or that of a figure.
func (r *run) wants(g *group) bool {
	if r.only == "" || r.only == g.name {
		return true
	}
	for _, f := range g.figures {
		if f.name == r.only {
			return true
		}
	}
	return false
}

// note says what a figure was made of, or why it has no value.
func (r *run) note(format string, args ...any) {
	n := "# " + strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " ")
	r.notes = append(r.notes, n)
	fmt.Fprintln(os.Stderr, n)
}

// record prints the figures of a group.
func (r *run) record(g *group, values map[string]float64) {
	for _, f := range g.figures {
		value, word := "none", "short"
		if v, ok := values[f.name]; ok && !math.IsNaN(v) && !math.IsInf(v, 0) {
			value = strconv.FormatFloat(v, 'g', 4, 64)
			if reached(v, f.goal) {
				word = "ok"
			}
		}
		line := strings.Join([]string{f.name, value, f.goal, word}, "\t")
		r.lines = append(r.lines, line)
		fmt.Println(line)
	}
}

// reached reports whether a value is as the goal wants it.
func reached(v float64, goal string) bool {
	want, err := strconv.ParseFloat(goal[2:], 64)
	return err == nil && (goal[:2] == ">=" && v >= want || goal[:2] == "<=" && v <= want)
}

// write keeps the figures in a file.
func (r *run) write(path string) error {
	text := "# " + processor() + ", " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH + "\n" +
		strings.Join(append(r.notes, r.lines...), "\n") + "\n"
	return os.WriteFile(path, []byte(text), 0o644)
}

// processor says what the figures were measured on.
func processor() string {
	name := "unknown processor"
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			if key, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
				name = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%s, %d cores", name, runtime.NumCPU())
}

// load is how busy the machine is with others, where it says so.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	one, _, _ := strings.Cut(string(b), " ")
	return one
}

// ratio is a/b, and no value where either was not measured.
func ratio(a, b float64) float64 {
	if a <= 0 || b <= 0 {
		return math.NaN()
	}
	return a / b
}
