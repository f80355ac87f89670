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

// returnedPayments is what peers' payments that came back have made arrears of, by the arrears
// account. It is read from the ledger as far as it is asked for, and kept.
type returnedPayments struct {
	ledger ledger.Ledger

	mu    sync.Mutex
	known map[ledger.ID]returnedHistory
}

// returnedHistory are the payments of a peer that came back.
type returnedHistory struct {
	coveredDebits ledger.Amount  // the debits of arrears up to which all are known
	lastTimestamp uint64         // the time of the last one
	steps         []returnedStep // never changed, but appended to
}

// returnedStep is the sum of what came back from the moment on at which arrears had these
// debits.
type returnedStep struct{ debits, sum ledger.Amount }

func newReturnedRows(l ledger.Ledger) *returnedPayments {
	return &returnedPayments{ledger: l, known: make(map[ledger.ID]returnedHistory)}
}

// readUpTo reads what had come back when a peer's accounts had these sums. It asks the ledger
// only if arrears were debited since it did so last.
func (r *returnedPayments) readUpTo(ctx context.Context, arrears ledger.ID, s *prepayment.Sums) error {
	known := r.historyOf(arrears)
	if !known.coveredDebits.Less(s.Arrears.Debits) || s.Settlement.Credits.IsZero() {
		return nil
	}
	known, err := r.readNewer(ctx, arrears, known)
	if err != nil {
		return fmt.Errorf("read what came back of a peer's payments: %w", err)
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

// sumAt is what had come back when a peer's accounts had these sums, to which it was read
// (readUpTo).
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

// readNewer reads the payments that came back since the last one that is known. The history of
// the arrears account says what its debits were right after each.
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
	sum, _ = sum.Add(row.Amount) // a part of what arrears were debited, so it fits
	k.steps = append(k.steps, returnedStep{debits: debits, sum: sum})
	k.lastTimestamp = row.Timestamp
}
