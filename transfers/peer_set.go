package transfers

import (
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// peerSet is a set of peers. Its memory is reused from batch to batch.
type peerSet struct {
	peers      []accounts.PeerAccount
	accountIDs map[ledger.ID]struct{} // of peers
	// recent is a cache of accountIDs, indexed by the low bits of the id: a batch has many
	// packets of a peer, and a look-up in the map for each packet costs too much.
	recent [4096]ledger.ID
}

func newPeerSet() peerSet { return peerSet{accountIDs: make(map[ledger.ID]struct{})} }

// addPeer adds a peer. Our own account is left out: there is nothing to settle with ourselves.
func (s *peerSet) addPeer(a *accounts.PeerAccount) {
	id := a.ID()
	recent := &s.recent[id.Lo%uint64(len(s.recent))]
	if *recent == id {
		return
	}
	if _, isMember := s.accountIDs[id]; !isMember {
		if a.IsOwn() {
			return
		}
		s.accountIDs[id] = struct{}{}
		s.peers = append(s.peers, *a)
	}
	*recent = id
}

func (s *peerSet) clearPeers() {
	if len(s.peers) == 0 {
		return
	}
	clear(s.recent[:])
	clear(s.peers) // else the names of the peers stay in memory
	s.peers = s.peers[:0]
	clear(s.accountIDs)
}
