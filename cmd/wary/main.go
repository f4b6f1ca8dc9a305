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
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	os.Exit(run(ctx, root()))
}

// run executes the command line and returns the exit code: 0 for success, 1 for
// a failure, 2 for a command line that says nothing that can be done.
func run(ctx context.Context, c *cobra.Command) int {
	err := c.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errSaid):
		return 1
	case errors.As(err, &usage), strings.HasPrefix(err.Error(), "unknown command"): // cobra has no type for it
		fmt.Fprintln(os.Stderr, "wary:", strings.TrimSpace(err.Error()))
		return 2
	}
	fmt.Fprintln(os.Stderr, "wary:", err)
	return 1
}

// usageError is a command line that cannot be followed.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

// misused returns a usageError that names the command and where its help is.
func misused(cmd *cobra.Command, format string, args ...any) error {
	return usageError{fmt.Sprintf("%s (%s --help says more)", fmt.Sprintf(format, args...), cmd.CommandPath())}
}

// needs returns a check that exactly the named arguments are there, none empty.
func needs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		for i, name := range names {
			if i >= len(args) || args[i] == "" {
				return misused(cmd, "%s is missing", name)
			}
		}
		if len(args) > len(names) {
			return misused(cmd, "unexpected argument %q", args[len(names)])
		}
		return nil
	}
}

// errSaid ends with a failure that was already told.
var errSaid = errors.New("said")

func root() *cobra.Command {
	c := &cobra.Command{
		Use:           "wary",
		Short:         "The tool of the Wary risk engine",
		Long:          "The tool of the Wary risk engine. Ends with 0, with 1 if something failed, with 2 if the command line cannot be followed.",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	c.AddCommand(
		tourCommand(), scoreCommand(), feedbackCommand(), decisionCommand(), explainCommand(), loadCommand(),
		replayCommand(), verifyCommand(), exportCommand(), simulateCommand(), trainCommand(), retrainCommand(), evaluateCommand(), rbaCommand(),
		modelCommand(), typingCommand(), geoCommand(), policyCommand(), keyCommand(), kafkaCommand(),
		clientCommand(), accountCommand(), revokeCommand(), conformanceCommand(),
	)
	c.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return misused(cmd, "%v", err) })
	for _, group := range c.Commands() {
		if group.HasSubCommands() {
			group.RunE = chooseCommand
		}
	}
	return c
}

// chooseCommand is what a group of commands does by itself: it refuses what is
// none of them, where cobra would show the help and succeed.
func chooseCommand(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return misused(cmd, "unknown command %q", args[0])
	}
	return cmd.Help()
}
