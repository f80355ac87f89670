package transfers

import (
	"sync"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// heldPackets are the packets admitted by a recorder with caps, and not yet resolved through
// it. A missing packet costs no more than some room in a cap until the next refresh.
type heldPackets struct {
	mu      sync.Mutex
	packets map[ledger.ID]heldPacket
}

// heldPacket has the amounts of a hold: only a resolution with the same amounts frees the
// whole hold. endsAt only bounds the memory, so time.Now with its monotonic reading measures
// it, whatever Config.Clock does. A packet dropped too late frees no cap: the ledger answers
// the resolution of an ended hold as late or already applied.
type heldPacket struct {
	in, out uint64
	endsAt  time.Time // at the latest
}

func newHeldPackets() *heldPackets { return &heldPackets{packets: make(map[ledger.ID]heldPacket)} }

// addPacket adds a packet prepared now.
func (h *heldPackets) addPacket(p *Packet) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.packets[p.ID] = heldPacket{p.In, p.Out, time.Now().Add(p.Hold)}
}

// takePacket removes a packet. It reports whether the packet was there with the same amounts.
func (h *heldPackets) takePacket(p *Packet) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	held, found := h.packets[p.ID]
	delete(h.packets, p.ID)
	return found && held.in == p.In && held.out == p.Out
}

// dropExpired removes the packets whose holds have ended, by another recorder or by the
// timeout.
func (h *heldPackets) dropExpired(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, held := range h.packets {
		if now.After(held.endsAt) {
			delete(h.packets, id)
		}
	}
}
