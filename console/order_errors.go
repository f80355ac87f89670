package console

import (
	"sync"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// maxOrderErrors is the number of orders whose last error is kept. Beyond it all are forgotten.
const maxOrderErrors = 1000

// orderErrors keeps the last error of orders that looks have seen open: the engine forgets an order when it is
// closed, and the ledger has no errors.
type orderErrors struct {
	mu    sync.Mutex
	texts map[ledger.ID]string
}

// note keeps the errors of open orders. Only the owner of an order knows any.
func (e *orderErrors) note(orders []settlement.OpenOrder) {
	if e == nil { // a looker without pages
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range orders {
		if o := &orders[i]; o.LastErr != nil {
			if len(e.texts) >= maxOrderErrors || e.texts == nil {
				e.texts = make(map[ledger.ID]string)
			}
			e.texts[o.ID] = o.LastErr.Error()
		}
	}
}

// get returns the last error that was seen of an order; "" is none.
func (e *orderErrors) get(order ledger.ID) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.texts[order]
}
