package journal

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/peerledger/peerledger/ledger"
)

// Names of hledger and ledger are percent-encoded as in URLs (RFC 3986): letters of all scripts, ASCII
// digits and -._~ stay, and each byte of anything else is % with two digits. So the common tools decode
// them, Python's urllib.parse.unquote for example.
const percent = '%'

func keepsInURL(r rune) bool {
	return unicode.IsLetter(r) || isDigit(r) || strings.ContainsRune("-._~", r)
}

// LedgerAccount returns the last part of the account of a peer in hledger and ledger: "g.us.alice" and
// "a%3Ab" for the ids g.us.alice and a:b.
func LedgerAccount(peer string) string { return escape(peer, percent, keepsInURL) }

// ReadLedgerAccount is the inverse of [LedgerAccount].
func ReadLedgerAccount(name string) (peer string, err error) { return unescape(name, percent) }

// ledgerHash returns the last part of an account without a peer's id: no [LedgerAccount] has a #.
func ledgerHash(hash ledger.ID) string { return "#" + hash.String() }

// LedgerCommodity returns the commodity of an asset in hledger and ledger, without the quotes around it:
// "USD.9". An operator's own USD stays a commodity of its own, with its own decimals.
func LedgerCommodity(code string, scale uint8) string {
	return fmt.Sprintf("%s.%d", escape(code, percent, keepsInURL), scale)
}

// ReadLedgerCommodity is the inverse of [LedgerCommodity].
func ReadLedgerCommodity(name string) (code string, scale uint8, err error) {
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return "", 0, fmt.Errorf("commodity %q has no scale after a dot", name)
	}
	return readCommodity(name, name[:dot], name[dot+1:], percent)
}

func readCommodity(name, code, scale string, mark byte) (string, uint8, error) {
	n, err := strconv.ParseUint(scale, 10, 8)
	if err != nil {
		return "", 0, fmt.Errorf("commodity %q: its scale %q is no number from 0 to 255", name, scale)
	}
	code, err = unescape(code, mark)
	return code, uint8(n), err
}
