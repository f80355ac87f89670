package idempotent

import (
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// The kinds of a peer's bookings under a key. Ledgers have ids that follow from them: they must never change.
const (
	KindIncoming   = "in"        // a payment of the peer; of its settlement account
	KindOutgoing   = "out"       // a payment to the peer without an order; of its settlement account
	KindReturned   = "returned"  // a returned payment of the peer; of its settlement account
	KindAdjustment = "adjust"    // a correction by hand; of the peer account, or of our own
	KindWriteOff   = "write off" // a write-off of arrears; of the arrears account
)

// Name identifies a booking: its kind, the account concerned, and the key. The ids of its
// attempts follow from the Name.
type Name struct {
	Namespace chart.Namespace
	Kind      string
	Account   ledger.ID
	Key       string
}

// ID returns the id of an attempt's own transfer.
func (n Name) ID(attempt uint64) ledger.ID {
	return n.Namespace.Derive(n.Kind, chart.ID(n.Account), []byte(n.Key), chart.U64(attempt))
}

// collectionID returns the id of the collection in an attempt's chain.
func (n Name) collectionID(attempt uint64) ledger.ID {
	return n.Namespace.Derive(n.Kind, chart.ID(n.Account), []byte(n.Key), chart.U64(attempt), chart.U64(1))
}

// Debit returns the request for a debit of a peer that also collects arrears ([chart.Collect]).
//
// A debit of the arrears account, which must exist, is never refused. The ledger refuses only
// the collection, and only if the peer account is closed: then the debit is booked alone. A
// debit of the peer account is refused if the account does not cover the amount, and the key
// stays free.
//
// Both may be asked for under one key. Their chains have the same ids, and each refusal burns
// an id of both, so one of the two is booked, once.
func (n Name) Debit(debit, collect ledger.Transfer) Request {
	fromArrears := debit.DebitAccountID == collect.CreditAccountID
	return Request{Fallback: fromArrears, Build: func(attempt uint64) []ledger.Transfer {
		debit.ID, collect.ID = n.ID(attempt), n.collectionID(attempt)
		if attempt > 0 {
			return []ledger.Transfer{debit}
		}
		return []ledger.Transfer{debit, collect}
	}}
}

// WriteOff returns the request for a credit of the arrears left after the peer account has paid
// as much as it can. A closed peer account pays nothing, as in [Name.Debit].
func (n Name) WriteOff(credit, collect ledger.Transfer) Request {
	return Request{Fallback: true, Build: func(attempt uint64) []ledger.Transfer {
		credit.ID, collect.ID = n.ID(attempt), n.collectionID(attempt)
		if attempt > 0 {
			return []ledger.Transfer{credit}
		}
		return []ledger.Transfer{collect, credit}
	}}
}
