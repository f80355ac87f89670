package check

import (
	"fmt"
	"strings"
)

const sourceKeys = "RFC 0038, Performing idempotent requests"

// keyClauses are about the header Idempotency-Key.
func keyClauses() []Clause {
	return []Clause{
		{ID: "key/missing", Roles: both, Severity: Must, needs: "settle", Text: "A settlement without a key is refused with a 4xx.", Source: sourceKeys, run: checkKeys()},
		{ID: "key/empty", Roles: both, Severity: Must, needs: "settle", Text: "A settlement with an empty key is refused with a 4xx.", Source: sourceKeys + "; all settlements of one value would be one", run: checkKeys("")},
		{ID: "key/two", Roles: both, Severity: Needed, needs: "settle", Text: "A settlement with two keys is refused with a 4xx.", Source: "programs differ in the key that counts; settlement-core makes one of both", run: func(s *session) error { return checkKeys(newUUID(), newUUID())(s) }},
		{ID: "key/long", Roles: both, Severity: Needed, needs: "settle", Text: "A key of 10,000 characters is refused with a 4xx.", Source: "keys of programs have at most 66 characters, and stores of others need not keep more", run: func(s *session) error { return checkKeys(strings.Repeat("k", 9964) + newUUID())(s) }},
		{ID: "key/forms", Roles: both, Severity: Needed, needs: "settle", Text: "Keys of any syntax are taken: hexadecimal of 64 and 66 characters, with spaces and brackets.", Source: "transaction hashes of XRP and ETH engines; the XLM engine sends \"[object Object]\"", run: checkKeyForms},
		{ID: "key/scope", Roles: engine, Severity: Must, needs: "settle/other-value", Text: "A key of one account is free in another account.", Source: "settlement-core keeps keys by account", run: checkKeyScope},
	}
}

// checkKeys requires that a settlement with these values of the header is refused.
func checkKeys(keys ...string) func(*session) error {
	return func(s *session) error {
		r := s.settlement(s.quantity())
		r.keys = keys
		return s.settle(r).requireRefused()
	}
}

func checkKeyForms(s *session) error {
	random := func() string { return strings.ReplaceAll(newUUID()+newUUID(), "-", "") }
	for _, key := range []string{strings.ToUpper(random()), "0x" + random(), "[check " + newUUID() + "]"} {
		r := s.settlement(s.quantity())
		r.keys = []string{key}
		if err := s.settle(r).requireTaken(); err != nil {
			return fmt.Errorf("key %q: %w", key, err)
		}
	}
	return nil
}

func checkKeyScope(s *session) error {
	if s.other == "" {
		if err := checkCreate(s); err != nil {
			return err
		}
	}
	r := s.otherValue()
	r.path = "/accounts/" + s.other + "/settlements"
	return s.send(r).requireTaken()
}
