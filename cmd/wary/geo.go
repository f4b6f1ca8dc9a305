package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/oschwald/geoip2-golang/v2"
	"github.com/spf13/cobra"

	"github.com/waryauth/wary/signals"
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
			answer, err := geoLookup(geoip.Find(dir), args, time.Now())
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
			return answer.print(cmd.OutOrStdout())
		},
	}
	c.Flags().StringVar(&dir, "geo", "data/geo", "folder of the geo files")
	out.flag(c)
	return c
}

// geoAnswer is what geo files say of some addresses.
type geoAnswer struct {
	Addresses []geoAddress     `json:"addresses"`
	Files     []geoip.FileInfo `json:"files"`
}

// geoAddress is what the engine sees of an address, with the names that it does
// not need.
type geoAddress struct {
	Address      string   `json:"address"`
	Country      string   `json:"country,omitempty"`
	Region       string   `json:"region,omitempty"`
	City         string   `json:"city,omitempty"`
	Latitude     *float64 `json:"latitude,omitempty"`
	Longitude    *float64 `json:"longitude,omitempty"`
	AccuracyKM   float64  `json:"accuracy_km,omitempty"`
	TimezoneMin  *int16   `json:"timezone_min,omitempty"` // minutes east of UTC, now
	InEU         bool     `json:"in_eu,omitempty"`
	ASN          uint32   `json:"asn,omitempty"`
	Organization string   `json:"organization,omitempty"`
	Flags        []string `json:"flags"`
	Missing      []string `json:"missing,omitempty"` // lookups that have no file
}

// geoLookup asks the files what they say of addresses at a time.
func geoLookup(files geoip.Files, addresses []string, at time.Time) (*geoAnswer, error) {
	ips := make([]netip.Addr, len(addresses))
	for i, text := range addresses {
		ip, err := netip.ParseAddr(text)
		if err != nil || ip.Zone() != "" {
			return nil, fmt.Errorf("%q is not an IP address", text)
		}
		ips[i] = ip
	}
	database, err := geoip.Open(files)
	if err != nil {
		return nil, err
	}
	names, err := openNames(files)
	if err != nil {
		return nil, err
	}
	defer names.close()
	answer := &geoAnswer{Files: database.Describe()}
	for _, ip := range ips {
		o := signals.Observation{Address: signals.Address{IP: ip}}
		database.Locate(&o, at)
		row := describe(&o)
		if !o.Network.Private {
			if err := names.add(&row, ip.Unmap()); err != nil {
				return nil, fmt.Errorf("look up %s: %w", ip, err)
			}
		}
		answer.Addresses = append(answer.Addresses, row)
	}
	return answer, nil
}

func describe(o *signals.Observation) geoAddress {
	p, n := &o.Place, &o.Network
	a := geoAddress{Address: o.Address.IP.String(), Country: p.Country.String(), AccuracyKM: p.AccuracyKM, InEU: p.InEU, ASN: n.ASN, Flags: []string{}}
	if p.Located {
		a.Latitude, a.Longitude = &p.Latitude, &p.Longitude
	}
	if p.TimezoneSet {
		a.TimezoneMin = &p.TimezoneMin
	}
	for _, f := range []struct {
		name string
		is   bool
	}{
		{"private", n.Private}, {"anonymous", n.Anonymous}, {"vpn", n.VPN}, {"hosting", n.Hosting}, {"proxy", n.Proxy},
		{"residential", n.Residential}, {"tor", n.Tor}, {"relay", n.Relay}, {"dial-up", n.Connection == signals.DialUp},
		{"cable-dsl", n.Connection == signals.CableDSL}, {"corporate", n.Connection == signals.Corporate},
		{"cellular", n.Connection == signals.Cellular}, {"satellite", n.Connection == signals.Satellite},
	} {
		if f.is {
			a.Flags = append(a.Flags, f.name)
		}
	}
	for _, m := range []struct {
		bit  signals.Missing
		name string
	}{{signals.MissingPlace, "place"}, {signals.MissingNetwork, "network"}, {signals.MissingAnonymity, "anonymity"}} {
		if o.Missing&m.bit != 0 {
			a.Missing = append(a.Missing, m.name)
		}
	}
	return a
}

// geoNames reads the names that the engine has no use for. Files that are not
// there are nil.
type geoNames struct{ city, network *geoip2.Reader }

func openNames(files geoip.Files) (*geoNames, error) {
	n := &geoNames{}
	network := files.ISP
	if network == "" {
		network = files.ASN
	}
	for path, into := range map[string]**geoip2.Reader{files.City: &n.city, network: &n.network} {
		if path == "" {
			continue
		}
		reader, err := geoip2.Open(path)
		if err != nil {
			n.close()
			return nil, fmt.Errorf("open %s: %w", path, err)
		}
		*into = reader
	}
	return n, nil
}

func (n *geoNames) close() {
	for _, r := range []*geoip2.Reader{n.city, n.network} {
		if r != nil {
			r.Close()
		}
	}
}

func (n *geoNames) add(a *geoAddress, ip netip.Addr) error {
	var failed error
	if n.city != nil {
		city, err := n.city.City(ip)
		failed = errors.Join(failed, err)
		a.City = city.City.Names.English
		if len(city.Subdivisions) > 0 {
			a.Region = city.Subdivisions[0].Names.English
		}
	}
	if n.network != nil {
		network, err := n.network.ASN(ip)
		failed = errors.Join(failed, err)
		a.Organization = network.AutonomousSystemOrganization
	}
	return failed
}

// print writes a table of the addresses, then one of the files.
func (g *geoAnswer) print(w io.Writer) error {
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
