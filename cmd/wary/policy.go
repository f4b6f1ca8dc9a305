package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/waryauth/wary/engine"
)

func policyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "policy", Short: "Check policies, print the default one"}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "check FILE|-",
			Short: "Check a policy whole; every defect is named with its line",
			Args:  needs("FILE"),
			RunE: func(cmd *cobra.Command, args []string) error {
				text, err := input(args[0])
				if err != nil {
					return err
				}
				p, err := engine.ParsePolicy(text)
				if err != nil {
					return fmt.Errorf("%s: %w", args[0], err)
				}
				fmt.Fprintf(cmd.OutOrStdout(), "good: version %d, %s\n", p.Version, p.Digest)
				return nil
			},
		},
		&cobra.Command{
			Use:   "default",
			Short: "Print the policy that stands where none is configured",
			Args:  needs(),
			RunE: func(cmd *cobra.Command, _ []string) error {
				_, err := cmd.OutOrStdout().Write(engine.DefaultPolicy().Text)
				return err
			},
		},
	)
	return cmd
}
