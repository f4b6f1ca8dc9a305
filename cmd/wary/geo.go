package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/waryauth/wary/signals/geoip"
)

// geoCommand makes and asks geo files.
func geoCommand() *cobra.Command {
	c := &cobra.Command{Use: "geo", Short: "Build geo files and look addresses up in them"}
	c.AddCommand(geoBuildCommand(), geoLookupCommand())
	return c
}

func geoLookupCommand() *cobra.Command {
	var (
		out output
		dir string
	)
	c := &cobra.Command{
		Use:   "lookup IP...",
		Short: "Show what the engine sees of an address, and which files say so",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			answer, err := geoip.Lookup(geoip.Find(dir), args, time.Now())
			if err != nil {
				return err
			}
			if len(answer.Files) == 0 {
				return fmt.Errorf("there are no geo files in %s (make deps fetches some)", dir)
			}
			if out == "json" {
				encoder := json.NewEncoder(cmd.OutOrStdout())
				encoder.SetIndent("", "  ")
				return encoder.Encode(answer)
			}
			return printGeo(cmd.OutOrStdout(), answer)
		},
	}
	c.Flags().StringVar(&dir, "geo", "data/geo", "folder of the geo files")
	out.flag(c)
	return c
}

// printGeo writes a table of the addresses, then one of the files.
func printGeo(w io.Writer, g *geoip.Answer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ADDRESS\tPLACE\tCOORDINATES\tUTC\tASN\tORGANIZATION\tFLAGS")
	for _, a := range g.Addresses {
		place := strings.Join(filled(a.City, a.Region, a.Country), ", ")
		coordinates, utc, asn := "", "", ""
		if a.Latitude != nil {
			coordinates = fmt.Sprintf("%.4f %.4f (%.0f km)", *a.Latitude, *a.Longitude, a.AccuracyKM)
		}
		if a.TimezoneMin != nil {
			minutes, sign := int(*a.TimezoneMin), '+'
			if minutes < 0 {
				minutes, sign = -minutes, '-'
			}
			utc = fmt.Sprintf("%c%02d:%02d", sign, minutes/60, minutes%60)
		}
		if a.ASN != 0 {
			asn = fmt.Sprintf("AS%d", a.ASN)
		}
		fmt.Fprintln(t, strings.Join([]string{a.Address, orDash(place), orDash(coordinates), orDash(utc), orDash(asn),
			orDash(a.Organization), orDash(strings.Join(a.Flags, " "))}, "\t"))
	}
	fmt.Fprintln(t, "\nFILE\tTYPE\tBUILT\tDIGEST\tPATH")
	for _, f := range g.Files {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", f.Kind, f.Type, f.Built.Format(time.DateOnly), f.Digest[:len("sha256:")+12], f.Path)
	}
	return t.Flush()
}

// filled returns those texts that are not empty.
func filled(texts ...string) []string {
	var kept []string
	for _, text := range texts {
		if text != "" {
			kept = append(kept, text)
		}
	}
	return kept
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
