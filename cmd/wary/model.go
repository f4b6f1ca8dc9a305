package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/engine/feedback"
	"github.com/waryauth/wary/models"
)

func modelCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "model",
		Short: "Bring, sign, compare and promote models",
		Long: "A registry is a folder of models and a file, serving.json, that names the champion, which decides, and at most one\n" +
			"challenger, whose answer is only recorded. A daemon that runs takes up a change within seconds.\n\n" +
			"MODEL is the first digits of a digest, baseline (the embedded one), champion, challenger, or a model's folder.",
	}
	cmd.AddCommand(modelListCommand(), modelShowCommand(), modelAddCommand(), modelSignCommand(), modelShadowCommand(), modelPromoteCommand(), modelRollbackCommand(), modelWatchCommand(), modelCompareCommand(), modelCheckCommand())
	return cmd
}

// store is a registry as the flags name it.
type store struct {
	dir, keys, by string
	*models.Registry
	own *models.Model
}

// baselineName stands for the model that a daemon embeds.
const baselineName = "baseline"

// flags adds the flags; the registry they name is open when the command runs.
func (s *store) flags(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&s.dir, "models", filepath.Join("run", "data", engine.ModelFolder), "folder of models: models.dir of the daemon, or DATA/models")
	fs.StringVar(&s.keys, "keys", os.Getenv("WARY_MODELS_KEYS"), "public keys, separated by commas, one of which must have signed a model ($WARY_MODELS_KEYS)")
	cmd.PreRunE = func(*cobra.Command, []string) error { return s.open() }
}

func (s *store) open() error {
	var keys []models.PublicKey
	for text := range strings.SplitSeq(s.keys, ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		k, err := models.ParsePublicKey(text)
		if err != nil {
			return usageError{"--keys: " + err.Error()}
		}
		keys = append(keys, k)
	}
	var err error
	if s.own, err = models.Baseline(); err != nil {
		return err
	}
	s.Registry = models.NewRegistry(s.dir, keys, s.own)
	return nil
}

// find loads the model that a text names, and proves it.
func (s *store) find(text string) (*models.Model, error) {
	names, err := s.names()
	if err != nil {
		return nil, err
	}
	switch text {
	case baselineName:
		return s.own, nil
	case models.ChampionRole:
		if names.Champion == "" {
			return s.own, nil
		}
		return s.Model(names.Champion)
	case models.ChallengerRole:
		if names.Challenger == "" {
			return nil, errors.New("no challenger is named")
		}
		return s.Model(names.Challenger)
	}
	if stat, err := os.Stat(text); err == nil && stat.IsDir() {
		return s.LoadDir(text)
	}
	digest, err := s.Find(text)
	if err != nil {
		return nil, err
	}
	return s.Model(digest)
}

// names returns who serves; where nobody was ever named, nobody.
func (s *store) names() (models.Names, error) {
	n, err := s.Names()
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return n, err
}

// short is what a person needs of a digest to name a model.
func short(digest string) string {
	digits := strings.TrimPrefix(digest, "sha256:")
	return digits[:min(len(digits), 12)]
}

// listed is a row of `wary model list`.
type listed struct {
	Role    string    `json:"role,omitempty"`
	Digest  string    `json:"digest"`
	Version string    `json:"version,omitempty"`
	Created time.Time `json:"created,omitzero"`
	Signer  string    `json:"signer,omitempty"`
	Problem string    `json:"problem,omitempty"`
}

func modelListCommand() *cobra.Command {
	var s store
	var out output
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the models of a registry, who serves first",
		Long:  "Looks at digests, cards and signatures; `wary model show` loads and proves a model. Ends with 1 if one that serves has a problem.",
		Args:  needs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := out.check(); err != nil {
				return err
			}
			entries, err := s.List()
			if err != nil {
				return err
			}
			rows, bad := make([]listed, len(entries)), false
			for i, e := range entries {
				rows[i] = listed{Role: e.Role, Digest: e.Digest, Version: e.Card.Version, Created: e.Card.Created, Signer: e.Signer}
				if e.Err != nil {
					rows[i].Problem = e.Err.Error()
					bad = bad || e.Role != ""
				}
			}
			if err := printModels(cmd.OutOrStdout(), out, rows); err != nil {
				return err
			}
			if bad {
				return errSaid
			}
			return nil
		},
	}
	s.flags(cmd)
	out.flag(cmd)
	return cmd
}

func printModels(w io.Writer, out output, rows []listed) error {
	if out == "json" {
		return writeJSON(w, rows)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "ROLE\tMODEL\tVERSION\tCREATED\tSIGNED BY\tPROBLEM")
	for _, r := range rows {
		created := ""
		if !r.Created.IsZero() {
			created = r.Created.UTC().Format(time.DateOnly)
		}
		signer := strings.TrimPrefix(r.Signer, "ed25519:")
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Role, short(r.Digest), r.Version, created, signer[:min(len(signer), 8)], r.Problem)
	}
	return tw.Flush()
}

func modelShowCommand() *cobra.Command {
	var s store
	var out output
	cmd := &cobra.Command{
		Use:   "show MODEL",
		Short: "Load a model, prove it and show its card",
		Args:  needs("MODEL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			m, err := s.find(args[0])
			if err != nil {
				return err
			}
			if out == "json" {
				return writeJSON(cmd.OutOrStdout(), struct {
					Digest string      `json:"digest"`
					Trees  int         `json:"trees"`
					Kernel string      `json:"kernel"`
					Card   models.Card `json:"card"`
				}{m.Digest(), m.Trees(), m.Kernel(), m.Card()})
			}
			return printCard(cmd.OutOrStdout(), m)
		},
	}
	s.flags(cmd)
	out.flag(cmd)
	return cmd
}

func printCard(w io.Writer, m *models.Model) error {
	c := m.Card()
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "model\t%s\n", c.Version)
	fmt.Fprintf(tw, "digest\t%s\n", m.Digest())
	fmt.Fprintf(tw, "created\t%s\n", c.Created.UTC().Format(time.RFC3339))
	fmt.Fprintf(tw, "trees\t%d, walked by kernel %s\n", m.Trees(), m.Kernel())
	fmt.Fprintf(tw, "schema\t%s, this program's\n", short(c.Schema))
	fmt.Fprintf(tw, "trained on\t%d rows, %s to %s, %s\n", c.Data.Rows, c.Data.From.UTC().Format(time.DateOnly), c.Data.To.UTC().Format(time.DateOnly), c.Data.Generator)
	fmt.Fprintf(tw, "calibration\t%s, prior shift %.4g\n", c.Calibration.Kind, c.Calibration.PriorShift)
	names := make([]string, 0, len(c.Metrics))
	for name := range c.Metrics {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(tw, "%s\t%.4g\n", name, c.Metrics[name])
	}
	if c.Notes != "" {
		fmt.Fprintf(tw, "notes\t%s\n", c.Notes)
	}
	return tw.Flush()
}

func modelAddCommand() *cobra.Command {
	var s store
	cmd := &cobra.Command{
		Use:     "add FOLDER",
		Short:   "Bring a model into the registry, with its signature",
		Long:    "Loads and proves the model of a folder, as `wary train --out FOLDER` writes it, and copies it under its digest.\nNothing serves by that: `wary model shadow` and `wary model promote` say who does.",
		Example: "  wary train --out run/candidate && wary model add run/candidate",
		Args:    needs("FOLDER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := s.Add(args[0])
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "added %s: %s\n", m.Version(), m.Digest())
			return nil
		},
	}
	s.flags(cmd)
	return cmd
}

func modelSignCommand() *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use:   "sign FOLDER",
		Short: "Sign the model in a folder",
		Long: "Loads and proves the model, and writes signature.json beside it: an Ed25519 signature over its digest, which names text and\n" +
			"card. The key comes from `wary key model FILE`, or is any unencrypted Ed25519 key in PEM that nobody else may read.",
		Example: "  wary model sign --key signing.pem run/candidate && wary model add run/candidate",
		Args:    needs("FOLDER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if key == "" {
				return misused(cmd, "--key is missing: the file of a private key")
			}
			s, err := readSigner(key)
			if err != nil {
				return fmt.Errorf("--key: %w", err)
			}
			m, err := s.SignDir(args[0])
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "signed %s: %s\nby %s\n", m.Version(), m.Digest(), s.Public())
			return nil
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "file of the private key")
	return cmd
}

func modelShadowCommand() *cobra.Command {
	var s store
	var none bool
	cmd := &cobra.Command{
		Use:   "shadow MODEL",
		Short: "Name the challenger: it scores every attempt and decides none",
		Args: func(cmd *cobra.Command, args []string) error {
			if none {
				return needs()(cmd, args)
			}
			return needs("MODEL")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			names, err := s.names()
			if err != nil {
				return err
			}
			names.Challenger, names.By = "", s.by
			if none {
				return s.name(cmd.OutOrStdout(), names)
			}
			m, err := s.find(args[0])
			if err != nil {
				return err
			}
			names.Challenger = m.Digest()
			return s.name(cmd.OutOrStdout(), names)
		},
	}
	s.flags(cmd)
	s.byFlag(cmd)
	cmd.Flags().BoolVar(&none, "none", false, "name no challenger")
	return cmd
}

func modelPromoteCommand() *cobra.Command {
	var s store
	cmd := &cobra.Command{
		Use:   "promote [MODEL]",
		Short: "Name the champion: the challenger, or another model",
		Long: "Without MODEL the challenger becomes champion. What does not load, or is not signed where keys are given, is refused and\n" +
			"nothing changes. The former champion stays in the folder: promote it again to go back.",
		Example: "  wary model promote\n  wary model promote baseline",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			who := models.ChallengerRole
			if len(args) == 1 {
				who = args[0]
			}
			m, err := s.find(who)
			if err != nil {
				return err
			}
			digest := m.Digest()
			if m == s.own {
				digest = "" // whatever the daemon embeds, an update of it included
			}
			names, err := feedback.Promote(s.Registry, digest, s.by)
			if err != nil {
				return err
			}
			printNames(cmd.OutOrStdout(), names)
			if names.Before != names.Champion {
				fmt.Fprintln(cmd.OutOrStdout(), "to go back: wary model rollback")
			}
			return nil
		},
	}
	s.flags(cmd)
	s.byFlag(cmd)
	return cmd
}

func modelRollbackCommand() *cobra.Command {
	var s store
	cmd := &cobra.Command{
		Use:   "rollback",
		Short: "Make the champion of before the champion again",
		Long:  "Takes back the last promotion. Once more, and that is taken back.",
		Args:  needs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			names, err := feedback.Rollback(s.Registry, s.by)
			if err == nil {
				printNames(cmd.OutOrStdout(), names)
			}
			return err
		},
	}
	s.flags(cmd)
	s.byFlag(cmd)
	return cmd
}

func modelWatchCommand() *cobra.Command {
	var s store
	var out output
	var data string
	var rules feedback.Rules
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Tell the evidence on the challenger: where it disagrees, what labels say of that, and whether it is enough",
		Args:  needs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := out.check(); err != nil {
				return err
			}
			w, err := s.watch(cmd.Context(), data, rules)
			if err == nil && out == "json" {
				return writeJSON(cmd.OutOrStdout(), w)
			}
			if err != nil {
				return err
			}
			return w.Print(cmd.OutOrStdout())
		},
	}
	s.flags(cmd)
	out.flag(cmd)
	fs := cmd.Flags()
	fs.StringVar(&data, "data", filepath.Join("run", "data"), "data folder of the daemon")
	fs.Float64Var(&rules.Error, "error", 0.05, "chance of a wrong word, however often one looks")
	fs.Float64Var(&rules.Harm, "harm", 0.01, "share of the legitimate attempts that the challenger may newly challenge")
	return cmd
}

// watch reads the evidence on the challenger from a log.
func (s *store) watch(ctx context.Context, data string, rules feedback.Rules) (*feedback.Watch, error) {
	if _, err := logOf(data); err != nil {
		return nil, err
	}
	champion, err := s.find(models.ChampionRole)
	if err != nil {
		return nil, err
	}
	challenger, err := s.find(models.ChallengerRole)
	if err != nil {
		return nil, err
	}
	rows := feedback.Window(data, time.Time{}, time.Time{}, feedback.WindowOptions{})
	return feedback.Shadowed(ctx, rows, champion.Digest(), challenger.Digest(), time.Now(), rules)
}

func (s *store) byFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.by, "by", os.Getenv("USER"), "who has it so, for the log")
}

// name writes who serves and says so.
func (s *store) name(w io.Writer, n models.Names) error {
	if err := s.Name(n); err != nil {
		return err
	}
	printNames(w, n)
	return nil
}

func printNames(w io.Writer, n models.Names) {
	fmt.Fprintf(w, "champion %s, challenger %s\n", short(cmp.Or(n.Champion, baselineName)), short(cmp.Or(n.Challenger, "none")))
}
