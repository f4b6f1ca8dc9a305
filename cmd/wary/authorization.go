package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/waryauth/wary/authz"
	"github.com/waryauth/wary/authz/ceremony"
	"github.com/waryauth/wary/bench/conformance"
	"github.com/waryauth/wary/internal/store/bolt"
)

func clientCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "client", Short: "Clients of the authorization server"}
	cmd.AddCommand(clientCheckCommand())
	return cmd
}

func clientCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "check FILE",
		Short:   "Check a file of clients",
		Long:    "Reads the file as the daemon does (authorization.clients), names every defect, and prints what it holds.",
		Example: "  wary client check clients.yaml",
		Args:    needs("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			c, err := authz.ParseClients(text)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d clients are good; scopes: %s\n", c.Len(), strings.Join(c.Scopes(), " "))
			return err
		},
	}
}

func accountCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "account", Short: "People who log in at the authorization server"}
	cmd.AddCommand(accountAddCommand())
	return cmd
}

func accountAddCommand() *cobra.Command {
	var secretFile, issuer string
	var app bool
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Make an account",
		Long: "Reads a password from the first line of standard input and prints the row for the daemon's file of accounts (authorization.accounts),\n" +
			"which begins with a line \"accounts:\". The password is kept as an Argon2id hash. With --app the account gets an authenticator app: its\n" +
			"secret is sealed in the row with the secret of the daemon, and shown once, on standard error, as the address that apps read.",
		Example: "  echo accounts: > accounts.yaml\n  wary account add alice --app --secret run/data/authorization.secret < password >> accounts.yaml",
		Args:    needs("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var secret [32]byte
			if app {
				var err error
				if secret, err = readHexSecret(secretFile); err != nil {
					return fmt.Errorf("--secret: %w", err)
				}
			}
			password, err := firstLine(cmd.InOrStdin())
			if err != nil {
				return fmt.Errorf("read the password from standard input: %w", err)
			}
			row, url, err := ceremony.NewAccount(args[0], password, issuer, secret, app)
			if err != nil {
				return err
			}
			if url != "" {
				fmt.Fprintln(cmd.ErrOrStderr(), url)
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), row)
			return err
		},
	}
	cmd.Flags().BoolVar(&app, "app", false, "the account has an authenticator app, so that it can step up")
	cmd.Flags().StringVar(&secretFile, "secret", filepath.Join("run", "data", "authorization.secret"), "the daemon's authorization.secret, made at its first start")
	cmd.Flags().StringVar(&issuer, "issuer", "Wary", "what the app calls the server")
	return cmd
}

// maxPassword is far above what the login page takes, in bytes.
const maxPassword = 4096

func firstLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxPassword)).ReadString('\n')
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", errors.Join(errors.New("it is empty"), err)
	}
	return line, nil
}

func readHexSecret(path string) (out [32]byte, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return out, err
	}
	raw, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(raw) != len(out) {
		return out, fmt.Errorf("%s: is not 64 hexadecimal digits", path)
	}
	return [32]byte(raw), nil
}

func keyRotateCommand() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Rotate the signing keys of an authorization server that is stopped",
		Long: "Makes the next key the one that signs, retires the present one, and makes a new next one. Tokens signed before stay good: the retired\n" +
			"key is published for another day. While the daemon runs the store is its own: send it SIGUSR1 instead, which does the same.",
		Example: "  wary key rotate --data run/data\n  kill -USR1 $(pidof waryd)",
		Args:    needs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			secret, err := readHexSecret(filepath.Join(data, "authorization.secret"))
			if err != nil {
				return err
			}
			return rotateKeys(cmd.Context(), cmd.OutOrStdout(), filepath.Join(data, "authorization.db"), secret)
		},
	}
	cmd.Flags().StringVar(&data, "data", filepath.Join("run", "data"), "folder of the daemon's data")
	return cmd
}

func rotateKeys(ctx context.Context, w io.Writer, path string, secret [32]byte) (err error) {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	s, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		return fmt.Errorf("%w (a daemon that runs holds it: send that SIGUSR1)", err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	keys, err := authz.OpenKeys(ctx, authz.KeyOptions{Store: s, Secret: secret})
	if err != nil {
		return err
	}
	if err := keys.Rotate(ctx); err != nil {
		return err
	}
	for _, k := range keys.List() {
		fmt.Fprintf(w, "%-8s %s since %s\n", k.State, k.ID, k.Since.UTC().Format(time.RFC3339))
	}
	return nil
}

func conformanceCommand() *cobra.Command {
	var r conformance.Run
	cmd := &cobra.Command{
		Use:   "conformance DIR",
		Short: "Write what the OpenID Foundation's conformance suite needs to judge the authorization server",
		Long: "Writes to a new folder: waryd.yaml, clients.yaml, accounts.yaml and policy.yaml for the daemon, and for each plan of the suite a file\n" +
			"with its configuration and, in plans.txt, a line with its name, the plan, and that file. Keys are made anew: they are for this and\n" +
			"nothing else. The policy allows everything, since the protocol is judged, not the decisions. See docs/conformance.md.",
		Example: "  wary conformance run/conformance\n  waryd -config run/conformance/waryd.yaml",
		Args:    needs("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := r.Write(args[0]); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "the plans are listed in %s\n", filepath.Join(args[0], "plans.txt"))
			return err
		},
	}
	cmd.Flags().StringVar(&r.Listen, "listen", "127.0.0.1:9443", "address of the authorization server")
	cmd.Flags().StringVar(&r.Suite, "suite", "https://localhost:8443", "base URL of the suite")
	return cmd
}
