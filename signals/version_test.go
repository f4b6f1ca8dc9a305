package signals

import "testing"

func TestVersions(t *testing.T) {
	for _, c := range []struct {
		text, version, system string
		major                 uint16
	}{
		{"124.0.0.0 Safari", "124.0.0.0", "124.0.0.0", 124},
		{"17_4_1 like Mac OS X", "17", "17.4.1", 17},
		{"10", "10", "10", 10},
		{"10.", "10", "10", 10},
		{"10..1", "10", "10", 10},
		{".1", "", "", 0},
		{"_1", "", "", 0},
		{"FBIOS", "", "", 0},
		{"", "", "", 0},
		{"65535.1", "65535.1", "65535.1", 65535},
		{"65536.1", "65536.1", "65536.1", 0},
		{"1680216748", "1680216748", "1680216748", 0},
		{"1.23456789012345678901234567", "1.2345678901234567890123", "1.2345678901234567890123", 1},
	} {
		v, s := versionAt(c.text), systemVersionAt(c.text)
		if v != c.version || s != c.system || major(v) != c.major {
			t.Errorf("%q: got %q, %q, %d; want %q, %q, %d", c.text, v, s, major(v), c.version, c.system, c.major)
		}
	}
}
