package geoip

import (
	"testing"

	"github.com/oschwald/geoip2-golang/v2"

	"github.com/waryauth/wary/signals"
)

// On the fetched files, random addresses; peers do what a first version would:
// geoip2's City and ASN.
func BenchmarkLocate(b *testing.B) {
	addresses := randomAddresses(1 << 16)
	b.Run("wary", func(b *testing.B) {
		d := open(b, Files{City: fetched(b, "city.mmdb"), ASN: fetched(b, "asn.mmdb")})
		b.ReportAllocs()
		var o signals.Observation
		i := 0
		for b.Loop() {
			o.Address.IP = addresses[i&(1<<16-1)]
			d.Locate(&o, summer)
			i++
		}
	})
	b.Run("geoip2", func(b *testing.B) {
		cities, err := geoip2.Open(fetched(b, "city.mmdb"))
		if err != nil {
			b.Fatal(err)
		}
		numbers, err := geoip2.Open(fetched(b, "asn.mmdb"))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			ip := addresses[i&(1<<16-1)]
			if _, err := cities.City(ip); err != nil {
				b.Fatal(err)
			}
			if _, err := numbers.ASN(ip); err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
	b.Run("fixture", func(b *testing.B) {
		d := open(b, fixture(b))
		b.ReportAllocs()
		o := locate(d, "1.1.0.1", summer)
		for b.Loop() {
			d.Locate(&o, summer)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	files := Files{City: fetched(b, "city.mmdb")}
	b.ReportAllocs()
	for b.Loop() {
		open(b, files)
	}
}
