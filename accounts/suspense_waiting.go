package accounts

import (
	"context"
	"fmt"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// WaitingInSuspense returns the amounts that wait in suspense for the peers of balances, in units
// and in the order of the balances: amounts that came in while a peer was closed, and were
// neither released to the peer (settlement.Engine.Release) nor returned. It reads the new rows of
// the assets' suspense accounts, and the holds of late packets among them. Without new rows it
// sends no request.
//
// The balances must come from this Book. Errors are of requests.
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

// waitingSums are the amounts waiting in suspense, by the account that identifies the peer: the
// settlement account of a payer, or the peer account of the receiver of a late packet or of a round.
type waitingSums struct {
	transit      ledger.ID // of the asset
	received     map[ledger.ID]ledger.Amount
	released     map[ledger.ID]ledger.Amount  // also amounts of packets with an unknown receiver
	owners       map[ledger.ID]ledger.ID      // of payments and of earnings in rounds: that account, by the id of the row
	latePackets  map[uint128.Uint128]struct{} // packets with rows in suspense
	unknownHolds map[ledger.ID]ledger.Amount  // amounts of packets with an unknown receiver, by the id of the hold
}

func newWaitingSums(transit ledger.ID) waitingSums {
	return waitingSums{
		transit:      transit,
		received:     make(map[ledger.ID]ledger.Amount),
		released:     make(map[ledger.ID]ledger.Amount),
		owners:       make(map[ledger.ID]ledger.ID),
		latePackets:  make(map[uint128.Uint128]struct{}),
		unknownHolds: make(map[ledger.ID]ledger.Amount),
	}
}

// addRow adds a row of suspense.
func (w *waitingSums) addRow(t *ledger.Transfer, kind flowKind) {
	switch {
	case kind == flowIn && (t.Code == chart.CodeIncoming || t.Code == chart.CodeVoucher):
		w.addOwned(t, t.DebitAccountID)
	case kind == flowIn:
		if receiver, is := chart.ReceiverOfRound(t, w.transit); is {
			w.addOwned(t, receiver)
		} else if hold, is := chart.HoldOfLate(t); is {
			w.unknownHolds[hold] = t.Amount
			w.latePackets[t.UserData128] = struct{}{}
		}
	case t.Code == chart.CodeReturned:
		addTo(w.released, t.CreditAccountID, t.Amount)
	case t.Code == chart.CodeAdjust: // a credit by hand names a key instead of a payment
		if payer, is := w.owners[ledger.ID(t.UserData128)]; is {
			addTo(w.released, payer, t.Amount)
		}
	case t.Code == chart.CodeCorrection: // a correction of an older version names an order, or is of a packet
		if receiver, is := w.owners[ledger.ID(t.UserData128)]; is {
			addTo(w.released, receiver, t.Amount)
		} else if _, is := w.latePackets[t.UserData128]; is && !correctsPacket(t) {
			addTo(w.released, t.CreditAccountID, t.Amount)
		}
	}
}

// addOwned adds a row that waits for the peer with this account. Its release names the row.
func (w *waitingSums) addOwned(t *ledger.Transfer, owner ledger.ID) {
	w.owners[t.ID] = owner
	addTo(w.received, owner, t.Amount)
}

func addTo(sums map[ledger.ID]ledger.Amount, account ledger.ID, a ledger.Amount) {
	sums[account], _ = sums[account].Add(a) // a part of the totals of suspense, so it fits
}

// readReceivers looks up the receivers of late packets that are still unknown.
func (r *suspenseRows) readReceivers(ctx context.Context) error {
	holds := r.unknownHolds()
	if len(holds) == 0 {
		return nil
	}
	found, err := batch.Each(ctx, holds, 1, r.ledger.LookupTransfers)
	if err != nil {
		return fmt.Errorf("look up the receivers of late packets in suspense: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, hold := range found {
		if amount, isUnknown := r.waiting.unknownHolds[hold.ID]; isUnknown { // not looked up by a concurrent call meanwhile
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

// waitingFor returns the amount waiting for a peer, by the rows and holds read so far.
func (r *suspenseRows) waitingFor(ids PeerIDs) ledger.Amount {
	r.mu.Lock()
	defer r.mu.Unlock()
	of := func(account ledger.ID) ledger.Amount {
		return r.waiting.received[account].SubFloor(r.waiting.released[account])
	}
	sum, _ := of(ids.Settlement).Add(of(ids.Peer)) // parts of the credits of suspense, so they fit
	return sum
}
