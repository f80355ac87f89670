package transfers

import (
	"sync"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// holds is the packets that a recorder with caps has let in, and which nobody has resolved
// through it. Whatever is missing in it costs no more than room until the next look.
type holds struct {
	mu  sync.Mutex
	own map[ledger.ID]hold // by packet
}

// hold is what must be known of a packet's hold to tell that a resolution is of all of it.
type hold struct {
	in, out uint64
	ends    time.Time // at the latest; what comes later resolves nothing
}

func newHolds() *holds { return &holds{own: make(map[ledger.ID]hold)} }

// add adds a packet that was prepared now.
func (h *holds) add(p *Packet) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.own[p.ID] = hold{p.In, p.Out, time.Now().Add(p.Hold)}
}

// take takes a packet out. It reports whether it was in, with the same amounts.
func (h *holds) take(p *Packet) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	one, known := h.own[p.ID]
	delete(h.own, p.ID)
	return known && one.in == p.In && one.out == p.Out
}

// forget takes out the packets whose holds have ended: others have resolved them, or nobody.
func (h *holds) forget(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, one := range h.own {
		if now.After(one.ends) {
			delete(h.own, id)
		}
	}
}
