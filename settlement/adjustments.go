package settlement

import (
	"context"
	"sync"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// adjustments are what Book.Adjust credited peers, which is owed but not earned: orders do
// not pay it out, no more than a prepayment. The balance of a peer does not tell it from
// what packets earned, so the transfers are read. They come from suspense, so that a
// look-up of that account tells whether there are new ones.
type adjustments struct {
	mu    sync.Mutex
	sums  map[ledger.ID]ledger.Amount // by peer account
	known map[uint32]adjusted         // by ledger number
}

// adjusted is how far the adjustments of an asset are in the sums.
type adjusted struct {
	debits ledger.Amount // of suspense, when they were read
	upTo   uint64        // the ledger's time of the newest one
}

func newAdjustments() *adjustments {
	return &adjustments{sums: make(map[ledger.ID]ledger.Amount), known: make(map[uint32]adjusted)}
}

// leaveOut takes what was adjusted out of what packets earned. The rest of the payable is
// shown as prepaid.
func (j *adjustments) leaveOut(b accounts.Balance) accounts.Balance {
	j.mu.Lock()
	sum := j.sums[b.Account.ID()]
	j.mu.Unlock()
	b.Earned = b.Earned.SubFloor(sum)
	b.Prepaid = b.Payable.SubFloor(b.Earned.SubFloor(b.SettledOut))
	return b
}

// read adds what was adjusted in an asset since it was last read.
func (j *adjustments) read(ctx context.Context, e *Engine, asset uint32) error {
	own, _ := e.book.AssetIDs(asset)
	found, err := e.ledger.LookupAccounts(ctx, []ledger.ID{own.Suspense})
	if err != nil {
		return wrap("look at suspense", err)
	}
	var debits ledger.Amount
	for _, suspense := range found { // one, or none if the asset was never provisioned
		debits = suspense.DebitsPosted
	}
	j.mu.Lock()
	before := j.known[asset]
	j.mu.Unlock()
	for before.debits != debits {
		rows, err := e.ledger.GetAccountTransfers(ctx, ledger.AccountFilter{
			AccountID: own.Suspense, Code: chart.CodeAdjust, TimestampMin: before.upTo + 1,
			Limit: ledger.BatchMax, Flags: ledger.AccountFilterDebits,
		})
		if err != nil {
			return wrap("read the adjustments", err)
		}
		if len(rows) == 0 {
			break
		}
		before.upTo = j.add(asset, rows)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	now := j.known[asset]
	j.known[asset] = adjusted{debits: debits, upTo: max(now.upTo, before.upTo)}
	return nil
}

// add adds rows, each once: two accounts' orders may read the same ones at once. It returns
// the time of the last.
func (j *adjustments) add(asset uint32, rows []ledger.Transfer) (upTo uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	known := j.known[asset]
	for _, row := range rows {
		if row.Timestamp > known.upTo {
			known.upTo = row.Timestamp
			// It is a part of the account's credits, so the sum fits.
			j.sums[row.CreditAccountID], _ = j.sums[row.CreditAccountID].Add(row.Amount)
		}
	}
	j.known[asset] = known
	return known.upTo
}
