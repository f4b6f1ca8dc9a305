package signals

import "strings"

// versionAt returns the version at the start of s: digits, then groups of digits
// after a dot. It is empty where s does not begin with a digit.
func versionAt(s string) string {
	end := 0
	for i := 0; i < len(s) && i < maxVersion; i++ {
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			end = i + 1
		case c == '.' && end == i && i > 0:
		default:
			return s[:end]
		}
	}
	return s[:end]
}

// systemVersionAt is versionAt where underscores part the groups as well, as
// Apple writes them; dots part those of the result.
func systemVersionAt(s string) string {
	return versionAt(strings.ReplaceAll(s[:min(len(s), maxVersion)], "_", "."))
}

// maxVersion is the longest version kept, in bytes.
const maxVersion = 24

// major returns the first number of a version; 0 where there is none or it does
// not fit, as with build numbers.
func major(version string) uint16 {
	n := uint32(0)
	for _, c := range []byte(version) {
		if c < '0' || c > '9' {
			break
		}
		if n = n*10 + uint32(c-'0'); n > 1<<16-1 {
			return 0
		}
	}
	return uint16(n)
}
