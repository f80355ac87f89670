package console

import (
	"slices"
	"sync"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// names knows the accounts of all known peers by their ids. The ids are hashes, which take longer to compute than a
// packet to be found.
type names struct {
	book  *accounts.Book
	peers func(accounts.Asset) []string

	mu    sync.Mutex
	given [][]string // the names of the last call, by asset
	known *knownPeers
}

// knownPeers are the accounts of known peers. It never changes.
type knownPeers struct {
	list  []accounts.PeerAccount
	index map[ledger.ID]int32 // in list, of the peer, line, settlement and arrears accounts
}

// get returns the accounts of the known peers, whose names seldom change.
func (n *names) get() *knownPeers {
	assets := n.book.Assets()
	given := make([][]string, len(assets))
	for i, asset := range assets {
		given[i] = n.peers(asset)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known != nil && slices.EqualFunc(n.given, given, slices.Equal[[]string]) {
		return n.known
	}
	n.given, n.known = given, &knownPeers{index: make(map[ledger.ID]int32)}
	for i, asset := range assets {
		for _, account := range knownAccounts(n.book, asset, given[i]) {
			ids := n.book.PeerIDs(account)
			for _, id := range []ledger.ID{ids.Peer, ids.Line, ids.Settlement, ids.Arrears} {
				n.known.index[id] = int32(len(n.known.list))
			}
			n.known.list = append(n.known.list, account)
		}
	}
	return n.known
}

// knownAccounts returns the accounts of names in an asset. A look reports a wrong name.
func knownAccounts(book *accounts.Book, asset accounts.Asset, names []string) (list []accounts.PeerAccount) {
	for _, name := range names {
		if a, err := book.PeerAccount(name, asset); err == nil {
			list = append(list, a)
		}
	}
	return list
}

// nameThing names the peers of a thing.
func (k *knownPeers) nameThing(f *accounts.Found) {
	k.nameAccount(&f.From)
	k.nameAccount(&f.To)
	for i := range f.Rows {
		k.nameAccount(&f.Rows[i].Debit)
		k.nameAccount(&f.Rows[i].Credit)
	}
}

func (k *knownPeers) nameAccount(a *accounts.FoundAccount) {
	if i, isKnown := k.index[a.ID]; isKnown {
		a.Peer = k.list[i].Peer()
	}
}
