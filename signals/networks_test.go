package signals

import (
	"net/netip"
	"testing"
)

// TestNetworks holds sets of networks against looking through them one by one.
func TestNetworks(t *testing.T) {
	texts := []string{"10.1.0.0/16", "10.0.0.0/8", "192.0.2.7/32", "192.0.2.8/31", "2001:db8::/32", "2001:db8:5::/48", "::/128", "0.0.0.0/32"}
	set := ParseNetworks(texts, func(i int, what string) { t.Errorf("%s %s", texts[i], what) })
	for _, s := range []string{"9.255.255.255", "10.0.0.0", "10.1.2.3", "10.255.255.255", "11.0.0.0", "192.0.2.6", "192.0.2.7", "192.0.2.9", "192.0.2.10",
		"2001:db7:ffff::", "2001:db8::", "2001:db8:5::1", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::", "::", "::1", "0.0.0.0", "0.0.0.1", "255.255.255.255"} {
		a, want := netip.MustParseAddr(s), false
		for _, text := range texts {
			want = want || netip.MustParsePrefix(text).Contains(a)
		}
		if set.Has(a) != want {
			t.Errorf("%s: want %v", s, want)
		}
	}
	if set.Has(netip.Addr{}) || (Networks{}).Has(netip.MustParseAddr("10.0.0.1")) {
		t.Error("no address, or one in no network, is in it")
	}
}

func TestNetworksFaults(t *testing.T) {
	faults := map[int]string{}
	ParseNetworks([]string{"10.0.0.0/40", "10.0.0.1", "::ffff:10.0.0.0/104", "10.0.0.0/8"}, func(i int, what string) { faults[i] = what })
	if len(faults) != 3 || faults[3] != "" || faults[2] == faults[0] {
		t.Errorf("faults %v", faults)
	}
}
