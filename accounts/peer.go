package accounts

import (
	"fmt"
	"unicode/utf8"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// PeerConfig is a counterparty in one asset, for [Book.Provision]. Give a peer that trades in
// several assets once for each asset.
type PeerConfig struct {
	// ID is 1 to 1023 bytes of UTF-8, in Unicode's normal form C and without white space at
	// either end. The ledger distinguishes ids byte by byte: see [Lookalikes]. An id of a
	// different form is accepted if the ledger has the peer from an earlier version.
	ID    string
	Asset Asset // one of the Book's assets
	// CreditLine is how much the peer may owe us, in units: up to [Unlimited] and to the asset's
	// ceiling. Default 0: the credit line of [Config.Limits]. Without a line a peer can send only
	// earlier earnings and payments.
	CreditLine ledger.Amount
}

// Unlimited is the largest credit line, 2^96 units. It is an ordinary number: the ledger keeps
// exact books of it.
var Unlimited = ledger.Amount(uint128.New(0, 1<<32))

// maxPeerID is the length of the longest ILP address (RFC 0015): many connectors use addresses as
// peer ids.
const maxPeerID = 1023

func (p PeerConfig) validate() error {
	switch {
	case !validName(p.ID, maxPeerID):
		return &FieldError{Subject: fmt.Sprintf("peer %.40q", p.ID), Field: "ID", Reason: nameRule(maxPeerID)}
	case Unlimited.Less(p.CreditLine):
		return &FieldError{
			Subject: fmt.Sprintf("peer %q in %v", p.ID, p.Asset), Field: "CreditLine",
			Reason: fmt.Sprintf("%s is above %s (2^96 units, Unlimited)", p.Asset.Text(p.CreditLine), p.Asset.Text(Unlimited)),
		}
	default:
		return nil
	}
}

func validName(s string, maxBytes int) bool {
	return s != "" && len(s) <= maxBytes && utf8.ValidString(s)
}

func nameRule(maxBytes int) string { return fmt.Sprintf("must be 1 to %d bytes of UTF-8", maxBytes) }
