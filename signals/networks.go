package signals

import (
	"net/netip"
	"slices"
)

// Networks is a set of addresses, written as networks. It is immutable.
type Networks struct{ spans []span } // sorted, and none overlaps another

// span is an inclusive range of addresses.
type span struct{ first, last netip.Addr }

// ParseNetworks reads networks in CIDR notation. fault is told of each that is none,
// by its index and in plain words.
func ParseNetworks(texts []string, fault func(i int, what string)) Networks {
	var all []span
	for i, s := range texts {
		p, err := netip.ParsePrefix(s)
		switch {
		case err != nil:
			fault(i, "is no network in CIDR notation")
		case p.Addr().Is4In6(): // addresses are unmapped before they are looked for
			fault(i, "would never match; write it as IPv4")
		default:
			all = append(all, span{p.Masked().Addr(), lastAddress(p)})
		}
	}
	slices.SortFunc(all, func(a, b span) int { return a.first.Compare(b.first) })
	merged := all[:0]
	for _, s := range all {
		if n := len(merged); n > 0 && s.first.Is4() == merged[n-1].first.Is4() && !merged[n-1].last.Less(s.first) {
			if merged[n-1].last.Less(s.last) {
				merged[n-1].last = s.last
			}
			continue
		}
		merged = append(merged, s)
	}
	return Networks{merged}
}

func lastAddress(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// Has reports whether an unmapped address lies in one of the networks; one that is
// not valid lies in none.
func (n Networks) Has(a netip.Addr) bool {
	lo, hi := 0, len(n.spans)
	for lo < hi {
		mid := (lo + hi) / 2
		if n.spans[mid].last.Less(a) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo < len(n.spans) && a.IsValid() && !a.Less(n.spans[lo].first)
}
