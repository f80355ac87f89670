package accounts

import (
	"context"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// Reservation is a part of a peer's headroom that a recorder in rounds (package transfers/aggregate)
// keeps for packets from the peer, those under way and those to come. The recorder renews it, and the
// ledger releases it at its Expiry at the latest. [Balance].HeldIn counts it in full.
type Reservation struct {
	ID      ledger.ID     // of the pending transfer
	Journal uint64        // number of the recorder's journal
	Amount  ledger.Amount // units, above 0
	Since   time.Time     // by the ledger's clock
	Expiry  time.Time     // by the ledger's clock
}

// Reservations returns the reservations of a peer's headroom, by expiry, of one moment, and reads as
// [Book.Holds] does, which returns what single packets hold.
//
// The error is [ErrUnknownAsset], [ErrNotProvisioned], or of a request.
func (b *Book) Reservations(ctx context.Context, account PeerAccount) ([]Reservation, error) {
	open, err := b.openRows(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("reservations of %v: %w", account, err)
	}
	return listReservations(open, account.id), nil
}

// listReservations returns the reservations among an account's open rows.
func listReservations(open []ledger.Transfer, accountID ledger.ID) (list []Reservation) {
	for i := range open {
		if row := &open[i]; row.Code == chart.CodeReserve && row.DebitAccountID == accountID {
			r := Reservation{ID: row.ID, Journal: row.UserData64, Amount: row.Amount, Since: timeOf(row.Timestamp)}
			if ends := expiryOf(row); ends != 0 {
				r.Expiry = timeOf(ends)
			}
			list = append(list, r)
		}
	}
	return list
}
