package accounts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/prepayment"
	"github.com/peerledger/peerledger/ledger"
)

// suspenseRows are the movements of an asset's suspense account, by opposite account and code.
// Rows are read from the ledger on demand, and kept.
//
// A look-up returns the account's totals and no time, so a moment is identified by the totals:
// they only grow, and rows of amount 0 between two equal totals change nothing.
type suspenseRows struct {
	ledger    ledger.Ledger
	accountID ledger.ID
	readLock  chan struct{} // held by the caller that reads

	mu            sync.Mutex
	readTotals    prepayment.Totals // after the rows read so far
	lastTimestamp uint64            // of the last row read
	flows         map[flowKey][]flowStep
	waiting       waitingSums
}

// flowKey identifies a kind of movement of suspense.
type flowKey struct {
	account ledger.ID // the opposite account
	code    uint16
	kind    flowKind
}

type flowKind uint8

const (
	flowIn  flowKind = iota // suspense is credited
	flowOut                 // suspense is debited
)

// flowStep is the sum of a flow from the moment on at which suspense had these totals.
type flowStep struct {
	at  prepayment.Totals
	sum ledger.Amount
}

func newSuspenseRows(l ledger.Ledger, id, transit ledger.ID) *suspenseRows {
	return &suspenseRows{
		ledger: l, accountID: id, readLock: make(chan struct{}, 1),
		flows: make(map[flowKey][]flowStep), waiting: newWaitingSums(transit),
	}
}

// flowSum returns the sum of a flow at the moment at which suspense had these totals. readUpTo
// must have read the rows up to it.
func (r *suspenseRows) flowSum(key flowKey, at prepayment.Totals) ledger.Amount {
	r.mu.Lock()
	defer r.mu.Unlock()
	steps := r.flows[key]
	n, _ := slices.BinarySearchFunc(steps, at, func(s flowStep, at prepayment.Totals) int {
		if at.NotBefore(s.at) {
			return -1
		}
		return 1
	})
	if n == 0 {
		return ledger.Amount{}
	}
	return steps[n-1].sum
}

// readUpTo reads the rows up to the moment at which suspense had these totals.
func (r *suspenseRows) readUpTo(ctx context.Context, at prepayment.Totals) error {
	if r.hasReached(at) {
		return nil
	}
	select {
	case r.readLock <- struct{}{}:
		defer func() { <-r.readLock }()
	case <-ctx.Done():
		return ctx.Err()
	}
	limit := uint32(ledger.QueryMax)
	for !r.hasReached(at) {
		rows, err := batch.Page(&limit, func() ([]ledger.Transfer, error) {
			return r.ledger.GetAccountTransfers(ctx, ledger.AccountFilter{
				AccountID: r.accountID, TimestampMin: r.lastTimestamp + 1, Limit: limit, Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits,
			})
		})
		if err == nil && len(rows) == 0 {
			err = errors.New("the rows do not add up to its balance")
		}
		if err != nil {
			return fmt.Errorf("read the rows of suspense: %w", err)
		}
		r.addRows(rows)
	}
	return nil
}

func (r *suspenseRows) hasReached(at prepayment.Totals) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.readTotals.NotBefore(at)
}

func (r *suspenseRows) addRows(rows []ledger.Transfer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range rows {
		t := &rows[i]
		r.lastTimestamp = t.Timestamp
		if t.Flags.Any(ledger.TransferPending | ledger.TransferVoidPending) {
			continue
		}
		key := flowKey{account: t.DebitAccountID, code: t.Code, kind: flowIn}
		if t.CreditAccountID == r.accountID {
			r.readTotals.Credits, _ = r.readTotals.Credits.Add(t.Amount) // a part of the account's totals, so it fits
		} else {
			r.readTotals.Debits, _ = r.readTotals.Debits.Add(t.Amount)
			key.account, key.kind = t.CreditAccountID, flowOut
		}
		r.waiting.addRow(t, key.kind)
		if _, ofRound := chart.ReceiverOfRound(t, r.waiting.transit); ofRound || t.Code == chart.CodeCorrection && correctsPacket(t) {
			continue // many rows, without a reader
		}
		steps := r.flows[key]
		var sum ledger.Amount
		if len(steps) > 0 {
			sum = steps[len(steps)-1].sum
		}
		sum, _ = sum.Add(t.Amount)
		r.flows[key] = append(steps, flowStep{at: r.readTotals, sum: sum})
	}
}

// correctsPacket reports whether a correction is of a packet, as booked by recorders: its id is
// the packet's, except for the low 8 bits.
func correctsPacket(t *ledger.Transfer) bool {
	packet := t.ID
	packet.Lo &^= 0xff
	return uint128.Uint128(packet) == t.UserData128
}
