package transfers

import (
	"sync"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// heldPackets is the packets that a recorder with caps has let in, and which nobody has resolved
// through it. Whatever is missing in it costs no more than room until the next look.
type heldPackets struct {
	mu      sync.Mutex
	packets map[ledger.ID]heldPacket // by packet
}

// heldPacket is what must be known of a packet's hold to tell that a resolution is of all of it.
type heldPacket struct {
	in, out uint64
	endsAt  time.Time // at the latest; what comes later resolves nothing
}

func newHeldPackets() *heldPackets { return &heldPackets{packets: make(map[ledger.ID]heldPacket)} }

// addPacket adds a packet that was prepared now.
func (h *heldPackets) addPacket(p *Packet) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.packets[p.ID] = heldPacket{p.In, p.Out, time.Now().Add(p.Hold)}
}

// takePacket takes a packet out. It reports whether it was in, with the same amounts.
func (h *heldPackets) takePacket(p *Packet) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	one, known := h.packets[p.ID]
	delete(h.packets, p.ID)
	return known && one.in == p.In && one.out == p.Out
}

// dropExpired takes out the packets whose holds have ended: others have resolved them, or nobody.
func (h *heldPackets) dropExpired(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, one := range h.packets {
		if now.After(one.endsAt) {
			delete(h.packets, id)
		}
	}
}
