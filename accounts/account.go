package accounts

import (
	"fmt"

	"github.com/peerledger/peerledger/ledger"
)

// Account is the handle of a peer in one asset, or of ourselves (Book.Own). It is
// a small value that compares with ==, can be a map key, and is made once and
// used for every packet. Handles of the same peer and asset made by any Book of
// the same namespace are equal. The zero Account is nobody.
type Account struct {
	peer   string
	id     ledger.ID
	ledger uint32
}

// Peer is the peer's id, "" for our own account.
func (a Account) Peer() string { return a.peer }

// ID is the id of the ledger account that holds the position: the peer's, or our
// liquidity account.
func (a Account) ID() ledger.ID { return a.id }

// Ledger is the ledger number of the asset.
func (a Account) Ledger() uint32 { return a.ledger }

// Own reports whether this is our own account in the asset.
func (a Account) Own() bool { return a.peer == "" && !a.IsZero() }

// IsZero reports whether this is the zero Account, nobody.
func (a Account) IsZero() bool { return a == Account{} }

// String is the account as in "alice on ledger 1".
func (a Account) String() string {
	switch {
	case a.IsZero():
		return "no account"
	case a.Own():
		return fmt.Sprintf("ourselves on ledger %d", a.ledger)
	default:
		return fmt.Sprintf("%s on ledger %d", a.peer, a.ledger)
	}
}

// PeerIDs are the ids of the four ledger accounts of a peer in one asset. A peer that a
// version before arrears provisioned may have no Arrears account in the ledger yet: see
// Book.EnsureArrears.
type PeerIDs struct {
	Peer, Line, Settlement, Arrears ledger.ID
}

// AssetIDs are the ids of our own ledger accounts in one asset.
type AssetIDs struct {
	Liquidity ledger.ID // our position, crossed by packets between assets
	Revenue   ledger.ID // fees
	Dust      ledger.ID // what rounding leaves over
	Suspense  ledger.ID // money of closed peers, and the other side of what is booked by hand
	Outside   ledger.ID // capital put in or taken out
	Control   ledger.ID // the other side of zero-amount markers
}
