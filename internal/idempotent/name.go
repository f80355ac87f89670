package idempotent

import (
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// Name is what a booking is known by: its kind, the account that it is about, and the key.
// The ids of its attempts follow from it.
type Name struct {
	Namespace chart.Namespace
	Kind      string
	Account   ledger.ID
	Key       string
}

// ID is the id of an attempt's own transfer.
func (n Name) ID(attempt uint64) ledger.ID {
	return n.Namespace.Derive(n.Kind, chart.ID(n.Account), []byte(n.Key), chart.U64(attempt))
}

// collectionID is the id of the collection in an attempt's chain.
func (n Name) collectionID(attempt uint64) ledger.ID {
	return n.Namespace.Derive(n.Kind, chart.ID(n.Account), []byte(n.Key), chart.U64(attempt), chart.U64(1))
}

// Debit is the request for a debit of a peer, which also collects arrears (chart.Collect).
//
// It is either from the arrears account, which must exist: then nothing refuses it. The ledger
// refuses the collection only if the peer account is closed, and the debit is booked alone
// then. Or it is from the peer account: then the ledger refuses what the account does not
// cover, and the key stays free. Both may be asked for under one key. Their chains have the
// same ids, and each refusal burns one of them for both, so one of the two is booked, once.
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

// WriteOff is the request for a credit of arrears, of what is left of them after the peer
// account has paid what it can. A closed peer account pays nothing, as in Debit.
func (n Name) WriteOff(credit, collect ledger.Transfer) Request {
	return Request{Fallback: true, Build: func(attempt uint64) []ledger.Transfer {
		credit.ID, collect.ID = n.ID(attempt), n.collectionID(attempt)
		if attempt > 0 {
			return []ledger.Transfer{credit}
		}
		return []ledger.Transfer{collect, credit}
	}}
}
