package export

import (
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// AccountKind is the kind of an [Account].
type AccountKind string

// The kinds of accounts. The first three are of a peer, and the others our own.
const (
	KindPeer       AccountKind = "peer"       // what packets and payments leave between the peer and us; without arrears
	KindArrears    AccountKind = "arrears"    // debt of the peer that its account does not cover
	KindSettlement AccountKind = "settlement" // the other side of payments: debits were received from the peer, credits were paid to it
	KindLiquidity  AccountKind = "liquidity"  // our own position
	KindRevenue    AccountKind = "revenue"    // fees
	KindDust       AccountKind = "dust"       // remainders of conversions
	KindSuspense   AccountKind = "suspense"   // money of closed peers; the other side of bookings by hand
	KindOutside    AccountKind = "outside"    // the other side of capital
	KindControl    AccountKind = "control"    // the other side of markers; no entry of ours moves it
	KindTransit    AccountKind = "transit"    // crossed by rounds of packets; 0 after each round
	KindOther      AccountKind = "other"      // of another program on the same ledger number
)

// Account is an account of an export. An export has one pointer for each account, so accounts compare
// with ==. Writers only read it.
type Account struct {
	// Index is the place in [Header.Accounts], so that a Writer can keep a slice with something for
	// each account.
	Index int
	Asset accounts.Asset
	Kind  AccountKind
	// Peer is the peer's id; "" for our own accounts, other programs' accounts and peers whose id the caller
	// did not give.
	Peer string
	// Hash is the ledger's name of an account without a Peer: the hash of the peer's id for a peer's, and
	// the account's id for KindOther. It is zero for our own accounts.
	Hash ledger.ID
	// New is true if no earlier part of the export has the account: always in Part 1. Formats that declare
	// accounts refuse a second declaration.
	New bool
	// Partial is set if the export does not have all entries of the account: of the accounts of peers
	// that were not chosen, and of our own if only some peers were; always for KindOther. Its balances are
	// then unknown, and 0 here: a Writer must neither write nor assert them.
	Partial bool
}

// Name returns the account's name, unique within its asset and the same in every export with the same [Query].Names:
// "liquidity", "peer:alice", and "peer#" with 32 hexadecimal digits without a Peer. The kind has
// letters alone, and everything behind the colon is the peer's id, unchanged.
func (a *Account) Name() string {
	switch {
	case a.Peer != "":
		return string(a.Kind) + ":" + a.Peer
	case !a.Hash.IsZero():
		return string(a.Kind) + "#" + a.Hash.String()
	default:
		return string(a.Kind)
	}
}
