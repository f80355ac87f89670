package transfers

import (
	"context"
	"errors"
	"fmt"

	internalbatch "github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/ledger"
)

// A fulfill or reject must name the packet exactly as it was prepared. With other amounts it
// could have other legs, and the legs left out would stay held unnoticed. A post alone does
// not ensure that: the ledger accepts a smaller amount, and does not know the other legs. So
// the Packet of a prepare's Result carries a seal. A packet without a seal, or changed since
// it was sealed, is compared with the ledger's holds before anything is sent.

// sealOf returns a number, never 0, that two different packets hardly ever share.
func sealOf(p *Packet) uint64 {
	from, to := p.From.ID(), p.To.ID()
	sum := p.ID.Lo*0x9e3779b97f4a7c15 + p.ID.Hi*0xd1342543de82ef95 + p.In*0xaf251af3b0f025b5 + p.Out*0xbf58476d1ce4e5b9 +
		p.Dust*0x94d049bb133111eb + from.Lo*0xda942042e4dd58b5 + from.Hi*0x8cb92ba72f3d8dd7 + to.Lo*0xff51afd7ed558ccd + to.Hi*0xc4ceb9fe1a85ec53
	return max(sum, 1)
}

// isVerified reports whether the operation's packet is known to be as it was prepared. A
// prepare or forward needs no verification.
func (o *operation) isVerified() bool {
	return o.kind.beginsPacket() || o.packet.sealed == sealOf(&o.packet)
}

// ensureVerified verifies the packets of a batch. After an error of the ledger it waits and
// returns false, or gives up the whole batch and returns false.
func (s *sender) ensureVerified(ctx context.Context, b *batch, pause *retryBackoff) bool {
	if !b.needsVerification {
		return true
	}
	err := s.verifyPackets(ctx, b)
	switch {
	case err == nil:
		pause.resetInterval()
		b.needsVerification = false
		return true
	case errors.Is(err, ledger.ErrClosed):
		s.recorder.ledgerClosed.Store(true)
	case pause.waitInterval(ctx):
		return false
	}
	s.abandonOperations(b, len(b.remaining), err)
	b.needsVerification = false
	return false
}

// verifyPackets reads the holds of the unverified packets, and refuses the operations on
// packets that differ from their holds. The error matches [ledger.ErrClosed] if the ledger is
// closed, and no other error of package ledger.
func (s *sender) verifyPackets(ctx context.Context, b *batch) error {
	var ids []ledger.ID
	prepares := make(map[ledger.ID]*operation) // of this batch: their holds are not in the ledger yet
	for _, o := range b.remaining {
		if o.kind == KindPrepare {
			prepares[o.packet.ID] = o
		}
		for number := uint8(0); number < maxLegs && !o.isVerified(); number++ {
			ids = append(ids, transferID(o.packet.ID, number, phaseHold))
		}
	}
	rows, err := internalbatch.Each(ctx, ids, 1, s.ledger.LookupTransfers)
	switch {
	case errors.Is(err, ledger.ErrClosed):
		return fmt.Errorf("read what packets hold: %w", ledger.ErrClosed)
	case err != nil:
		return fmt.Errorf("read what packets hold: %v", err) //nolint:errorlint // it must not match ErrOutcomeUnknown: nothing was sent
	}
	holds := make(map[ledger.ID]*ledger.Transfer, len(rows))
	for i := range rows {
		holds[rows[i].ID] = &rows[i]
	}
	kept := b.remaining[:0]
	for _, o := range b.remaining {
		isRefused := !o.isVerified() && o.refuseIfDifferent(holds, prepares[o.packet.ID])
		if !isRefused && o.legCount > 0 {
			if !o.kind.beginsPacket() {
				o.packet.sealed = sealOf(&o.packet)
			}
			kept = append(kept, o)
			continue
		}
		if !isRefused {
			o.slot.outcome = ledger.OutcomeApplied // a packet without legs writes nothing
			o.slot.markAnswered()
		}
		b.answered = append(b.answered, o)
	}
	b.remaining, b.fullyEncoded = kept, b.fullyEncoded && len(kept) == len(b.remaining)
	return nil
}

// refuseIfDifferent compares the packet with its holds in the ledger, or with the prepare
// before it in the batch (nil if there is none). It refuses the operation and returns true if
// they differ.
func (o *operation) refuseIfDifferent(holds map[ledger.ID]*ledger.Transfer, prepare *operation) bool {
	var array [maxLegs]leg
	var legsByNumber [maxLegs]leg
	for _, l := range o.appendLegs(array[:0]) {
		legsByNumber[l.number] = l
	}
	isHeld := false
	for number := range legsByNumber {
		_, hasHold := holds[transferID(o.packet.ID, uint8(number), phaseHold)]
		isHeld = isHeld || hasHold
	}
	if !isHeld {
		if prepare != nil && sealOf(&prepare.packet) != sealOf(&o.packet) {
			o.refuseConflict(0, ledger.TransferPendingTransferHasDifferentAmount)
			return true
		}
		return false // the ledger refuses an operation without a hold
	}
	for number, want := range legsByNumber {
		row := holds[transferID(o.packet.ID, uint8(number), phaseHold)]
		if row == nil {
			row = &ledger.Transfer{DebitAccountID: want.debit, CreditAccountID: want.credit}
		}
		status := ledger.TransferCreated
		switch {
		case row.Amount != ledger.NewAmount(want.amount):
			status = ledger.TransferPendingTransferHasDifferentAmount
		case row.DebitAccountID != want.debit:
			status = ledger.TransferPendingTransferHasDifferentDebitAccountID
		case row.CreditAccountID != want.credit:
			status = ledger.TransferPendingTransferHasDifferentCreditAccountID
		}
		if status != ledger.TransferCreated {
			o.refuseConflict(uint8(number), status)
			return true
		}
	}
	return false
}

// refuseConflict refuses an operation on a packet that was prepared with other amounts or
// accounts.
func (o *operation) refuseConflict(legNumber uint8, status ledger.CreateTransferStatus) {
	o.slot.outcome = ledger.OutcomeRefused
	o.slot.err = o.newRefusedError(ledger.ErrIDConflict,
		ledger.TransferError{ID: transferID(o.packet.ID, legNumber, phaseHold), Status: status})
	o.slot.markAnswered()
}
