package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/engine/scoreapi"
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
			Args:  cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				_, err := cmd.OutOrStdout().Write(engine.DefaultPolicy().Text)
				return err
			},
		},
	)
	return cmd
}

func keyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "key", Short: "Make keys for callers"}
	var rights []string
	create := &cobra.Command{
		Use:   "new NAME",
		Short: "Make a key for a caller",
		Long: "Prints the row for the daemon's file of keys to standard output, and the key itself to standard error.\n" +
			"The key is shown once; only its SHA-256 is kept.",
		Example: "  wary key new auth-server --rights score,feedback >> keys.yaml",
		Args:    needs("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, row, err := scoreapi.NewKey(args[0], rights)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.ErrOrStderr(), key)
			_, err = fmt.Fprint(cmd.OutOrStdout(), row)
			return err
		},
	}
	create.Flags().StringSliceVar(&rights, "rights", []string{"score", "feedback", "read"}, "what the caller may do: score, feedback, read")
	cmd.AddCommand(create)
	return cmd
}
