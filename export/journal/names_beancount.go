package journal

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/peerledger/peerledger/ledger"
)

// Beancount takes fewer names than the other programs. A part of an account begins with a capital or a
// digit, and goes on with letters, digits and -. A commodity has 2 to 24 characters: it begins with a
// capital, goes on with capitals, digits and '._-, and ends with a capital or a digit.
const (
	dash       = '-'
	apostrophe = '\''

	// An escape is a mark with two hexadecimal digits, so a mark never follows a mark but here.
	verbatimAccount   = "0--"
	verbatimCommodity = "X''"
	hashAccount       = "Hash--"

	maxBeancountCommodity = 24
)

// BeancountAccount returns the last part of the account of a peer in beancount. ASCII letters and digits
// stay, and each byte of anything else is - with two hexadecimal digits: "G-2Eus-2Ealice" for g.us.alice. The first
// letter becomes a capital. An id that begins with something else than a lower-case letter or a digit
// has 0-- before it: "0--Alice" for Alice.
func BeancountAccount(peer string) string {
	name := escape(peer, dash, func(r rune) bool { return isCapital(r) || isLower(r) || isDigit(r) })
	switch first, _ := utf8.DecodeRuneInString(peer); {
	case isLower(first):
		return strings.ToUpper(name[:1]) + name[1:]
	case isDigit(first):
		return name
	default:
		return verbatimAccount + name
	}
}

// ReadBeancountAccount is the inverse of [BeancountAccount].
func ReadBeancountAccount(name string) (peer string, err error) {
	if verbatim, is := strings.CutPrefix(name, verbatimAccount); is {
		return unescape(verbatim, dash)
	}
	if name == "" {
		return "", nil
	}
	return unescape(strings.ToLower(name[:1])+name[1:], dash)
}

// beancountHash returns the last part of an account without a peer's id.
func beancountHash(hash ledger.ID) string { return hashAccount + hash.String() }

// BeancountCommodity returns the commodity of an asset in beancount. ASCII capitals, digits and - stay, a
// lower-case letter is _ with its capital, and each byte of anything else is an apostrophe with two hexadecimal
// digits: "USD_T-6" for USDt. A code that does not begin with a capital has X and two apostrophes before
// it. Beancount takes 24 characters: the name of a long code may have more, and cannot be exported.
func BeancountCommodity(code string, scale uint8) string {
	var b strings.Builder
	if code == "" || !isCapital(rune(code[0])) {
		b.WriteString(verbatimCommodity)
	}
	for i := range len(code) {
		if isLower(rune(code[i])) {
			b.WriteByte('_')
			b.WriteByte(code[i] - 'a' + 'A')
			continue
		}
		b.WriteString(escape(code[i:i+1], apostrophe, func(r rune) bool { return isCapital(r) || isDigit(r) || r == dash }))
	}
	return fmt.Sprintf("%s-%d", b.String(), scale)
}

// ReadBeancountCommodity is the inverse of [BeancountCommodity].
func ReadBeancountCommodity(name string) (code string, scale uint8, err error) {
	end := strings.LastIndexByte(name, dash)
	if end < 0 {
		return "", 0, fmt.Errorf("commodity %q has no scale after a dash", name)
	}
	var b strings.Builder
	encoded := strings.TrimPrefix(name[:end], verbatimCommodity)
	for i := 0; i < len(encoded); i++ {
		if encoded[i] == '_' && i+1 < len(encoded) {
			i++
			b.WriteString(strings.ToLower(encoded[i : i+1]))
			continue
		}
		b.WriteByte(encoded[i])
	}
	return readCommodity(name, b.String(), name[end+1:], apostrophe)
}
