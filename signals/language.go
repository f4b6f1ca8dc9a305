package signals

import "strings"

// ParseLanguage returns the primary language and the region of the preferred
// entry of an Accept-Language header (RFC 9110, section 12.5.4): the one of the
// greatest weight, the first among equals. Wildcards, entries of weight 0 and
// malformed ones are passed over. The region is ISO 3166-1 alpha-2 or UN M.49
// (three digits), and empty where the tag names none ("en", "zh-Hant"). Both are
// substrings of the header in the case they were sent (tags are case-insensitive:
// RFC 5646, section 2.1.1); nothing is allocated.
func ParseLanguage(header string) (language, region string) {
	best := 0
	for more := true; more; {
		var entry string
		entry, header, more = strings.Cut(header, ",")
		tag, parameter, weighted := strings.Cut(entry, ";")
		weight, ok := 1000, true
		if weighted {
			weight, ok = parseWeight(strings.Trim(parameter, " \t"))
		}
		if !ok || weight <= best {
			continue
		}
		if l, r, ok := parseTag(strings.Trim(tag, " \t")); ok {
			language, region, best = l, r, weight
		}
	}
	return language, region
}

// parseWeight reads "q=0.8" in thousandths (RFC 9110, section 12.4.2).
func parseWeight(s string) (thousandths int, ok bool) {
	if len(s) < 3 || len(s) > len("q=0.000") || s[0]|0x20 != 'q' || s[1] != '=' || s[2] != '0' && s[2] != '1' {
		return 0, false
	}
	thousandths = int(s[2]-'0') * 1000
	if len(s) > 3 && s[3] != '.' {
		return 0, false
	}
	for i, unit := 4, 100; i < len(s); i, unit = i+1, unit/10 {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		thousandths += int(s[i]-'0') * unit
	}
	return thousandths, thousandths <= 1000
}

// parseTag reads language [-extlang{0,3}] [-script] [-region] of a tag (RFC 5646,
// section 2.1) and leaves variants and extensions, which come after the region.
func parseTag(tag string) (language, region string, ok bool) {
	language, rest, more := strings.Cut(tag, "-")
	if len(language) < 2 || len(language) > 8 || !all(language, isLetter) {
		return "", "", false
	}
	for open := true; more; {
		var subtag string
		subtag, rest, more = strings.Cut(rest, "-")
		if len(subtag) == 0 || len(subtag) > 8 || !all(subtag, isAlphanumeric) {
			return "", "", false
		}
		if !open {
			continue
		}
		letters := all(subtag, isLetter)
		switch {
		case len(subtag) == 2 && letters, len(subtag) == 3 && all(subtag, isDigit):
			region, open = subtag, false
		case (len(subtag) == 3 || len(subtag) == 4) && letters: // extlang or script
		default:
			open = false
		}
	}
	return language, region, true
}

func all(s string, is func(byte) bool) bool {
	for i := range len(s) {
		if !is(s[i]) {
			return false
		}
	}
	return true
}

func isLetter(c byte) bool       { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool        { return '0' <= c && c <= '9' }
func isAlphanumeric(c byte) bool { return isLetter(c) || isDigit(c) }
