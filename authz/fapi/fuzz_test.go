package fapi

import (
	"net/url"
	"testing"
)

// FuzzParams: what is taken is what net/url reads, each name once and nothing empty.
func FuzzParams(f *testing.F) {
	for _, seed := range []string{"a=1&b=2", "a=1&a=2", "a=&b", "a=%zz", "a=%00", "a=%ff", "a=1;b=2", "a=b=c", "%61=1&a=2", "&&&", "a=+%20"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		p, err := params(query)
		if err != nil {
			return
		}
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range values {
			if len(v) != 1 || p[name] != v[0] {
				t.Fatalf("%q: %q and %q", name, v, p[name])
			}
			if _, ok := p[name]; ok == (v[0] == "") {
				t.Fatalf("%q is %q", name, v[0])
			}
		}
	})
}
