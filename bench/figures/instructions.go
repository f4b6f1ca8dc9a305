package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waryauth/wary/models/train"
)

// counted is how many rows the instructions are counted over.
const counted = 4096

// instructions counts those of a row for each way in Go, by perf where this machine
// lets it count, else by valgrind.
func instructions(ctx context.Context, r *run, trial string) error {
	count, none, err := counter(ctx, trial)
	if err != nil {
		r.note("instructions are not counted: %s", told(err))
		return ctx.Err()
	}
	for _, way := range []string{"avx512", "avx2", "go", "leaves", "lightgbm"} {
		n, err := count(ctx, trial, way, counted)
		if err == nil && n > none {
			r.note("limit %s %s instructions=%d", trial, way, (n-none)/counted)
		}
	}
	return ctx.Err()
}

type count func(ctx context.Context, trial, way string, rows int) (int64, error)

// counter returns the first way of counting that works, and what is counted before
// the first row.
func counter(ctx context.Context, trial string) (count, int64, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, 0, err
	}
	under := func(words ...string) count {
		return func(ctx context.Context, trial, way string, rows int) (int64, error) {
			words := append(slices.Clip(words), self, childCommand, "walk", trial, way, strconv.Itoa(rows))
			cmd := exec.CommandContext(ctx, words[0], words[1:]...)
			// Valgrind does not follow signals that interrupt a goroutine.
			cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1")
			cmd.WaitDelay = 5 * time.Second
			out, err := cmd.CombinedOutput()
			if err != nil {
				return 0, fmt.Errorf("%s: %w: %s", words[0], err, lastLine(out))
			}
			return instructionsIn(string(out))
		}
	}
	for _, c := range []count{
		under("perf", "stat", "-x,", "-e", "instructions:u"),
		under("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"),
	} {
		none, failed := c(ctx, trial, "none", 0)
		if failed == nil {
			return c, none, nil
		}
		err = errors.Join(err, failed)
	}
	return nil, 0, err
}

// instructionsIn finds the number in what perf or cachegrind wrote.
func instructionsIn(out string) (int64, error) {
	for line := range strings.Lines(out) {
		if number, _, ok := strings.Cut(line, ",,instructions:u,"); ok {
			return strconv.ParseInt(number, 10, 64)
		}
		if _, number, ok := strings.Cut(line, " refs:"); ok {
			return strconv.ParseInt(strings.ReplaceAll(strings.TrimSpace(number), ",", ""), 10, 64)
		}
	}
	return 0, errors.New("no number of instructions was found")
}

// walkChild TRIAL WAY ROWS takes rows through one way, "none" for no way, after
// everything is ready for any of them.
func walkChild(args []string) error {
	if len(args) != 3 {
		return errors.New("walk: want trial, way, rows")
	}
	rows, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	t, err := openTrial(trialsDir, args[0])
	if err != nil {
		return err
	}
	ways, _, err := kernelWays(t)
	if err != nil {
		return err
	}
	if l, err := leavesWay(t); err == nil {
		ways = append(ways, l)
	}
	if score, _, err := lightgbmWays(t, train.DefaultPath()); err == nil {
		ways = append(ways, score)
	}
	for _, w := range ways {
		if w.name == args[1] {
			w.run(0, make([]float64, rows))
			return nil
		}
	}
	if args[1] != "none" {
		return fmt.Errorf("there is no way %q here", args[1])
	}
	return nil
}
