package main

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/inserter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
	"github.com/spf13/cobra"

	"github.com/waryauth/wary/signals/geoip"
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
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := newTree("GeoLite2-ASN", "Made by wary from lists of autonomous systems", built)
			if err != nil {
				return err
			}
			files, err := asnFiles(dirs)
			if err != nil {
				return err
			}
			if err := eachASN(files, t.addASN); err != nil {
				return err
			}
			return t.save(cmd.ErrOrStderr(), out, func(path string) geoip.Files { return geoip.Files{ASN: path} })
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
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := newTree("GeoIP2-Anonymous-IP", "Made by wary from lists of networks", built)
			if err != nil {
				return err
			}
			for i, list := range anonymityLists {
				if err := t.addLists(lists[i], list.key, list.anonymous); err != nil {
					return err
				}
			}
			if err := t.addHosting(hostingASNs, asnCSV); err != nil {
				return err
			}
			return t.save(cmd.ErrOrStderr(), out, func(path string) geoip.Files { return geoip.Files{Anonymous: path} })
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

// geoTree is a file in the making.
type geoTree struct {
	*mmdbwriter.Tree
	added, skipped int
}

func newTree(databaseType, description, built string) (*geoTree, error) {
	at := time.Now()
	if built != "" {
		var err error
		if at, err = time.Parse(time.RFC3339, built); err != nil {
			return nil, fmt.Errorf("--built: %w", err)
		}
	}
	tree, err := mmdbwriter.New(mmdbwriter.Options{
		DatabaseType: databaseType,
		Description:  map[string]string{"en": description},
		Languages:    []string{"en"},
		BuildEpoch:   at.Unix(),
		// Lists may touch reserved networks; no lookup asks for them.
		IncludeReservedNetworks: true,
	})
	if err != nil {
		return nil, err
	}
	return &geoTree{Tree: tree}, nil
}

// count counts an insertion. 2001::/32 and 2002::/16 (Teredo, 6to4) are copies
// of the IPv4 tree in this format and take no networks of their own.
func (t *geoTree) count(err error) error {
	var aliased *mmdbwriter.AliasedNetworkError
	if errors.As(err, &aliased) {
		t.skipped++
		return nil
	}
	if err == nil {
		t.added++
	}
	return err
}

func (t *geoTree) addASN(r asnRange) error {
	record := mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(r.number)}
	if r.organization != "" {
		record["autonomous_system_organization"] = mmdbtype.String(r.organization)
	}
	return t.count(t.InsertRange(r.first.AsSlice(), r.last.AsSlice(), record))
}

// flags makes the record of one class.
func flags(key string, anonymous bool) inserter.Func {
	record := mmdbtype.Map{mmdbtype.String(key): mmdbtype.Bool(true)}
	if anonymous {
		record["is_anonymous"] = mmdbtype.Bool(true)
	}
	return inserter.TopLevelMergeWith(record)
}

func (t *geoTree) addLists(files []string, key string, anonymous bool) error {
	record := flags(key, anonymous)
	return eachFile(files, func(r io.Reader) error {
		return readNetworks(r, func(p netip.Prefix) error {
			network := &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
			return t.count(t.InsertFunc(network, record))
		})
	})
}

// addHosting marks the networks of some autonomous systems.
func (t *geoTree) addHosting(lists, csvs []string) error {
	hosting := map[uint32]bool{}
	err := eachFile(lists, func(r io.Reader) error {
		return readNumbers(r, func(number uint32) { hosting[number] = true })
	})
	if err != nil || len(hosting) == 0 {
		return err
	}
	files, err := asnFiles(csvs)
	if err != nil {
		return err
	}
	record := flags("is_hosting_provider", true)
	return eachASN(files, func(r asnRange) error {
		if !hosting[r.number] {
			return nil
		}
		return t.count(t.InsertRangeFunc(r.first.AsSlice(), r.last.AsSlice(), record))
	})
}

// save writes the file beside out, opens it as the daemon would, and renames it.
func (t *geoTree) save(log io.Writer, out string, as func(path string) geoip.Files) (err error) {
	if t.added == 0 {
		return errors.New("the lists hold no network: nothing is written")
	}
	f, err := os.CreateTemp(filepath.Dir(out), "."+filepath.Base(out)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close() // already closed, or of no more use
			_ = os.Remove(f.Name())
		}
	}()
	if _, err := t.WriteTo(f); err != nil {
		return fmt.Errorf("write %s: %w", out, err)
	}
	if err := errors.Join(f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	database, err := geoip.Open(as(f.Name()))
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), out); err != nil {
		return err
	}
	info := database.Describe()[0]
	fmt.Fprintf(log, "%s: %d entries (%d within 2001::/32 and 2002::/16 skipped), %d bytes, %s\n", out, t.added, t.skipped, info.Bytes, info.Digest)
	return nil
}

// asnFiles names the CSV files of folders; a path that is no folder is a file.
func asnFiles(paths []string) ([]string, error) {
	var files []string
	for _, path := range paths {
		stat, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !stat.IsDir() {
			files = append(files, path)
			continue
		}
		found := len(files)
		for _, name := range []string{"asn-ipv4.csv", "asn-ipv6.csv"} {
			if _, err := os.Stat(filepath.Join(path, name)); err == nil {
				files = append(files, filepath.Join(path, name))
			}
		}
		if len(files) == found {
			return nil, fmt.Errorf("%s holds neither asn-ipv4.csv nor asn-ipv6.csv", path)
		}
	}
	return files, nil
}

// eachFile reads files one after the other and names the one that is at fault.
func eachFile(files []string, read func(io.Reader) error) error {
	for _, path := range files {
		if err := withProgress(path, read); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

func withProgress(path string, read func(io.Reader) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return err
	}
	bar := progress(stat.Size(), filepath.Base(path))
	defer bar.Finish()
	return read(io.TeeReader(f, bar))
}

func eachASN(files []string, each func(asnRange) error) error {
	return eachFile(files, func(r io.Reader) error { return readASN(r, each) })
}

// asnRange is a row of an ASN list: both ends belong to it.
type asnRange struct {
	first, last  netip.Addr
	number       uint32
	organization string
}

// readASN reads rows of first address, last address, number, organization. Rows
// of AS 0 (not routed, RFC 7607) are passed over.
func readASN(r io.Reader, each func(asnRange) error) error {
	rows := csv.NewReader(r)
	rows.FieldsPerRecord = 4
	rows.ReuseRecord = true
	for {
		fields, err := rows.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err // says which line
		}
		row, err := parseASN(fields)
		if err == nil && row.number != 0 {
			err = each(row)
		}
		if err != nil {
			line, _ := rows.FieldPos(0)
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
}

// maxOrganization is twice the longest name that was met.
const maxOrganization = 512

func parseASN(fields []string) (asnRange, error) {
	first, err := netip.ParseAddr(fields[0])
	if err != nil {
		return asnRange{}, err
	}
	last, err := netip.ParseAddr(fields[1])
	if err != nil {
		return asnRange{}, err
	}
	if !plain(first) || !plain(last) || first.Is4() != last.Is4() || last.Less(first) {
		return asnRange{}, fmt.Errorf("%s to %s is not a range of addresses", first, last)
	}
	number, err := strconv.ParseUint(fields[2], 10, 32)
	if err != nil {
		return asnRange{}, fmt.Errorf("%q is not the number of an autonomous system", fields[2])
	}
	if len(fields[3]) > maxOrganization || !utf8.ValidString(fields[3]) {
		return asnRange{}, fmt.Errorf("the organization's name is not UTF-8 or longer than %d bytes", maxOrganization)
	}
	return asnRange{first, last, uint32(number), fields[3]}, nil
}

// plain reports whether an address is IPv4 or IPv6, and not IPv4 dressed up.
func plain(ip netip.Addr) bool { return ip.IsValid() && !ip.Is4In6() && ip.Zone() == "" }

// eachEntry reads a list: what is left of each line without comment and spaces.
// A line that is not understood is an error, but for a CSV file's first.
func eachEntry(r io.Reader, each func(entry string) error) error {
	scanner := bufio.NewScanner(r)
	n, first := 0, true
	for scanner.Scan() {
		n++
		line, _, _ := strings.Cut(scanner.Text(), "#")
		line = strings.TrimSpace(strings.TrimPrefix(line, "\uFEFF"))
		if line == "" {
			continue
		}
		header := first && strings.Contains(line, ",")
		first = false
		if err := each(line); err != nil && !(header && errors.Is(err, errEntry)) {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("line %d: %w", n+1, err)
	}
	return nil
}

// errEntry marks a line that was not understood.
var errEntry = errors.New("not understood")

// readNetworks reads a list of addresses and CIDR networks. A line with commas
// is CSV: the first field that is one counts.
func readNetworks(r io.Reader, each func(netip.Prefix) error) error {
	return eachEntry(r, func(entry string) error {
		for field := range strings.SplitSeq(entry, ",") {
			network, ok := parseNetwork(strings.Trim(field, " \t\""))
			if !ok {
				continue
			}
			// A slip like 10.0.0.0/1 would make half the world a VPN.
			if network.Bits() < 8 || network.Addr().Is6() && network.Bits() < 16 {
				return fmt.Errorf("%s is too wide to be an entry of a list", network)
			}
			return each(network)
		}
		return fmt.Errorf("%w: %q holds no address or network", errEntry, clip(entry))
	})
}

func parseNetwork(text string) (netip.Prefix, bool) {
	if ip, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(ip, ip.BitLen()), plain(ip)
	}
	network, err := netip.ParsePrefix(text)
	return network.Masked(), err == nil && plain(network.Addr())
}

// readNumbers reads a list of autonomous systems: AS64500 or 64500, alone or as
// the first field of CSV.
func readNumbers(r io.Reader, each func(uint32)) error {
	return eachEntry(r, func(entry string) error {
		field, _, _ := strings.Cut(entry, ",")
		digits := strings.TrimPrefix(strings.ToUpper(strings.Trim(field, " \t\"")), "AS")
		number, err := strconv.ParseUint(digits, 10, 32)
		if err != nil || number == 0 {
			return fmt.Errorf("%w: %q is not the number of an autonomous system", errEntry, clip(entry))
		}
		each(uint32(number))
		return nil
	})
}

// clip shortens what an error quotes.
func clip(text string) string {
	if len(text) > 80 {
		return text[:80] + "..."
	}
	return text
}
