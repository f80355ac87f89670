package ilp

import (
	"errors"
	"fmt"
	"strings"
)

// schemes are the allocation schemes of RFC 0015. Every address begins with a scheme.
var schemes = map[string]bool{
	"g": true, "private": true, "example": true, "peer": true, "self": true, "local": true,
	"test": true, "test1": true, "test2": true, "test3": true,
}

// checkDestination checks an address by RFC 0015: a scheme, and at least one segment behind it.
func checkDestination(address string) error {
	if address == "" {
		return errors.New("an empty address")
	}
	if err := checkAddress(address); err != nil {
		return err
	}
	scheme, _, more := strings.Cut(address, ".")
	switch {
	case !schemes[scheme]:
		return fmt.Errorf("an address of the allocation scheme %.20q, which RFC 0015 does not know", scheme)
	case !more:
		return fmt.Errorf("an address of the allocation scheme %q alone", scheme)
	default:
		return nil
	}
}

// checkAddress checks the length and the characters of an address, and that no segment is empty
// ("." comes first, last or twice). An empty address passes.
func checkAddress(address string) error {
	if len(address) > maxAddress {
		return fmt.Errorf("an address of %d bytes, at most %d are allowed", len(address), maxAddress)
	}
	for i := range len(address) {
		if !isAddressByte(address[i]) {
			return fmt.Errorf("byte %#02x in an address", address[i])
		}
		if address[i] == '.' && (i == 0 || i == len(address)-1 || address[i-1] == '.') {
			return fmt.Errorf("an empty segment at byte %d of an address", i)
		}
	}
	return nil
}

func isAddressByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	default:
		return c == '.' || c == '-' || c == '_' || c == '~'
	}
}
