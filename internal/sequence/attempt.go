package sequence

import (
	"context"
	"errors"
	"math"

	"github.com/peerledger/peerledger/ledger"
)

// ErrAllBurnt is returned by [TryAttempts] when the ids of every attempt are burnt.
var ErrAllBurnt = errors.New("sequence: the ids of all attempts are burnt")

// NoEnd is the end of a numbering without a last attempt.
const NoEnd = math.MaxUint64

// Attempt is a chain of transfers sent by [TryAttempts] under one number, with the ledger's answer.
type Attempt struct {
	Number  uint64
	Rows    []ledger.Transfer // as sent, linked into one chain
	Results []ledger.CreateTransferResult
	Chain   ledger.Chain // the outcome of Results
}

// Refusal is the error of a refused attempt: the id of the chain's breaker, and its status.
func (a *Attempt) Refusal() *ledger.TransferError {
	return &ledger.TransferError{ID: a.Rows[max(a.Chain.Breaker, 0)].ID, Status: a.Chain.Status}
}

// TryAttempts sends attempt first. While the ledger answers that an id of the attempt is burnt
// ([ledger.TransferIDAlreadyFailed]), TryAttempts sends the next attempt, in a request each. It
// returns the first attempt with any other answer.
//
// An attempt is the chain of transfers returned by build for a number; build is called once for
// each. Every id in the chain follows from the number, so all processes send the same ids for an
// attempt. A chain with a burnt id can never be booked. So the next attempt is safe, and at most
// one attempt is ever in the ledger.
//
// A refusal burns an id too, but ends the call: the caller decides whether to try again. The next
// call then finds the id burnt.
//
// TryAttempts gives up before attempt end, with [ErrAllBurnt] ([NoEnd]: never), and when a request
// fails, with the request's error (as when ctx ends). Attempt.Number is set with an error too.
func TryAttempts(
	ctx context.Context, l ledger.Ledger, first, end uint64, build func(n uint64) []ledger.Transfer,
) (Attempt, error) {
	for n := first; n < end; n++ {
		rows := build(n)
		for i := range rows[:len(rows)-1] {
			rows[i].Flags |= ledger.TransferLinked
		}
		results, err := l.CreateTransfers(ctx, rows)
		if err != nil {
			return Attempt{Number: n, Rows: rows}, err
		}
		chain := ledger.ChainOutcome(results)
		if chain.Status != ledger.TransferIDAlreadyFailed {
			return Attempt{Number: n, Rows: rows, Results: results, Chain: chain}, nil
		}
	}
	return Attempt{Number: end}, ErrAllBurnt
}
