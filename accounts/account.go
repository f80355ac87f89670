package accounts

import (
	"fmt"

	"github.com/peerledger/peerledger/ledger"
)

// PeerAccount is the handle of a peer in one asset, or of ourselves ([Book.OwnAccount]): it names
// the ledger accounts of the peer, and a "handle" in this module always means a PeerAccount. It is a
// small value: it compares with ==, can be a map key, and is made once for all packets. Books of the
// same namespace make equal handles for the same peer and asset. The zero PeerAccount is no account.
type PeerAccount struct {
	peer   string
	id     ledger.ID
	ledger uint32
}

// Peer returns the peer's id, "" for our own account.
func (a PeerAccount) Peer() string { return a.peer }

// ID returns the id of the ledger account with the position: the peer's account, or our liquidity
// account.
func (a PeerAccount) ID() ledger.ID { return a.id }

// Ledger returns the ledger number of the asset.
func (a PeerAccount) Ledger() uint32 { return a.ledger }

// IsOwn reports whether this is our own account in the asset.
func (a PeerAccount) IsOwn() bool { return a.peer == "" && !a.IsZero() }

// IsZero reports whether a is the zero PeerAccount.
func (a PeerAccount) IsZero() bool { return a == PeerAccount{} }

// String returns the account as in "alice on ledger 1".
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

// PeerIDs are the ids of the four ledger accounts of a peer in one asset. The ledger may lack the
// Arrears account of a peer provisioned by a version before arrears: see [Book.EnsureArrears].
type PeerIDs struct {
	Peer, Line, Settlement, Arrears ledger.ID
}

// AssetIDs are the ids of our own ledger accounts in one asset.
type AssetIDs struct {
	Liquidity ledger.ID // our position, crossed by packets between assets
	Revenue   ledger.ID // fees
	Dust      ledger.ID // the remainder of rounding
	Suspense  ledger.ID // money of closed peers, and the opposite side of bookings by hand
	Outside   ledger.ID // capital put in or taken out
	Control   ledger.ID // the opposite side of zero-amount markers
	Transit   ledger.ID // crossed by rounds of packets; exists after [Book.EnsureTransit]
}
