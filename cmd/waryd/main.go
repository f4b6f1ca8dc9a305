// Command waryd answers: how does the engine run?
//
// It reads one configuration, starts in order (operators' listener, geo files,
// model, policy, engine, authorization server, score API) and stops in reverse when it is told to.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the linker.
var version = "dev"

func main() {
	err := run(os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "waryd:", err)
		os.Exit(1)
	}
}

func run(args []string, env func(string) string, stdout, stderr io.Writer) error {
	c, o, err := load(args, env, stdout)
	if err != nil {
		return err
	}
	if o.version {
		fmt.Fprintln(stdout, "waryd", version)
		return nil
	}
	log, err := newLog(c, stderr)
	if err != nil {
		return err
	}
	slog.SetDefault(log)
	if o.check {
		return check(c, stdout)
	}
	stop, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	context.AfterFunc(stop, cancel) // a second signal ends the process at once
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP, syscall.SIGUSR1)
	defer signal.Stop(again)
	d, err := start(c, log)
	if err != nil {
		return err
	}
	return d.run(stop, again)
}

func newLog(c *Config, w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Log.Level)); err != nil {
		return nil, fmt.Errorf("log.level: %q is unknown", c.Log.Level)
	}
	o := &slog.HandlerOptions{Level: level}
	switch c.Log.Format {
	case "text":
		return slog.New(slog.NewTextHandler(w, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return nil, fmt.Errorf("log.format: %q is neither text nor json", c.Log.Format)
}
