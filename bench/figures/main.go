// Command figures answers: does it reach what it set out to?
//
// It measures everything in one run and prints a line a figure: name, value, goal,
// and ok or short, separated by tabs. A figure that nothing here can measure yet
// has the value none and is short. A whole run also writes bench/figures.tsv, with
// the processor and what the ratios were made of in comments, and the tables of
// docs/models-figures.md.
//
// It runs itself again for every server and client, so that each is a process with
// a core of its own, and runs go test for what only a package's own benchmarks
// reach: start it at the root of the repository.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if err := start(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
		os.Exit(1)
	}
}

// longest bounds a run: children and tests end with it.
const longest = 20 * time.Minute

func start(args []string) error {
	if len(args) > 0 && args[0] == childCommand {
		return child(args[1:])
	}
	r := &run{}
	fs := flag.NewFlagSet("figures", flag.ExitOnError)
	fs.StringVar(&r.only, "only", "", "measure only this group or figure; figures.tsv is left alone")
	fs.BoolVar(&r.quick, "quick", false, "fewer and shorter rounds; figures.tsv is left alone")
	fs.StringVar(&r.geo, "geo", "data/geo", "folder of the geo files, used where they are there")
	fs.StringVar(&r.profile, "profile", "", "write a processor profile of the score API under load over loopback")
	page := fs.Bool("page", false, "measure nothing: bring the tables of "+modelsPage+" up to date with "+figuresFile)
	_ = fs.Parse(args) // exits
	if *page {
		return writePage(modelsPage, figuresFile)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	var err error
	if r.dir, err = os.MkdirTemp("", "wary-figures-"); err != nil {
		return err
	}
	defer os.RemoveAll(r.dir)
	r.note("load average of the machine at the start: %s", load())
	for _, g := range groups() {
		if !r.wants(&g) {
			continue
		}
		values, err := g.measure(ctx, r)
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", g.name, ctx.Err())
		}
		if err != nil {
			r.note("%s: %v", g.name, err)
		}
		r.record(&g, values)
	}
	if len(r.lines) == 0 {
		return fmt.Errorf("there is no group or figure %q", r.only)
	}
	if r.only != "" || r.quick {
		return nil
	}
	if err := r.write(figuresFile); err != nil {
		return err
	}
	return writePage(modelsPage, figuresFile)
}
