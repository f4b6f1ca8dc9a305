// Command wary answers: what can a person do with the engine by hand?
//
// It takes the tour, asks a daemon, reads its log, makes decisions again, grows
// and judges models, builds geo files and checks policies.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := root().ExecuteContext(ctx); err != nil {
		if !errors.Is(err, errSaid) {
			fmt.Fprintln(os.Stderr, "wary:", err)
		}
		os.Exit(1)
	}
}

// errSaid ends with a failure that was already told.
var errSaid = errors.New("said")

func root() *cobra.Command {
	c := &cobra.Command{
		Use:           "wary",
		Short:         "The tool of the Wary risk engine",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	c.AddCommand(
		tourCommand(), scoreCommand(), feedbackCommand(), decisionCommand(), loadCommand(),
		replayCommand(), verifyCommand(), simulateCommand(), trainCommand(), evaluateCommand(),
		geoCommand(), policyCommand(), keyCommand(),
	)
	return c
}
