package settlement

import (
	"context"
	"fmt"
	"math/big"
	"sync"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/sequence"
	"github.com/peerledger/peerledger/ledger"
)

// The remainder of an account is in the ledger, in a chain of numbered rows of code CodeRemainder: each payment with
// a fraction writes the next number, with the remainder after the payment. The id follows from the number, so of two
// payments that counted on one remainder the ledger takes one, and the other reads the newest row again. Rows never
// change: the fraction of an earlier payment is the difference of its row and the row before.

// remainder is a row of an account's remainder; the zero remainder is the one before the first row.
type remainder struct {
	number    uint64
	fractions uint128.Uint128 // of a unit, less than fractionsOfUnit
}

// add adds a value: the units to book are its whole units, and one more if the remainder completes a unit.
func (r remainder) add(value unitValue) (next remainder, units ledger.Amount) {
	next = remainder{r.number + 1, r.fractions.Add(value.fraction)}
	units = value.whole
	if next.fractions.Cmp(fractionsOfUnit) >= 0 {
		next.fractions = next.fractions.Sub(fractionsOfUnit)
		units, _ = units.Add(ledger.NewAmount(1)) // no overflow: whole is below 2^127
	}
	return next, units
}

// valueBetween is the reverse of add: the value of a payment that booked units and led from one remainder to the
// next.
func valueBetween(before, after remainder, units ledger.Amount) unitValue {
	if after.fractions.Cmp(before.fractions) > 0 {
		return unitValue{units, after.fractions.Sub(before.fractions)}
	}
	return unitValue{units.SubFloor(ledger.NewAmount(1)), after.fractions.Add(fractionsOfUnit).Sub(before.fractions)}
}

// Remainder returns the part of the account's payments below a unit of the asset that is not booked yet, in units:
// at least 0 and less than 1, exactly. See [Engine.RecordIncomingQuantity]. The error is an [OrderError] or
// [ErrEngineClosed].
func (e *Engine) Remainder(ctx context.Context, account accounts.PeerAccount) (*big.Rat, error) {
	if !e.acquireCall() {
		return nil, ErrEngineClosed
	}
	defer e.wg.Done()
	err := e.checkPeer("remainder", account)
	var newest remainder
	if err == nil {
		newest, err = e.readRemainder(ctx, account, 0)
	}
	if err != nil {
		return nil, &OrderError{Account: account, Err: err}
	}
	return new(big.Rat).SetFrac(newest.fractions.Big(), fractionsOfUnit.Big()), nil
}

// readRemainder reads the newest remainder before a moment; 0 is now.
func (e *Engine) readRemainder(ctx context.Context, a accounts.PeerAccount, before uint64) (remainder, error) {
	filter := ledger.AccountFilter{
		AccountID: e.book.PeerIDs(a).Settlement, Code: chart.CodeRemainder, Flags: ledger.AccountFilterDebits,
	}
	if before > 0 {
		filter.TimestampMax = before - 1
	}
	row, found, err := sequence.Newest(ctx, e.ledger, filter)
	if err != nil || !found {
		return remainder{}, wrap("read the remainder", err)
	}
	return newRemainder(&row), nil
}

func newRemainder(row *ledger.Transfer) remainder { return remainder{row.UserData64, row.UserData128} }

func (e *Engine) remainderID(settlementAccount ledger.ID, number uint64) ledger.ID {
	return e.ns.Derive("remainder", chart.ID(settlementAccount), chart.U64(number))
}

// readStoredValue returns the value that is booked with the row of a key.
func (e *Engine) readStoredValue(ctx context.Context, a accounts.PeerAccount, row *ledger.Transfer) (unitValue, error) {
	if row.UserData64 == 0 {
		return unitValue{whole: row.Amount}, nil
	}
	rows, err := e.ledger.LookupTransfers(ctx, []ledger.ID{e.remainderID(row.DebitAccountID, row.UserData64)})
	switch {
	case err != nil:
		return unitValue{}, wrap("look up the remainder of the payment", err)
	case len(rows) == 0:
		return unitValue{}, fmt.Errorf("the ledger has no remainder %d for transfer %v", row.UserData64, row.ID)
	}
	before, err := e.readRemainder(ctx, a, rows[0].Timestamp)
	if err != nil {
		return unitValue{}, err
	}
	return valueBetween(before, newRemainder(&rows[0]), row.Amount), nil
}

// remainderTurns has payments with fractions of one account take turns in this process. Turns save requests: without
// them most payments that come at once would count on an outdated remainder. Processes need no turns.
type remainderTurns struct {
	mu        sync.Mutex
	byAccount map[ledger.ID]*remainderTurn // by settlement account
}

// remainderTurn is the turn of an account. The sender to slot owns newest.
type remainderTurn struct {
	slot   chan struct{}
	newest *remainder // as this process wrote or read it last; nil: unknown
}

func newRemainderTurns() *remainderTurns {
	return &remainderTurns{byAccount: make(map[ledger.ID]*remainderTurn)}
}

// take waits for the turn of an account, for the caller's release.
func (t *remainderTurns) take(ctx context.Context, settlementAccount ledger.ID) (*remainderTurn, error) {
	t.mu.Lock()
	turn, known := t.byAccount[settlementAccount]
	if !known {
		turn = &remainderTurn{slot: make(chan struct{}, 1)}
		t.byAccount[settlementAccount] = turn
	}
	t.mu.Unlock()
	select {
	case turn.slot <- struct{}{}:
		return turn, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (t *remainderTurn) release() { <-t.slot }
