package accounts

import (
	"context"
	"fmt"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// WaitingInSuspense is what waits in suspense for the peers of balances, in units and in their order:
// what came in while a peer was closed, and was neither given back (settlement.Engine.Release)
// nor returned. It reads the rows of the assets' suspense accounts that are newer than those
// that the Book has read, and the holds of late packets among them. When nothing was booked on
// suspense since then it asks nothing.
//
// The balances are of this Book. Errors are those of requests.
func (b *Book) WaitingInSuspense(ctx context.Context, balances ...Balance) ([]ledger.Amount, error) {
	amounts := make([]ledger.Amount, len(balances))
	for i := range balances {
		balance := &balances[i]
		rows := b.suspense[balance.Asset.Ledger]
		if err := rows.readUpTo(ctx, balance.totals.Suspense); err != nil {
			return nil, err
		}
		if err := rows.readReceivers(ctx); err != nil {
			return nil, err
		}
		amounts[i] = rows.waitingFor(balance.ids)
	}
	return amounts, nil
}

// waitingSums is what waits in suspense, by the account that names the peer: the settlement
// account of who paid, the peer account of who earned late.
type waitingSums struct {
	received     map[ledger.ID]ledger.Amount
	released     map[ledger.ID]ledger.Amount  // also of what came with a packet whose receiver is not looked up yet
	payments     map[ledger.ID]ledger.ID      // the settlement account that a row came from, by its id
	latePackets  map[uint128.Uint128]struct{} // the late ones that rows are of
	unknownHolds map[ledger.ID]ledger.Amount  // of packets whose receivers are not looked up yet, by the id of the hold
}

func newWaitingSums() waitingSums {
	return waitingSums{
		received:     make(map[ledger.ID]ledger.Amount),
		released:     make(map[ledger.ID]ledger.Amount),
		payments:     make(map[ledger.ID]ledger.ID),
		latePackets:  make(map[uint128.Uint128]struct{}),
		unknownHolds: make(map[ledger.ID]ledger.Amount),
	}
}

// addRow takes in a row of suspense.
func (w *waitingSums) addRow(t *ledger.Transfer, kind flowKind) {
	switch {
	case kind == flowIn && (t.Code == chart.CodeIncoming || t.Code == chart.CodeVoucher):
		w.payments[t.ID] = t.DebitAccountID
		addTo(w.received, t.DebitAccountID, t.Amount)
	case kind == flowIn:
		if hold, is := chart.HoldOfLate(t); is {
			w.unknownHolds[hold] = t.Amount
			w.latePackets[t.UserData128] = struct{}{}
		}
	case t.Code == chart.CodeReturned:
		addTo(w.released, t.CreditAccountID, t.Amount)
	case t.Code == chart.CodeAdjust: // a credit by hand names a key, and no payment
		if payer, is := w.payments[ledger.ID(t.UserData128)]; is {
			addTo(w.released, payer, t.Amount)
		}
	case t.Code == chart.CodeCorrection: // an older version's names an order, or is itself of a packet
		if _, is := w.latePackets[t.UserData128]; is && !correctsPacket(t) {
			addTo(w.released, t.CreditAccountID, t.Amount)
		}
	}
}

func addTo(sums map[ledger.ID]ledger.Amount, account ledger.ID, a ledger.Amount) {
	sums[account], _ = sums[account].Add(a) // a part of the sums of suspense, so it fits
}

// readReceivers looks up whom the late packets are for that were read and are of nobody yet.
func (r *suspenseRows) readReceivers(ctx context.Context) error {
	holds := r.unknownHolds()
	if len(holds) == 0 {
		return nil
	}
	found, err := batch.Each(ctx, holds, 1, r.ledger.LookupTransfers)
	if err != nil {
		return fmt.Errorf("look up whose late packets are in suspense: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, hold := range found {
		if amount, isUnknown := r.waiting.unknownHolds[hold.ID]; isUnknown { // nobody else has looked it up meanwhile
			addTo(r.waiting.received, hold.CreditAccountID, amount)
		}
		delete(r.waiting.unknownHolds, hold.ID)
	}
	return nil
}

func (r *suspenseRows) unknownHolds() (holds []ledger.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for hold := range r.waiting.unknownHolds {
		holds = append(holds, hold)
	}
	return holds
}

// waitingFor is what waits for a peer, as far as rows and holds were read.
func (r *suspenseRows) waitingFor(ids PeerIDs) ledger.Amount {
	r.mu.Lock()
	defer r.mu.Unlock()
	of := func(account ledger.ID) ledger.Amount {
		return r.waiting.received[account].SubFloor(r.waiting.released[account])
	}
	sum, _ := of(ids.Settlement).Add(of(ids.Peer)) // parts of the credits of suspense
	return sum
}
