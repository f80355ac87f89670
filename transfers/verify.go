package transfers

import (
	"context"
	"errors"
	"fmt"

	internalbatch "github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/ledger"
)

// A fulfill or reject must be of the packet that was prepared: with other amounts it may have
// other legs, and what it leaves out would stay held without a word. A post cannot ask for
// that: the ledger takes a smaller amount, and knows nothing of the legs that are left out. So
// the packet of a prepare's Result has a seal. What comes without one, or was changed since,
// is compared with what the ledger holds before anything is sent.

// sealOf is a number that nearly every other packet has another one of, never 0.
func sealOf(p *Packet) uint64 {
	from, to := p.From.ID(), p.To.ID()
	sum := p.ID.Lo*0x9e3779b97f4a7c15 + p.ID.Hi*0xd1342543de82ef95 + p.In*0xaf251af3b0f025b5 + p.Out*0xbf58476d1ce4e5b9 +
		p.Dust*0x94d049bb133111eb + from.Lo*0xda942042e4dd58b5 + from.Hi*0x8cb92ba72f3d8dd7 + to.Lo*0xff51afd7ed558ccd + to.Hi*0xc4ceb9fe1a85ec53
	return max(sum, 1)
}

// isVerified reports whether the packet of an operation is known to be as it was prepared, or is
// none that must be.
func (o *operation) isVerified() bool {
	return o.kind.beginsPacket() || o.packet.sealed == sealOf(&o.packet)
}

// ensureVerified sees to it that all of a batch is verified. If not, it has waited, or all is given up.
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

// verifyPackets asks the ledger what it holds for the packets that are not known to be as they were
// prepared, and refuses the operations on those that are not. The error matches
// ledger.ErrClosed if the ledger is closed, and no other error of a ledger.
func (s *sender) verifyPackets(ctx context.Context, b *batch) error {
	var ids []ledger.ID
	prepares := make(map[ledger.ID]*operation) // of this batch: not in the ledger yet
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
	held := make(map[ledger.ID]*ledger.Transfer, len(rows))
	for i := range rows {
		held[rows[i].ID] = &rows[i]
	}
	kept := b.remaining[:0]
	for _, o := range b.remaining {
		differs := !o.isVerified() && o.refuseIfDifferent(held, prepares[o.packet.ID])
		if !differs && o.legCount > 0 {
			if !o.kind.beginsPacket() {
				o.packet.sealed = sealOf(&o.packet)
			}
			kept = append(kept, o)
			continue
		}
		if !differs {
			o.slot.outcome = ledger.OutcomeApplied // there is nothing to do
			o.slot.markAnswered()
		}
		b.answered = append(b.answered, o)
	}
	b.remaining, b.fullyEncoded = kept, b.fullyEncoded && len(kept) == len(b.remaining)
	return nil
}

// refuseIfDifferent compares an operation with what the ledger holds for its packet, or with the prepare
// that goes before it. It refuses the operation if they differ.
func (o *operation) refuseIfDifferent(held map[ledger.ID]*ledger.Transfer, prepare *operation) bool {
	var array [maxLegs]leg
	var wants [maxLegs]leg
	for _, l := range o.appendLegs(array[:0]) {
		wants[l.number] = l
	}
	found := false
	for number := range wants {
		_, is := held[transferID(o.packet.ID, uint8(number), phaseHold)]
		found = found || is
	}
	if !found {
		if prepare != nil && sealOf(&prepare.packet) != sealOf(&o.packet) {
			o.refuseConflict(0, ledger.TransferPendingTransferHasDifferentAmount)
			return true
		}
		return false // the ledger will say that it holds nothing
	}
	for number, want := range wants {
		row := held[transferID(o.packet.ID, uint8(number), phaseHold)]
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

// refuseConflict refuses an operation on a packet that was prepared otherwise.
func (o *operation) refuseConflict(number uint8, status ledger.CreateTransferStatus) {
	p := &o.packet
	o.slot.outcome = ledger.OutcomeRefused
	o.slot.err = &RefusedError{
		Kind: o.kind, Packet: p.ID, From: p.From, To: p.To, Cause: ledger.ErrIDConflict,
		Transfer: ledger.TransferError{ID: transferID(p.ID, number, phaseHold), Status: status},
	}
	o.slot.markAnswered()
}
