package aggregate

import (
	"fmt"

	"github.com/peerledger/peerledger/accounts"
)

// resolveAccount finds the handle of an account in a journal: a ledger number, and a peer's id or
// "" for ourselves.
func resolveAccount(book *accounts.Book, number uint32, peer string) (accounts.PeerAccount, error) {
	asset, isKnown := book.Asset(number)
	switch {
	case !isKnown:
		return accounts.PeerAccount{}, fmt.Errorf("%w: ledger number %d", accounts.ErrUnknownAsset, number)
	case peer == "":
		return book.OwnAccount(asset)
	default:
		return book.PeerAccount(peer, asset)
	}
}
