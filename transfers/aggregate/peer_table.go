package aggregate

import "github.com/peerledger/peerledger/ledger"

// peerTable finds peers by the ids of their accounts. Each prepare looks up two of them, in half the
// time of Go's map. The ids are hashes already.
type peerTable struct {
	slots []*peer // a power of two of them, at most half full
	count int
}

// find returns the peer with an account, or nil.
func (t *peerTable) find(id ledger.ID) *peer {
	mask := uint64(len(t.slots)) - 1
	for i := id.Lo; len(t.slots) > 0; i++ {
		p := t.slots[i&mask]
		if p == nil || p.account.ID() == id {
			return p
		}
	}
	return nil
}

// add adds a peer that is not there.
func (t *peerTable) add(p *peer) {
	if t.count++; t.count*2 > len(t.slots) {
		old := t.slots
		t.slots = make([]*peer, max(8, len(old)*2))
		for _, p := range old {
			if p != nil {
				t.place(p)
			}
		}
	}
	t.place(p)
}

// place puts a peer into the first free slot from its own on.
func (t *peerTable) place(p *peer) {
	mask := uint64(len(t.slots)) - 1
	i := p.account.ID().Lo
	for t.slots[i&mask] != nil {
		i++
	}
	t.slots[i&mask] = p
}
