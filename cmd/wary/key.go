package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/waryauth/wary/engine/scoreapi"
	"github.com/waryauth/wary/models"
)

func keyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "key", Short: "Make keys for callers, keys that sign models, and rotate those that sign tokens"}
	cmd.AddCommand(keyNewCommand(), keyModelCommand(), keyRotateCommand())
	return cmd
}

func keyNewCommand() *cobra.Command {
	var rights []string
	cmd := &cobra.Command{
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
	cmd.Flags().StringSliceVar(&rights, "rights", []string{"score", "feedback", "read"}, "what the caller may do: score, feedback, read")
	return cmd
}

func keyModelCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "model FILE",
		Short: "Make a key that signs models",
		Long: "Writes the private key (Ed25519, PEM) to a new file that only you may read, and prints the public key for the daemon's\n" +
			"models.keys. With any such key configured, the daemon refuses models that none of them signed.",
		Example: "  wary key model signing.pem",
		Args:    needs("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := models.NewSigner()
			if err != nil {
				return err
			}
			if err := writeSigner(args[0], s); err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), s.Public())
			return err
		},
	}
}

// writeSigner writes a private key to a file that is new and its owner's alone.
func writeSigner(path string, s models.Signer) error {
	text, err := s.PEM()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// maxKeyBytes is far above an Ed25519 key in PEM.
const maxKeyBytes = 4096

// readSigner reads a private key, unless others may read it too.
func readSigner(path string) (s models.Signer, err error) {
	f, err := os.Open(path)
	if err != nil {
		return s, err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return s, err
	}
	if stat.Mode().Perm()&0o077 != 0 {
		return s, fmt.Errorf("%s: others may read it (mode %04o): chmod 600 %s", path, stat.Mode().Perm(), path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyBytes))
	if err != nil {
		return s, err
	}
	if s, err = models.ParseSigner(text); err != nil {
		return s, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}
