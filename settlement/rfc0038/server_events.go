package rfc0038

import (
	"sync/atomic"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/settlement"
)

// Report is a payment as a settlement engine reported it.
type Report struct {
	AccountID string // in the path, unescaped
	Account   accounts.PeerAccount
	Key       string // the Idempotency-Key
	Quantity  Quantity
}

// ServerEvents are functions that a [Server] calls before it answers a request. They may be called concurrently, must
// return soon, and may be nil.
type ServerEvents struct {
	// Booked is called after a payment was booked. It is not called for repeats, nor for a payment whose booking
	// turned out later, after a lost answer of the ledger.
	Booked func(r Report, booked settlement.PaymentBooking)
	// Conflict is called for a payment with a key under which another value is booked: [accounts.ErrKeyReused]. Nothing
	// was booked. Compare the engine's list of payments with the statement: some engines send the value again under
	// another key, others never.
	Conflict func(r Report, err error)
	// Parked is called for a payment that cannot be booked: [settlement.ErrUnbookable], [accounts.ErrKeyBurnt], or
	// [accounts.ErrNotProvisioned]. The money is at the engine: book what is right by hand.
	Parked func(r Report, err error)
	// Unanswered is called when the outcome of a booking is unknown, or the booking is not possible for now: the
	// connection is closed, and the engine repeats the request. The error tells why. It is also called for a payment or a
	// message whose account could not be looked up: then r has the AccountID alone.
	Unanswered func(r Report, err error)
	// MessageFailed is called when a message was not relayed, with the error of [ServerConfig.Relay].
	MessageFailed func(account accounts.PeerAccount, err error)
}

func (e ServerEvents) withDefaults() ServerEvents {
	ignore := func(Report, error) {}
	if e.Booked == nil {
		e.Booked = func(Report, settlement.PaymentBooking) {}
	}
	if e.Conflict == nil {
		e.Conflict = ignore
	}
	if e.Parked == nil {
		e.Parked = ignore
	}
	if e.Unanswered == nil {
		e.Unanswered = ignore
	}
	if e.MessageFailed == nil {
		e.MessageFailed = func(accounts.PeerAccount, error) {}
	}
	return e
}

// ServerStats counts requests since the [Server] was made. Each answered or closed request is counted in Requests and in
// one of the others. For the remainder of an account see [settlement.Engine.Remainder].
type ServerStats struct {
	Requests       uint64 // all
	Booked         uint64 // payments booked
	Repeated       uint64 // payments found booked
	Zero           uint64 // payments of 0
	Conflicts      uint64 // payments with the key of another value
	Parked         uint64 // payments that cannot be booked
	Unanswered     uint64 // payments left without an answer: the outcome is unknown; also messages, see ServerEvents
	Unread         uint64 // requests whose body did not come, in time or at all
	Refused        uint64 // requests that can never work, answered 4xx
	Relayed        uint64 // messages answered by the peer
	MessagesFailed uint64 // messages answered 502 or 504
}

// serverCounts are the counters behind ServerStats.
type serverCounts struct {
	requests, booked, repeated, zero, conflicts, parked, unanswered, unread, refused, relayed, messagesFailed atomic.Uint64
}

// Stats returns the counts of requests. It may be called at any time.
func (s *Server) Stats() ServerStats {
	c := &s.counts
	return ServerStats{
		Requests: c.requests.Load(), Booked: c.booked.Load(), Repeated: c.repeated.Load(), Zero: c.zero.Load(),
		Conflicts: c.conflicts.Load(), Parked: c.parked.Load(), Unanswered: c.unanswered.Load(), Unread: c.unread.Load(),
		Refused: c.refused.Load(), Relayed: c.relayed.Load(), MessagesFailed: c.messagesFailed.Load(),
	}
}
