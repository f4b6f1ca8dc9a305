package signals

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Proxies are the networks whose word on a client's address is believed. The
// zero value trusts nobody. It is immutable and safe for concurrent use.
type Proxies struct {
	trusted []netip.Prefix // masked and, where they are IPv4, unmapped
}

// ParseProxies reads trusted proxies: addresses ("10.0.0.1", "2001:db8::1") or
// networks in CIDR notation ("10.0.0.0/8"). Refused are zones, networks with
// host bits set and networks of all addresses, each of which would trust more
// than its author meant. An error names the index and text of every bad entry.
func ParseProxies(entries []string) (Proxies, error) {
	p := Proxies{trusted: make([]netip.Prefix, 0, len(entries))}
	var wrong []error
	for i, text := range entries {
		prefix, err := parseProxy(text)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("trusted proxy %d, %q: %w", i, text, err))
			continue
		}
		p.trusted = append(p.trusted, prefix)
	}
	if len(wrong) > 0 {
		return Proxies{}, errors.Join(wrong...)
	}
	return p, nil
}

func parseProxy(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		ip, err := parsePeer(text)
		if err != nil {
			return netip.Prefix{}, err
		}
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return prefix, errors.New("is neither an IP address nor a network")
	case prefix != prefix.Masked():
		return prefix, fmt.Errorf("has host bits set; the network is %s", prefix.Masked())
	}
	if prefix.Addr().Is4In6() {
		if prefix.Bits() < 96 {
			return prefix, errors.New("is wider than the IPv4-mapped addresses")
		}
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
	}
	if prefix.Bits() == 0 {
		return prefix, errors.New("would trust every address")
	}
	return prefix, nil
}

// Client finds the client's address by the rightmost-untrusted rule. peer is the
// address that connected; forwarded is X-Forwarded-For as received, left to
// right, each string one header line or one entry of it (commas separate).
//
// A peer that is no trusted proxy is the client: the header is not read, so that
// whatever it holds changes nothing, Hops included. Behind a trusted proxy the
// entries are read from the right. Trusted proxies are passed over and the first
// other address is the client, private or not, since a trusted proxy wrote it
// down; where all are trusted the leftmost is. What is no address (an empty
// entry, "unknown", an address with a zone) ends the walk at the last address
// believed, and nothing left of it is believed. An entry may carry a port, as
// some load balancers write it: "192.0.2.1:4711", "[2001:db8::1]:4711"; brackets
// without a port are taken too.
//
// Hops counts the entries. Spoofed is set where an entry that was not believed
// is private ([Private]) or no address: what a client puts there to pass for an
// internal one. At most [MaxForwarded] entries are read; a longer header ends
// the walk there and is Spoofed.
//
// An error means that peer is no IP address or has a zone. A call without an
// error does not allocate, unless an entry looks like an address and is none.
func (p Proxies) Client(peer string, forwarded []string) (Address, error) {
	ip, err := parsePeer(peer)
	if err != nil {
		return Address{}, err
	}
	a := Address{IP: ip}
	if p.trusts(ip) {
		p.walk(&a, forwarded)
	}
	return a, nil
}

func (p Proxies) walk(a *Address, forwarded []string) {
	believed := true // whoever wrote the next entry is
	for i := len(forwarded) - 1; i >= 0; i-- {
		for line, more := forwarded[i], true; more; {
			if a.Hops == MaxForwarded {
				a.Spoofed = true
				return
			}
			a.Hops++
			var entry string
			entry, line, more = cutLast(line)
			ip, ok := parseHop(entry)
			switch {
			case !ok:
				a.Spoofed, believed = true, false
			case believed:
				a.IP, a.Forwarded = ip, true
				believed = p.trusts(ip)
			case Private(ip):
				a.Spoofed = true
			}
		}
	}
}

// Trusts reports whether a peer, an address as a connection has it, is one of the proxies.
func (p Proxies) Trusts(peer string) bool {
	ip, err := parsePeer(peer)
	return err == nil && p.trusts(ip)
}

func (p Proxies) trusts(ip netip.Addr) bool {
	for _, prefix := range p.trusted {
		if prefix.Contains(ip) {
			return true
		}
	}
	return false
}

// cutLast splits off what follows the last comma of a header line.
func cutLast(line string) (entry, rest string, more bool) {
	if i := strings.LastIndexByte(line, ','); i >= 0 {
		return line[i+1:], line[:i], true
	}
	return line, "", false
}

// parsePeer reads a bare address and unmaps it.
func parsePeer(text string) (netip.Addr, error) {
	ip, err := netip.ParseAddr(text)
	switch {
	case err != nil:
		return netip.Addr{}, errors.New("is not an IP address")
	case ip.Zone() != "":
		return netip.Addr{}, errors.New("is an IP address with a zone")
	}
	return ip.Unmap(), nil
}

// parseHop reads one entry of a forwarding header.
func parseHop(entry string) (netip.Addr, bool) {
	entry = strings.Trim(entry, " \t")
	switch colon := strings.IndexByte(entry, ':'); {
	case strings.HasPrefix(entry, "["):
		host, port, ok := strings.Cut(entry[1:], "]")
		if !ok || port != "" && !isPort(port) || !strings.Contains(host, ":") {
			return netip.Addr{}, false
		}
		entry = host
	case colon > 0 && strings.LastIndexByte(entry, ':') == colon: // no IPv6 address has but one
		if !isPort(entry[colon:]) {
			return netip.Addr{}, false
		}
		entry = entry[:colon]
	}
	if !resemblesIP(entry) {
		return netip.Addr{}, false
	}
	ip, err := netip.ParseAddr(entry)
	return ip.Unmap(), err == nil
}

// isPort reports whether s is a colon and a port number.
func isPort(s string) bool {
	if len(s) < 2 || len(s) > 6 || s[0] != ':' {
		return false
	}
	port := 0
	for _, c := range []byte(s[1:]) {
		if c < '0' || c > '9' {
			return false
		}
		port = port*10 + int(c-'0')
	}
	return port <= 65535
}

// resemblesIP keeps words and zones from netip, whose errors allocate.
func resemblesIP(s string) bool {
	if len(s) > len("0000:0000:0000:0000:0000:ffff:255.255.255.255") {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9', 'a' <= c|0x20 && c|0x20 <= 'f', c == ':', c == '.':
		default:
			return false
		}
	}
	return strings.ContainsAny(s, ":.")
}

// Private reports whether an unmapped address is not one of the public internet:
// private (RFC 1918, RFC 4193), shared behind carriers (RFC 6598), loopback,
// link-local, multicast or unspecified. Documentation ranges count as public.
func Private(ip netip.Addr) bool {
	if ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() {
		return true
	}
	if !ip.Is4() {
		return false
	}
	b := ip.As4()
	return b[0] == 100 && b[1]&0xC0 == 64 // 100.64.0.0/10
}
