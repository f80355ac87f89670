package transfers

import (
	"context"
	"errors"

	internalbatch "github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/ledger"
)

// readShortfalls finds out how much of what was booked late the senders could not be charged.
// Only the row of leg 15 tells: the ledger has cut its amount to what the account had. It is
// read until it is there, since the ledger has just answered.
func (s *sender) readShortfalls(ctx context.Context, done []*operation) {
	var ids []ledger.ID
	for _, o := range done {
		switch {
		case !o.slot.late || !o.debitsArrears():
		case o.chargesSender():
			ids = append(ids, o.collectionID())
		default:
			o.slot.shortfall = o.packet.In
		}
	}
	if len(ids) == 0 {
		return
	}
	rows := s.lookupTransfers(ctx, ids)
	collected := make(map[ledger.ID]ledger.Amount, len(rows))
	for i := range rows {
		collected[rows[i].ID] = rows[i].Amount
	}
	for _, o := range done {
		if !o.slot.late || !o.debitsArrears() || !o.chargesSender() {
			continue
		}
		amount, found := collected[o.collectionID()]
		if o.slot.shortfallUnknown = !found; found {
			// It may be more than In: arrears from before are collected with it.
			o.slot.shortfall, _ = ledger.NewAmount(o.packet.In).SubFloor(amount).Uint64()
		}
	}
}

// collectionID is the id of the transfer that charges the sender of a correction.
func (o *operation) collectionID() ledger.ID { return transferID(o.packet.ID, legCollect, o.phase) }

// lookupTransfers reads transfers, again and again until the ledger is closed or ctx ends: then there
// are none.
func (s *sender) lookupTransfers(ctx context.Context, ids []ledger.ID) []ledger.Transfer {
	for pause := (&retryBackoff{}); ; {
		rows, err := internalbatch.Each(ctx, ids, 1, s.ledger.LookupTransfers)
		if err == nil {
			return rows
		}
		if errors.Is(err, ledger.ErrClosed) || !pause.waitInterval(ctx) {
			return nil
		}
	}
}
