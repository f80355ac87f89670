package transfers

import (
	"context"
	"errors"

	internalbatch "github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/ledger"
)

// readShortfalls sets the Shortfall of the operations booked late. Only the row of leg 15 has
// the amount: the ledger reduced it to the balance of the sender's account. The look-up is
// repeated until it succeeds.
func (s *sender) readShortfalls(ctx context.Context, answered []*operation) {
	var ids []ledger.ID
	for _, o := range answered {
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
	for _, o := range answered {
		if !o.slot.late || !o.debitsArrears() || !o.chargesSender() {
			continue
		}
		amount, isFound := collected[o.collectionID()]
		if o.slot.shortfallUnknown = !isFound; isFound {
			// The amount may exceed In: leg 15 collects earlier arrears too.
			o.slot.shortfall, _ = ledger.NewAmount(o.packet.In).SubFloor(amount).Uint64()
		}
	}
}

// collectionID returns the transfer id of a correction's leg 15.
func (o *operation) collectionID() ledger.ID { return transferID(o.packet.ID, legCollect, o.phase) }

// lookupTransfers reads transfers, and retries after errors. It returns nil if the ledger is
// closed or ctx ends first.
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
