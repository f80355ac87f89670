package accounts

import (
	"fmt"

	"github.com/peerledger/peerledger/ledger"
)

// PeerAccount is the handle of a peer in one asset, or of ourselves (Book.OwnAccount). It is
// a small value that compares with ==, can be a map key, and is made once and
// used for every packet. Handles of the same peer and asset made by any Book of
// the same namespace are equal. The zero Account is nobody.
type PeerAccount struct {
	peer   string
	id     ledger.ID
	ledger uint32
}

// Peer is the peer's id, "" for our own account.
func (a PeerAccount) Peer() string { return a.peer }

// ID is the id of the ledger account that holds the position: the peer's, or our
// liquidity account.
func (a PeerAccount) ID() ledger.ID { return a.id }

// Ledger is the ledger number of the asset.
func (a PeerAccount) Ledger() uint32 { return a.ledger }

// IsOwn reports whether this is our own account in the asset.
func (a PeerAccount) IsOwn() bool { return a.peer == "" && !a.IsZero() }

// IsZero reports whether this is the zero Account, nobody.
func (a PeerAccount) IsZero() bool { return a == PeerAccount{} }

// String is the account as in "alice on ledger 1".
func (a PeerAccount) String() string {
	switch {
	case a.IsZero():
		return "no account"
	case a.IsOwn():
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
