package journal

import (
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"
)

// escape writes each byte of the runes that keep refuses as the mark and two hexadecimal digits in
// capitals. keep must refuse the mark, or the result could not be read back.
func escape(s string, mark byte, keep func(rune) bool) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if (r != utf8.RuneError || size > 1) && keep(r) {
			b.WriteString(s[i : i+size])
		} else {
			for _, c := range []byte(s[i : i+size]) {
				fmt.Fprintf(&b, "%c%02X", mark, c)
			}
		}
		i += size
	}
	return b.String()
}

// unescape is the inverse of escape.
func unescape(s string, mark byte) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != mark {
			b.WriteByte(s[i])
			continue
		}
		if len(s) < i+3 {
			return "", fmt.Errorf("%q ends within an escape", s)
		}
		c, err := hex.DecodeString(s[i+1 : i+3])
		if err != nil {
			return "", fmt.Errorf("%q has the escape %q, which is no byte in hexadecimal digits", s, s[i:i+3])
		}
		b.Write(c)
		i += 2
	}
	return b.String(), nil
}

func isCapital(r rune) bool { return 'A' <= r && r <= 'Z' }
func isLower(r rune) bool   { return 'a' <= r && r <= 'z' }
func isDigit(r rune) bool   { return '0' <= r && r <= '9' }
