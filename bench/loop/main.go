// Command loop answers: does it learn an attack that it has never seen?
//
// It runs a deployment in one process over simulated weeks: people and attackers make
// attempts, the engine decides them and logs them, labels come back days later, and the
// loop (engine/feedback) makes candidates of the log, has gates judge them, lets them
// shadow and promotes them. From a day of its own on, attackers do something new. It
// prints what each champion catches before and after, and writes the same as a page
// with a plot. Nothing is drawn by chance: the same flags print the same figures, but
// for times.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/waryauth/wary/bench/population"
	"github.com/waryauth/wary/models/train"
)

func main() {
	if err := start(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "loop:", err)
		os.Exit(1)
	}
}

func start(args []string, out *os.File) error {
	o := plan{}
	fs := flag.NewFlagSet("loop", flag.ExitOnError)
	fs.Uint64Var(&o.seed, "seed", 1, "seed of the simulation")
	fs.IntVar(&o.users, "users", 3000, "people")
	fs.IntVar(&o.history, "history", 42, "days of log before the first week")
	fs.IntVar(&o.days, "days", 35, "days from the first week on; the new attack begins on the 15th")
	family := fs.String("family", population.ConsentPhish.String(), "attack that is new")
	fs.StringVar(&o.library, "library", train.DefaultPath(), "LightGBM's library (make deps)")
	fs.IntVar(&o.threads, "threads", 1, "threads of LightGBM; the models are the same")
	page := fs.String("page", filepath.Join("run", "loop.html"), "page to write")
	_ = fs.Parse(args) // exits
	for f := population.Family(0); int(f) < population.FamilyCount; f++ {
		if f.String() == *family {
			o.family = f
		}
	}
	if o.family == population.Ordinary || o.users < 100 || o.history < 21 || o.days < 1 {
		return fmt.Errorf("-family must be an attack, -users at least 100, -history 21 and -days 15")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp("", "wary-loop-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	told, err := run(ctx, &o, dir, func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) })
	if err != nil {
		return err
	}
	if err := told.print(out); err != nil {
		return err
	}
	if err := told.writePage(*page); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nthe plot: %s\n", *page)
	if o := told.outcome(); !o.ok() {
		return fmt.Errorf("short of what it set out to show")
	}
	return nil
}
