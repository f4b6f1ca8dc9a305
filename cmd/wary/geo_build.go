package main

import (
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/waryauth/wary/signals/geoip"
	"github.com/waryauth/wary/signals/geoip/build"
)

func geoBuildCommand() *cobra.Command {
	c := &cobra.Command{Use: "build", Short: "Make a MaxMind-format file from open lists"}
	c.AddCommand(geoBuildASNCommand(), geoBuildAnonymousCommand())
	return c
}

func geoBuildASNCommand() *cobra.Command {
	var (
		dirs       []string
		out, built string
	)
	c := &cobra.Command{
		Use:   "asn --csv-dir DIR --out asn.mmdb",
		Short: "Make an ASN file from asn-ipv4.csv and asn-ipv6.csv (first, last, number, organization)",
		Args:  needs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := newTree("GeoLite2-ASN", "Made by wary from lists of autonomous systems", built)
			if err != nil {
				return err
			}
			if err := t.AddASN(dirs); err != nil {
				return err
			}
			return t.Save(cmd.ErrOrStderr(), out, func(path string) geoip.Files { return geoip.Files{ASN: path} })
		},
	}
	c.Flags().StringSliceVar(&dirs, "csv-dir", nil, "folder with asn-ipv4.csv and asn-ipv6.csv, or a CSV file (repeatable)")
	buildFlags(c, &out, &built)
	required(c, "csv-dir")
	return c
}

// anonymityLists are the classes of an Anonymous-IP file and the flags that name
// their lists. A private relay shows its client's region and is run for
// people, not against sites: it does not make an address anonymous.
var anonymityLists = [...]struct {
	flag, key string
	anonymous bool
	what      string
}{
	{"vpn", "is_anonymous_vpn", true, "commercial VPNs"},
	{"hosting", "is_hosting_provider", true, "hosting providers"},
	{"proxy", "is_public_proxy", true, "public proxies"},
	{"residential", "is_residential_proxy", true, "residential proxies"},
	{"tor", "is_tor_exit_node", true, "Tor exits"},
	{"relay", "is_private_relay", false, "private relays"},
}

func geoBuildAnonymousCommand() *cobra.Command {
	var (
		lists       [len(anonymityLists)][]string
		hostingASNs []string
		asnCSV      []string
		out, built  string
	)
	c := &cobra.Command{
		Use:   "anonymous [--vpn FILE] [--hosting FILE] [--tor FILE] ... --out anonymous.mmdb",
		Short: "Make an Anonymous-IP file from lists of networks",
		Long: `Make an Anonymous-IP file from lists of networks, as lists on the web come: one
address or CIDR network a line, or a CSV file whose lines hold one; # begins a
comment. --hosting-asn names autonomous systems instead, one a line; --asn-csv
says which networks are theirs. Every flag may be repeated.`,
		Args: needs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := newTree("GeoIP2-Anonymous-IP", "Made by wary from lists of networks", built)
			if err != nil {
				return err
			}
			for i, list := range anonymityLists {
				if err := t.AddLists(lists[i], list.key, list.anonymous); err != nil {
					return err
				}
			}
			if err := t.AddHosting(hostingASNs, asnCSV); err != nil {
				return err
			}
			return t.Save(cmd.ErrOrStderr(), out, func(path string) geoip.Files { return geoip.Files{Anonymous: path} })
		},
	}
	names := []string{"hosting-asn"}
	for i, list := range anonymityLists {
		c.Flags().StringSliceVar(&lists[i], list.flag, nil, "list of networks of "+list.what)
		names = append(names, list.flag)
	}
	c.Flags().StringSliceVar(&hostingASNs, "hosting-asn", nil, "list of numbers of hosting providers' autonomous systems")
	c.Flags().StringSliceVar(&asnCSV, "asn-csv", nil, "folder with asn-ipv4.csv and asn-ipv6.csv, or a CSV file")
	buildFlags(c, &out, &built)
	c.MarkFlagsOneRequired(names...)
	c.MarkFlagsRequiredTogether("hosting-asn", "asn-csv")
	return c
}

func buildFlags(c *cobra.Command, out, built *string) {
	c.Flags().StringVar(out, "out", "", "file to write; it is complete when it appears")
	c.Flags().StringVar(built, "built", "", "time of the data, RFC 3339 (default: now); the same lists and time give the same bytes")
	required(c, "out")
}

func required(c *cobra.Command, flag string) {
	if err := c.MarkFlagRequired(flag); err != nil {
		panic(err) // the flag is not defined: a mistake in this file
	}
}

// newTree returns a tree made at a time that the flag --built names, with a progress bar.
func newTree(databaseType, description, built string) (*build.Tree, error) {
	at := time.Now()
	if built != "" {
		var err error
		if at, err = time.Parse(time.RFC3339, built); err != nil {
			return nil, fmt.Errorf("--built: %w", err)
		}
	}
	t, err := build.New(databaseType, description, at)
	if err != nil {
		return nil, err
	}
	t.Reading = func(path string, size int64) io.WriteCloser { return progress(size, filepath.Base(path)) }
	return t, nil
}
