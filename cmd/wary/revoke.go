package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

func revokeCommand() *cobra.Command {
	var c client
	doc := map[string]*string{}
	cmd := &cobra.Command{
		Use:   "revoke",
		Short: "End what was granted to a person, a login session or a client, a grant, or a token",
		Long: "Asks the operators' listener of a daemon (operators.listen) to end everything that was granted until now. It counts at once at refresh and\n" +
			"introspection, and within half of their ttl in the status lists. Who and why go into the log. A token is read from standard input, since a\n" +
			"command line is seen by every user of the machine.",
		Example: "  wary revoke --subject alice --because 'lost her phone'\n  wary revoke --client budget --because 'key leaked' --by 'security, case 311'\n  wary revoke --token - --because 'seen in a log' < token",
		Args:    needs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := map[string]string{}
			for name, value := range doc {
				if *value != "" {
					out[name] = *value
				}
			}
			if out["token"] != "" {
				if out["token"] != "-" {
					return misused(cmd, "--token takes -, and the token from standard input")
				}
				text, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), 16<<10))
				if err != nil {
					return fmt.Errorf("read the token from standard input: %w", err)
				}
				out["token"] = strings.TrimSpace(string(text))
			}
			if out["because"] == "" {
				return misused(cmd, "--because is missing: the log keeps the reason")
			}
			body, err := json.Marshal(out)
			if err != nil {
				return err
			}
			_, err = c.post(cmd.Context(), "/v1/revocations", body)
			return err
		},
	}
	c.flags(cmd)
	operators := os.Getenv("WARY_OPERATORS")
	if operators == "" {
		operators = "http://127.0.0.1:8081"
	}
	server := cmd.Flags().Lookup("server")
	server.Usage, server.DefValue, c.server = "address of the operators' listener ($WARY_OPERATORS)", operators, operators
	for name, usage := range map[string]string{
		"subject": "a person", "session": "a login session", "client": "a client", "grant": "a grant: what the jti of its tokens begins with, up to the point",
		"token": "-: an access token, its jti, or a refresh token (which ends its grant), from standard input", "because": "why (required)", "by": "who wants it (default operator)",
	} {
		doc[name] = cmd.Flags().String(name, "", usage)
	}
	return cmd
}
