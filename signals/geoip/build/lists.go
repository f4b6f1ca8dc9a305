package build

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"
)

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
