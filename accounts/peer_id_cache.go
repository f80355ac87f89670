package accounts

import "sync/atomic"

// peerIDCache keeps the ids of peers used lately. Each id is a hash of the peer's name, and the three
// hashes took longer than the rest of a look-up in memory. The cache has a fixed size: a peer whose
// slot is taken by another peer replaces it. Its method may be called concurrently.
type peerIDCache struct {
	slots [1 << 12]atomic.Pointer[cachedPeerIDs]
}

// cachedPeerIDs never changes.
type cachedPeerIDs struct {
	account PeerAccount
	ids     PeerIDs
}

// get returns the ids of a peer, from derive if the cache does not have them.
func (c *peerIDCache) get(a PeerAccount, derive func() PeerIDs) PeerIDs {
	slot := &c.slots[a.id.Lo%uint64(len(c.slots))]
	if cached := slot.Load(); cached != nil && cached.account == a {
		return cached.ids
	}
	ids := derive()
	slot.Store(&cachedPeerIDs{a, ids})
	return ids
}
