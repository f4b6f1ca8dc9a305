package signals

import (
	"fmt"
	"testing"
)

func BenchmarkDescribe(b *testing.B) {
	b.Run("hit", func(b *testing.B) {
		b.ReportAllocs()
		agents, h := NewAgents(1<<12), chromeHeaders()
		var a Agent
		for b.Loop() {
			agents.Describe(&a, &h)
		}
	})
	b.Run("hit of 1000", func(b *testing.B) {
		b.ReportAllocs()
		agents, headers := NewAgents(1<<12), make([]Headers, 1000)
		for i := range headers {
			headers[i] = chromeHeaders()
			headers[i].UserAgent += fmt.Sprintf(" OPR/%d.0", i)
		}
		var a Agent
		i := 0
		for b.Loop() {
			agents.Describe(&a, &headers[i])
			if i++; i == len(headers) {
				i = 0
			}
		}
	})
	b.Run("hit in parallel", func(b *testing.B) {
		b.ReportAllocs()
		agents := NewAgents(1 << 12)
		b.RunParallel(func(pb *testing.PB) {
			h := chromeHeaders()
			var a Agent
			for pb.Next() {
				agents.Describe(&a, &h)
			}
		})
	})
	b.Run("miss", func(b *testing.B) {
		b.ReportAllocs()
		h := chromeHeaders()
		var a Agent
		agents := NewAgents(1)
		for b.Loop() {
			agents.sets[0].ways[0].Store(nil)
			agents.sets[0].hand.Store(ways - 1) // the next goes to way 0
			agents.Describe(&a, &h)
		}
	})
	b.Run("worst", func(b *testing.B) {
		b.ReportAllocs()
		h := Headers{}
		for len(h.UserAgent) < MaxUserAgent-2 {
			h.UserAgent += ";a"
		}
		var a Agent
		agents := NewAgents(1)
		for b.Loop() {
			agents.Describe(&a, &h) // too long to be remembered
		}
	})
}

func BenchmarkClient(b *testing.B) {
	p := proxies(b, "10.0.0.0/8", "192.0.2.0/24", "2001:db8:1::/48")
	forwarded := []string{"1.2.3.4, 198.51.100.7", "10.0.0.2"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Client("10.0.0.1", forwarded); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseLanguage(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		ParseLanguage("en-GB,en;q=0.9,de;q=0.8,*;q=0.5")
	}
}
