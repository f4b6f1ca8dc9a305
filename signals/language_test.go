package signals

import (
	"strings"
	"testing"
)

func TestParseLanguage(t *testing.T) {
	for _, c := range []struct{ header, language, region string }{
		{"da, en-gb;q=0.8, en;q=0.7", "da", ""}, // RFC 9110, section 12.5.4
		{"", "", ""},
		{"*", "", ""},
		{"en-GB,en;q=0.9", "en", "GB"},
		{"de-DE", "de", "DE"},
		{"en;q=0.7, fr-CH;q=0.9, *;q=0.5", "fr", "CH"},
		{"fr;q=0.9,de;q=0.9", "fr", ""}, // the first among equals
		{"en;q=0, nl", "nl", ""},        // 0 is "not acceptable": RFC 9110, section 12.4.2
		{"en;q=0", "", ""},
		{"en;q=1.000", "en", ""},
		{"en;q=1.001, fr;q=0.001", "fr", ""},
		{"en;q=0.1234, fr;q=0.1", "fr", ""},
		{"en; q=0.5 , \tfr\t; Q=0.6", "fr", ""},
		{"en;level=1, fr", "fr", ""},
		{"EN-us", "EN", "us"},
		{"es-419", "es", "419"},             // RFC 5646, appendix A
		{"zh-Hant", "zh", ""},               // appendix A
		{"sr-Latn-RS", "sr", "RS"},          // appendix A
		{"zh-cmn-Hans-CN", "zh", "CN"},      // appendix A
		{"sl-rozaj-biske", "sl", ""},        // appendix A
		{"de-CH-1901", "de", "CH"},          // appendix A
		{"sl-IT-nedis", "sl", "IT"},         // appendix A
		{"hy-Latn-IT-arevela", "hy", "IT"},  // appendix A
		{"de-CH-x-phonebk", "de", "CH"},     // appendix A
		{"az-Arab-x-AZE-derbend", "az", ""}, // appendix A: what follows x is private
		{"x-whatever", "", ""},              // appendix A
		{"en-US-u-islamcal", "en", "US"},    // appendix A
		{"en-a-myext-DE", "en", ""},         // a region may not follow an extension
		{"a-DE", "", ""},                    // appendix A: invalid
		{"i-enochian", "", ""},              // appendix A: grandfathered
		{"en_US, fr", "fr", ""},             // not a tag
		{"en--US, fr", "fr", ""},
		{"en-, fr", "fr", ""},
		{"12, fr", "fr", ""},
		{"toolonglanguage, fr", "fr", ""},
		{",, ,en", "en", ""}, // empty elements: RFC 9110, section 5.6.1.2
		{strings.Repeat("en;q=0.1,", 100) + "fr;q=0.2", "fr", ""},
	} {
		language, region := ParseLanguage(c.header)
		if language != c.language || region != c.region {
			t.Errorf("%q: got %q, %q; want %q, %q", c.header, language, region, c.language, c.region)
		}
	}
}

func TestParseLanguageAllocations(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { ParseLanguage("fr;q=0.5, zh-Hant-TW;q=0.8, *;q=0.1") }); n != 0 {
		t.Errorf("got %v allocations", n)
	}
}

func FuzzParseLanguage(f *testing.F) {
	for _, s := range []string{"da, en-gb;q=0.8, en;q=0.7", "sr-Latn-RS;q=0.100", "*;q=0,x-y", "en-a-b-DE,;q=", "\x00,-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		language, region := ParseLanguage(header)
		switch {
		case !strings.Contains(header, language), !strings.Contains(header, region):
			t.Fatalf("%q: %q and %q do not stand in it", header, language, region)
		case language == "" && region != "":
			t.Fatalf("%q: the region %q without a language", header, region)
		case language != "" && (len(language) < 2 || len(language) > 8), region != "" && len(region) != 2 && len(region) != 3:
			t.Fatalf("%q: %q, %q", header, language, region)
		}
		// What was found is a tag, and preferred to all that is less wanted.
		if language != "" {
			tag := language
			if region != "" {
				tag += "-" + region
			}
			if l, r := ParseLanguage("xx;q=0.5, " + tag + ", yy"); l != language || r != region {
				t.Fatalf("%q: %q is read as %q, %q", header, tag, l, r)
			}
		}
	})
}
