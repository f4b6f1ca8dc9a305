package signals

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func proxies(t testing.TB, entries ...string) Proxies {
	t.Helper()
	p, err := ParseProxies(entries)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestClient(t *testing.T) {
	p := proxies(t, "10.0.0.0/8", "192.0.2.1", "2001:db8:1::/48")
	long := slices.Repeat([]string{"10.0.0.9"}, MaxForwarded)
	for _, c := range []struct {
		name      string
		peer      string
		forwarded []string
		ip        string
		hops      uint8
		taken     bool // from the header
		spoofed   bool
	}{
		{"no header", "203.0.113.9", nil, "203.0.113.9", 0, false, false},
		{"trusted peer without a header", "10.0.0.1", nil, "10.0.0.1", 0, false, false},
		{"untrusted peer's header is not read", "203.0.113.9", []string{"127.0.0.1, 1.2.3.4"}, "203.0.113.9", 0, false, false},
		{"one hop", "10.0.0.1", []string{"198.51.100.7"}, "198.51.100.7", 1, true, false},
		{"rightmost untrusted", "10.0.0.1", []string{"1.2.3.4, 198.51.100.7"}, "198.51.100.7", 2, true, false},
		{"a trusted proxy between", "10.0.0.1", []string{"1.2.3.4", "198.51.100.7, 10.0.0.2"}, "198.51.100.7", 3, true, false},
		{"claims to be internal", "10.0.0.1", []string{"127.0.0.1", "198.51.100.7"}, "198.51.100.7", 2, true, true},
		{"claims to be a trusted proxy", "10.0.0.1", []string{"10.0.0.3", "198.51.100.7"}, "198.51.100.7", 2, true, true},
		{"claims shared address space", "10.0.0.1", []string{"100.64.0.1", "198.51.100.7"}, "198.51.100.7", 2, true, true},
		{"rubbish left of the client", "10.0.0.1", []string{"evil, 198.51.100.7"}, "198.51.100.7", 2, true, true},
		{"rubbish ends the walk at the peer", "10.0.0.1", []string{"1.2.3.4, unknown"}, "10.0.0.1", 2, false, true},
		{"rubbish ends the walk at a hop", "10.0.0.1", []string{"1.2.3.4, unknown, 10.0.0.2"}, "10.0.0.2", 3, true, true},
		{"an empty entry is none to pass over", "10.0.0.1", []string{"1.2.3.4, "}, "10.0.0.1", 2, false, true},
		{"an empty line", "10.0.0.1", []string{""}, "10.0.0.1", 1, false, true},
		{"a private client that a proxy saw", "10.0.0.1", []string{"192.168.1.5"}, "192.168.1.5", 1, true, false},
		{"all trusted", "10.0.0.1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3", 2, true, false},
		{"mapped addresses", "::ffff:10.0.0.1", []string{"::ffff:198.51.100.7"}, "198.51.100.7", 1, true, false},
		{"mapped trusted proxy", "10.0.0.1", []string{"198.51.100.7, ::ffff:10.0.0.2"}, "198.51.100.7", 2, true, false},
		{"IPv6", "2001:db8:1::7", []string{"2001:db8:2::1"}, "2001:db8:2::1", 1, true, false},
		{"port", "10.0.0.1", []string{"198.51.100.7:567"}, "198.51.100.7", 1, true, false},
		{"port of IPv6", "192.0.2.1", []string{"[2001:db8:2::1]:443"}, "2001:db8:2::1", 1, true, false},
		{"brackets without a port", "192.0.2.1", []string{"[2001:db8:2::1]"}, "2001:db8:2::1", 1, true, false},
		{"tabs and blanks", "10.0.0.1", []string{"\t198.51.100.7 \t"}, "198.51.100.7", 1, true, false},
		{"port too large", "10.0.0.1", []string{"198.51.100.7:65536"}, "10.0.0.1", 1, false, true},
		{"port empty", "10.0.0.1", []string{"198.51.100.7:"}, "10.0.0.1", 1, false, true},
		{"brackets around IPv4", "10.0.0.1", []string{"[198.51.100.7]:80"}, "10.0.0.1", 1, false, true},
		{"brackets left open", "10.0.0.1", []string{"[2001:db8:2::1"}, "10.0.0.1", 1, false, true},
		{"zone", "10.0.0.1", []string{"fe80::1%eth0"}, "10.0.0.1", 1, false, true},
		{"octal", "10.0.0.1", []string{"198.051.100.7"}, "10.0.0.1", 1, false, true},
		{"a network", "10.0.0.1", []string{"198.51.100.0/24"}, "10.0.0.1", 1, false, true},
		{"as many as are read", "10.0.0.1", append([]string{"198.51.100.7"}, long[1:]...), "198.51.100.7", MaxForwarded, true, false},
		{"more than are read", "10.0.0.1", append([]string{"198.51.100.7"}, long...), "10.0.0.9", MaxForwarded, true, true},
	} {
		got, err := p.Client(c.peer, c.forwarded)
		want := Address{IP: netip.MustParseAddr(c.ip), Hops: c.hops, Forwarded: c.taken, Spoofed: c.spoofed}
		if err != nil || got != want {
			t.Errorf("%s: %s %q: got %+v, %v; want %+v", c.name, c.peer, c.forwarded, got, err, want)
		}
	}
}

// TestClientSpoofed proves that a header from an untrusted peer changes nothing.
// The control trusts that peer, and the same headers change everything.
func TestClientSpoofed(t *testing.T) {
	const peer = "203.0.113.9"
	plain, err := Proxies{}.Client(peer, nil)
	if err != nil {
		t.Fatal(err)
	}
	trusting := proxies(t, peer)
	for _, forwarded := range [][]string{{"1.2.3.4"}, {"127.0.0.1"}, {"1.2.3.4, 10.0.0.1"}, {"rubbish"}, {"1.2.3.4", peer}, {peer, "10.0.0.1"}} {
		for _, p := range []Proxies{{}, proxies(t, "10.0.0.0/8", "1.2.3.4", "127.0.0.0/8")} {
			if got, err := p.Client(peer, forwarded); err != nil || got != plain {
				t.Errorf("%q from an untrusted peer: got %+v, %v; want %+v", forwarded, got, err, plain)
			}
		}
		if got, err := trusting.Client(peer, forwarded); err != nil || got == plain {
			t.Errorf("control: %q from a trusted peer changed nothing", forwarded)
		}
	}
}

func TestClientRefusesPeer(t *testing.T) {
	p := proxies(t, "10.0.0.0/8")
	for _, peer := range []string{"", "unknown", "fe80::1%eth0", "10.0.0.1:80", "[::1]", "10.0.0.0/8", " 10.0.0.1", "10.0.0.01"} {
		if got, err := p.Client(peer, []string{"1.2.3.4"}); err == nil || got != (Address{}) {
			t.Errorf("%q: got %+v, %v; want an error", peer, got, err)
		}
	}
}

func TestParseProxies(t *testing.T) {
	p := proxies(t, "::ffff:10.0.0.0/104", "::ffff:192.0.2.1", "2001:db8::/32")
	for peer, trusted := range map[string]bool{"10.1.2.3": true, "192.0.2.1": true, "192.0.2.2": false, "2001:db8::1": true, "2001:db9::1": false} {
		a, err := p.Client(peer, []string{"198.51.100.7"})
		if err != nil || a.Forwarded != trusted {
			t.Errorf("%s: got %+v, %v; want trusted %v", peer, a, err, trusted)
		}
	}
	for entry, says := range map[string]string{
		"10.0.0.1/8":       "10.0.0.0/8",
		"10.0.0.0/33":      "neither",
		"10.0.0":           "not an IP address",
		"":                 "not an IP address",
		"proxy.example":    "not an IP address",
		"fe80::1%eth0":     "zone",
		"fe80::%eth0/10":   "neither",
		"0.0.0.0/0":        "every address",
		"::/0":             "every address",
		"::ffff:0:0/96":    "every address",
		"::ffff:0:0/80":    "host bits",
		"2001:db8::/32 ":   "neither",
		"10.0.0.0/8,1.1.1": "neither",
	} {
		_, err := ParseProxies([]string{"192.0.2.1", entry})
		if err == nil || !strings.Contains(err.Error(), "proxy 1, "+strconv.Quote(entry)) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %v; want an error that says %q", entry, err, says)
		}
	}
	if _, err := ParseProxies([]string{"x", "192.0.2.1", "y"}); err == nil || !strings.Contains(err.Error(), `0, "x"`) || !strings.Contains(err.Error(), `2, "y"`) {
		t.Errorf("two bad entries: got %v", err)
	}
}

func TestPrivate(t *testing.T) {
	for ip, want := range map[string]bool{
		"10.255.0.1": true, "172.16.0.1": true, "172.32.0.1": false, "192.168.0.1": true, "127.0.0.1": true, "169.254.1.1": true,
		"100.64.0.0": true, "100.127.255.255": true, "100.128.0.0": false, "100.63.255.255": false, "224.0.0.1": true, "0.0.0.0": true,
		"::": true, "::1": true, "fc00::1": true, "fe80::1": true, "ff02::1": true, "2001:db8::1": false, "8.8.8.8": false, "2600::": false,
	} {
		if got := Private(netip.MustParseAddr(ip)); got != want {
			t.Errorf("%s: got %v, want %v", ip, got, want)
		}
	}
}

func TestClientAllocations(t *testing.T) {
	p := proxies(t, "10.0.0.0/8", "2001:db8:1::/48")
	forwarded := []string{"1.2.3.4, unknown", "[2001:db8:2::1]:443, 10.0.0.3:80,10.0.0.2"}
	if n := testing.AllocsPerRun(100, func() {
		if a, err := p.Client("10.0.0.1", forwarded); err != nil || a.Hops != 5 {
			t.Fatal(a, err)
		}
	}); n != 0 {
		t.Errorf("got %v allocations", n)
	}
}

// slowClient is the rule once more, written to be read: all entries in one list,
// their forms by expression.
func slowClient(peer netip.Addr, forwarded []string, trusted []netip.Prefix) Address {
	in := func(ip netip.Addr) bool {
		return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(ip) })
	}
	a := Address{IP: peer.Unmap()}
	if !in(a.IP) || len(forwarded) == 0 {
		return a
	}
	entries := strings.Split(strings.Join(forwarded, ","), ",")
	if len(entries) > MaxForwarded {
		entries = entries[len(entries)-MaxForwarded:]
		a.Spoofed = true
	}
	a.Hops = uint8(len(entries))
	forms := regexp.MustCompile(`^(?:([0-9.]+)(?::(\d{1,5}))?|\[([0-9a-fA-F:.]*:[0-9a-fA-F:.]*)\](?::(\d{1,5}))?|([0-9a-fA-F:.]*:[0-9a-fA-F:.]*))$`)
	believed := true
	for i := len(entries) - 1; i >= 0; i-- {
		m := forms.FindStringSubmatch(strings.Trim(entries[i], " \t"))
		var ip netip.Addr
		if m != nil {
			ip, _ = netip.ParseAddr(m[1] + m[3] + m[5])
			if port, _ := strconv.Atoi(m[2] + m[4]); port > 65535 {
				ip = netip.Addr{}
			}
		}
		ip = ip.Unmap()
		if believed && ip.IsValid() {
			a.IP, a.Forwarded = ip, true
			believed = in(ip)
			continue
		}
		believed = false
		shared := netip.MustParsePrefix("100.64.0.0/10").Contains(ip)
		if !ip.IsValid() || ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() || shared {
			a.Spoofed = true
		}
	}
	return a
}

func FuzzClient(f *testing.F) {
	trusted := []string{"10.0.0.0/8", "2001:db8:1::/48"}
	prefixes := []netip.Prefix{netip.MustParsePrefix(trusted[0]), netip.MustParsePrefix(trusted[1])}
	p := proxies(f, trusted...)
	f.Add("203.0.113.9", "1.2.3.4")
	f.Add("10.0.0.1", "1.2.3.4|198.51.100.7, 10.0.0.2")
	f.Add("2001:db8:1::1", "[::1]:443, ::ffff:10.0.0.1 , 1.2.3.4:99999")
	f.Add("10.0.0.1", strings.Repeat("10.0.0.1,", 40))
	f.Add("fe80::1%eth0", "")
	f.Fuzz(func(t *testing.T, peer, header string) {
		var forwarded []string
		if header != "" {
			forwarded = strings.Split(header, "|")
		}
		got, err := p.Client(peer, forwarded)
		ip, wrong := netip.ParseAddr(peer)
		if wrong != nil || ip.Zone() != "" {
			if err == nil {
				t.Fatalf("%q was taken", peer)
			}
			return
		}
		if want := slowClient(ip, forwarded, prefixes); err != nil || got != want {
			t.Fatalf("%q %q: got %+v, %v; want %+v", peer, forwarded, got, err, want)
		}
	})
}
