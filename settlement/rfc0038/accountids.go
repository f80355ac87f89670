package rfc0038

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/peerledger/peerledger/accounts"
)

// AccountIDs translates between our accounts and the account ids on the wire, for both sides. An id
// is a function of the account alone, so the server knows an account before an engine does: engines
// ask the connector about an account while they create it.
//
// The id of a peer "alice" in the asset with ledger number 1 is "1-alice". It consists of lower-case
// letters, digits and dashes, as engines refuse ":" and put ids into URLs without escapes. A dash of
// the peer's id is written as two dashes, any other byte as a dash and two hexadecimal digits:
// "g.Eve-2" is "1-g-2e-45ve--2". No two accounts share an id.
//
// Provision a peer before [Client.CreateAccount], or an order, creates its account: [AccountIDs.Account]
// does not look at the ledger, and a payment that an engine reports for a peer who is not provisioned
// is answered 404. The engine for ETH then drops the payment.
//
// AccountIDs is safe for concurrent use.
type AccountIDs struct {
	book      *accounts.Book
	fixed     map[accounts.PeerAccount]string
	fixedWire map[string]accounts.PeerAccount
}

// NewAccountIDs makes the translation for the accounts of a book. fixed has the accounts that an
// engine knows under another id, for example a UUID of an earlier connector: 1 to [MaxAccountID]
// lower-case letters, digits and dashes. It may be nil. Such an account has no other id. The errors
// match [ErrInvalidAccountID] and name the id.
func NewAccountIDs(book *accounts.Book, fixed map[string]accounts.PeerAccount) (*AccountIDs, error) {
	ids := &AccountIDs{
		book: book, fixed: make(map[accounts.PeerAccount]string, len(fixed)), fixedWire: make(map[string]accounts.PeerAccount, len(fixed)),
	}
	var errs []error
	for wire, account := range fixed {
		if err := checkAccountID(wire); err != nil {
			errs = append(errs, err)
			continue
		}
		if account.IsZero() || account.IsOwn() {
			errs = append(errs, fmt.Errorf("%w: %q is fixed for no peer", ErrInvalidAccountID, wire))
			continue
		}
		if other, twice := ids.fixed[account]; twice {
			errs = append(errs, fmt.Errorf("%w: %v is fixed as %q and as %q", ErrInvalidAccountID, account, other, wire))
			continue
		}
		if derived, err := ids.parseDerived(wire); err == nil && derived != account {
			errs = append(errs, fmt.Errorf("%w: %q is fixed for %v and is the id of %v", ErrInvalidAccountID, wire, account, derived))
			continue
		}
		ids.fixed[account], ids.fixedWire[wire] = wire, account
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return ids, nil
}

// MaxAccountID bounds the length of an account id on the wire: that of a peer's id of 1,023 bytes,
// each written as three, behind a ledger number of ten digits.
const MaxAccountID = 10 + 1 + 3*1023

// WireID returns the account's id on the wire. The error matches [ErrInvalidAccountID]: our own and
// the zero account have no id.
func (ids *AccountIDs) WireID(account accounts.PeerAccount) (string, error) {
	if account.IsZero() || account.IsOwn() {
		return "", fmt.Errorf("%w: %v is no peer", ErrInvalidAccountID, account)
	}
	if wire, ok := ids.fixed[account]; ok {
		return wire, nil
	}
	return deriveWireID(account.Ledger(), account.Peer()), nil
}

// Account returns the account with an id on the wire, without a look at the ledger: the peer may not
// be provisioned. The error matches [ErrUnknownAccount].
func (ids *AccountIDs) Account(wire string) (accounts.PeerAccount, error) {
	if account, ok := ids.fixedWire[wire]; ok {
		return account, nil
	}
	account, err := ids.parseDerived(wire)
	if err != nil {
		return accounts.PeerAccount{}, err
	}
	if fixed, ok := ids.fixed[account]; ok {
		return accounts.PeerAccount{}, fmt.Errorf("%w: the id of %v is %q", ErrUnknownAccount, account, fixed)
	}
	return account, nil
}

func deriveWireID(ledgerNumber uint32, peer string) string {
	var b strings.Builder
	b.WriteString(strconv.FormatUint(uint64(ledgerNumber), 10))
	b.WriteByte('-')
	for i := range len(peer) {
		switch c := peer[i]; {
		case isPlain(c):
			b.WriteByte(c)
		case c == '-':
			b.WriteString("--")
		default:
			b.WriteByte('-')
			b.WriteString(hex.EncodeToString([]byte{c}))
		}
	}
	return b.String()
}

func isPlain(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }

// parseDerived is the inverse of deriveWireID.
func (ids *AccountIDs) parseDerived(wire string) (accounts.PeerAccount, error) {
	unknown := func() (accounts.PeerAccount, error) {
		return accounts.PeerAccount{}, fmt.Errorf("%w: %.80q", ErrUnknownAccount, wire)
	}
	digits, escaped, found := strings.Cut(wire, "-")
	ledgerNumber, err := strconv.ParseUint(digits, 10, 32)
	if !found || err != nil || len(wire) > MaxAccountID {
		return unknown()
	}
	peer, ok := unescapePeer(escaped)
	if !ok || peer == "" || deriveWireID(uint32(ledgerNumber), peer) != wire { // one spelling alone
		return unknown()
	}
	account, err := ids.book.AccountIn(uint32(ledgerNumber), peer)
	if err != nil {
		return unknown()
	}
	return account, nil
}

func unescapePeer(escaped string) (peer string, ok bool) {
	var b strings.Builder
	for escaped != "" {
		before, after, dash := strings.Cut(escaped, "-")
		b.WriteString(before)
		if !dash {
			break
		}
		if rest, twice := strings.CutPrefix(after, "-"); twice {
			b.WriteByte('-')
			escaped = rest
			continue
		}
		if len(after) < 2 {
			return "", false
		}
		c, err := hex.DecodeString(after[:2])
		if err != nil {
			return "", false
		}
		b.Write(c)
		escaped = after[2:]
	}
	return b.String(), true
}

// checkAccountID checks an id before it goes into a URL.
func checkAccountID(id string) error {
	if id == "" || len(id) > MaxAccountID {
		return fmt.Errorf("%w: %.80q must have 1 to %d characters", ErrInvalidAccountID, id, MaxAccountID)
	}
	for i := range len(id) {
		if !isPlain(id[i]) && id[i] != '-' {
			return fmt.Errorf("%w: %.80q must consist of lower-case letters, digits and dashes", ErrInvalidAccountID, id)
		}
	}
	return nil
}
