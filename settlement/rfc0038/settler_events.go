package rfc0038

import (
	"time"

	"github.com/peerledger/peerledger/settlement"
)

// SettlerEvents are functions that a [Settler] calls; nil functions are left out. Calls are concurrent,
// and the settlement waits for them. Requests are reported by [ClientEvents].
type SettlerEvents struct {
	// TookLess is called when the engine's answer has a smaller Quantity than was asked for. The order
	// counts as paid in full; compare with the figures of the peer.
	TookLess func(ShortAnswer)
	// Stuck is called when a settlement begins to wait for an operator.
	Stuck func(*StuckError)
	// Unstuck is called when the settlement is sent again ([Settler.Retry]), or is known to be closed.
	Unstuck func(*StuckError)
}

// ShortAnswer is an answer with a smaller Quantity than was sent.
type ShortAnswer struct {
	Order          settlement.Order
	Sent, Answered Quantity
}

func (e SettlerEvents) withDefaults() SettlerEvents {
	if e.TookLess == nil {
		e.TookLess = func(ShortAnswer) {}
	}
	if e.Stuck == nil {
		e.Stuck = func(*StuckError) {}
	}
	if e.Unstuck == nil {
		e.Unstuck = func(*StuckError) {}
	}
	return e
}

// SettlerStats are figures of a [Settler] for monitoring.
type SettlerStats struct {
	// Unanswered counts the orders without a final answer, those that wait for an operator included.
	Unanswered int
	// OldestUnanswered is for how long the oldest of the others has been without a final answer; 0 if
	// there is none.
	OldestUnanswered time.Duration
	// Parked and Stopped count the settlements that wait for an operator: the engine may have paid the
	// parked ones ([StuckError.IsParked]).
	Parked, Stopped int
	// Requests counts the requests of the client by class.
	Requests map[RequestClass]uint64
}

// Stats returns the figures of now.
func (s *Settler) Stats() SettlerStats {
	now := s.cfg.Clock()
	stats := SettlerStats{Requests: s.client.RequestCounts()}
	s.mu.Lock()
	defer s.mu.Unlock()
	stats.Unanswered = len(s.keys)
	for _, open := range s.keys {
		switch {
		case open.stuck == nil:
			stats.OldestUnanswered = max(stats.OldestUnanswered, now.Sub(open.firstSent))
		case open.stuck.IsParked():
			stats.Parked++
		default:
			stats.Stopped++
		}
	}
	return stats
}

// Watch returns the events of the settlement engine with a [Settler.Forget] in front of those that close an
// order, so that [Settler.Stuck] lists no order that was closed by hand in this process.
func (s *Settler) Watch(events settlement.Events) settlement.Events {
	paid, partly, voided := events.Paid, events.PartlyPaid, events.Voided
	events.Paid = func(p settlement.Payment) {
		s.Forget(p.Order)
		if paid != nil {
			paid(p)
		}
	}
	events.PartlyPaid = func(p settlement.Payment) {
		s.Forget(p.Order)
		if partly != nil {
			partly(p)
		}
	}
	events.Voided = func(o settlement.Order, reason error) {
		s.Forget(o)
		if voided != nil {
			voided(o, reason)
		}
	}
	return events
}
