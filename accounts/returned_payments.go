package accounts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/prepayment"
	"github.com/peerledger/peerledger/ledger"
)

// returnedPayments are the arrears from returned payments of peers, by arrears account. Rows are
// read on demand, and kept.
type returnedPayments struct {
	ledger ledger.Ledger

	mu    sync.Mutex
	known map[ledger.ID]returnedHistory
}

// returnedHistory are the returned payments of a peer.
type returnedHistory struct {
	coveredDebits ledger.Amount  // the debits of arrears up to which all payments are known
	lastTimestamp uint64         // of the last payment
	steps         []returnedStep // append-only
}

// returnedStep is the sum of the returned payments from the moment on at which arrears had these
// debits.
type returnedStep struct{ debits, sum ledger.Amount }

func newReturnedRows(l ledger.Ledger) *returnedPayments {
	return &returnedPayments{ledger: l, known: make(map[ledger.ID]returnedHistory)}
}

// readUpTo reads the payments returned up to the moment of a peer's totals. It asks the ledger
// only if arrears were debited since the last call.
func (r *returnedPayments) readUpTo(ctx context.Context, arrears ledger.ID, s *prepayment.Sums) error {
	known := r.historyOf(arrears)
	if !known.coveredDebits.Less(s.Arrears.Debits) || s.Settlement.Credits.IsZero() {
		return nil
	}
	known, err := r.readNewer(ctx, arrears, known)
	if err != nil {
		return fmt.Errorf("read the returned payments of a peer: %w", err)
	}
	known.coveredDebits = s.Arrears.Debits
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known[arrears].coveredDebits.Less(known.coveredDebits) {
		r.known[arrears] = known
	}
	return nil
}

func (r *returnedPayments) historyOf(arrears ledger.ID) returnedHistory {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.known[arrears]
}

// sumAt returns the sum of the payments returned up to the moment of a peer's totals. readUpTo
// must have read them.
func (r *returnedPayments) sumAt(arrears ledger.ID, s *prepayment.Sums) ledger.Amount {
	var sum ledger.Amount
	for _, step := range r.historyOf(arrears).steps {
		if s.Arrears.Debits.Less(step.debits) {
			break
		}
		sum = step.sum
	}
	return sum
}

// readNewer reads the payments returned after the last known one. The history of the arrears
// account has its debits right after each payment.
func (r *returnedPayments) readNewer(ctx context.Context, arrears ledger.ID, known returnedHistory) (returnedHistory, error) {
	known.steps = slices.Clone(known.steps)
	limit := uint32(ledger.QueryMax)
	for {
		var balances []ledger.AccountBalance
		rows, err := batch.Page(&limit, func() (rows []ledger.Transfer, err error) {
			rows, balances, err = r.readPage(ctx, arrears, known.lastTimestamp, limit)
			return rows, err
		})
		if err == nil && len(balances) != len(rows) {
			err = errors.New("the history of the arrears account is not complete")
		}
		if err != nil {
			return returnedHistory{}, err
		}
		for i := range rows {
			known.addPayment(&rows[i], balances[i].DebitsPosted)
		}
		if len(rows) < int(limit) {
			return known, nil
		}
	}
}

// readPage reads the next rows, and the balances after them.
func (r *returnedPayments) readPage(
	ctx context.Context, arrears ledger.ID, last uint64, limit uint32,
) (rows []ledger.Transfer, balances []ledger.AccountBalance, err error) {
	filter := ledger.AccountFilter{
		AccountID: arrears, Code: chart.CodeReturned, TimestampMin: last + 1, Limit: limit, Flags: ledger.AccountFilterDebits,
	}
	if rows, err = r.ledger.GetAccountTransfers(ctx, filter); err != nil || len(rows) == 0 {
		return nil, nil, err
	}
	filter.TimestampMax = rows[len(rows)-1].Timestamp
	balances, err = r.ledger.GetAccountBalances(ctx, filter)
	return rows, balances, err
}

func (k *returnedHistory) addPayment(row *ledger.Transfer, debits ledger.Amount) {
	var sum ledger.Amount
	if len(k.steps) > 0 {
		sum = k.steps[len(k.steps)-1].sum
	}
	sum, _ = sum.Add(row.Amount) // a part of the debits of arrears, so it fits
	k.steps = append(k.steps, returnedStep{debits: debits, sum: sum})
	k.lastTimestamp = row.Timestamp
}
