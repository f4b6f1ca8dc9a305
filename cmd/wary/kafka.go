package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/waryauth/wary/engine"
	"github.com/waryauth/wary/engine/exchange"
)

func kafkaCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "kafka", Short: "Make the topics, and see how far readers and writers are behind"}
	cmd.AddCommand(kafkaInitCommand(), kafkaLagCommand())
	return cmd
}

// brokerFlags are the flags that say how to reach the brokers.
func brokerFlags(cmd *cobra.Command, s *exchange.Settings) {
	f := cmd.Flags()
	f.StringSliceVar(&s.Brokers, "brokers", []string{"127.0.0.1:9092"}, "some of the brokers, HOST:PORT parted by commas")
	f.StringVar(&s.Prefix, "topics", "wary", "what the topics' names begin with, before the dot")
	f.StringVar(&s.ClientID, "client-id", "wary", "name by which brokers know us")
	f.DurationVar(&s.Timeout, "timeout", 10*time.Second, "of a connection or request")
	f.BoolVar(&s.TrustedNetwork, "trusted-network", false, "states that the network may carry data without TLS to brokers off loopback")
	f.BoolVar(&s.TLS.Enabled, "tls", false, "speak TLS")
	f.StringVar(&s.TLS.CA, "tls-ca", "", "PEM file of the authorities of brokers (default: the system's)")
	f.StringVar(&s.TLS.Certificate, "tls-certificate", "", "PEM file of our certificate, where brokers ask for one")
	f.StringVar(&s.TLS.Key, "tls-key", "", "PEM file of its key")
	f.StringVar(&s.SASL.Mechanism, "sasl", "", "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512 (default: no login)")
	f.StringVar(&s.SASL.User, "user", "", "user to log in as")
	f.StringVar(&s.SASL.PasswordFile, "password-file", "", "file whose first line is the password")
}

func kafkaInitCommand() *cobra.Command {
	var s exchange.Settings
	var topics exchange.TopicOptions
	var out output
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make the topics that are not there",
		Long: "Makes wary.decisions, wary.feedback, wary.changes, wary.dead, wary.told and wary.state with settings for data that must not be lost.\n" +
			"Nothing else makes them: a daemon waits for them. Topics that are there are left as they are, and told.",
		Example: "  wary kafka init --brokers kafka-1:9093,kafka-2:9093 --tls --replication 3",
		Args:    needs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(out.check(), s.Validate()); err != nil {
				return misused(cmd, "%v", err)
			}
			made, err := exchange.Init(cmd.Context(), s, topics)
			return errors.Join(printMade(cmd.OutOrStdout(), out, made), err)
		},
	}
	out.flag(cmd)
	brokerFlags(cmd, &s)
	cmd.Flags().IntVar(&topics.Replication, "replication", 3, "copies of each partition; 1 on a single broker")
	cmd.Flags().IntVar(&topics.Partitions, "partitions", 12, "partitions of each topic; a number that is changed later moves keys")
	return cmd
}

func printMade(w io.Writer, out output, made []exchange.Made) error {
	if out == "json" {
		return writeJSON(w, made)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, m := range made {
		what := "was there"
		if m.New {
			what = "made"
		}
		fmt.Fprintf(tw, "%s\t%s\t%d partitions\t%d copies\n", m.Topic, what, m.Partitions, m.Replication)
	}
	return tw.Flush()
}

// kafkaLag is what waits in both directions; Outbox where a data folder was named.
type kafkaLag struct {
	Outbox *exchange.OutboxLag     `json:"outbox,omitempty"`
	Inbox  []exchange.PartitionLag `json:"inbox"` // and of the replica
}

func kafkaLagCommand() *cobra.Command {
	var s exchange.Settings
	var data, group, topic string
	var node uint16
	var out output
	cmd := &cobra.Command{
		Use:   "lag",
		Short: "See how many facts wait to be published, and messages to be taken",
		Long: "Reads the log of a data folder behind the place of its outbox, and asks the brokers how far a group of consumers is.\n" +
			"The daemon may run meanwhile.",
		Args: needs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(out.check(), s.Validate()); err != nil {
				return misused(cmd, "%v", err)
			}
			var lag kafkaLag
			var err error
			if data != "" {
				lag.Outbox, err = exchange.LagOfOutbox(filepath.Join(data, engine.JournalFolder), filepath.Join(data, exchange.OutboxFile))
			}
			if err == nil && group == "" {
				lag.Inbox, err = exchange.LagOfNode(cmd.Context(), s, node)
			} else if err == nil {
				lag.Inbox, err = exchange.Lag(cmd.Context(), s, group, topic)
			}
			if err != nil {
				return err
			}
			return lag.print(cmd.OutOrStdout(), out)
		},
	}
	out.flag(cmd)
	brokerFlags(cmd, &s)
	cmd.Flags().StringVar(&data, "data", "", "data folder of a daemon whose outbox to look at")
	cmd.Flags().Uint16Var(&node, "node", 0, "number of the daemon whose inbox and replica to look at")
	cmd.Flags().StringVar(&group, "group", "", "another group of consumers, instead")
	cmd.Flags().StringVar(&topic, "topic", exchange.Told, "topic that the group reads")
	return cmd
}

func (l *kafkaLag) print(w io.Writer, out output) error {
	if out == "json" {
		return writeJSON(w, l)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if o := l.Outbox; o != nil {
		fmt.Fprintf(tw, "to publish\t%d facts\t%d bytes\tthe oldest for %.1f s\n", o.Facts, o.Bytes, o.Seconds)
	}
	for _, p := range l.Inbox {
		fmt.Fprintf(tw, "%s/%d\t%d messages to read\tnext %d of %d\t%s\n", p.Topic, p.Partition, p.Lag, p.Next, p.End, p.Group)
	}
	return tw.Flush()
}
