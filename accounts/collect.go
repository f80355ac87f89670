package accounts

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// collectArrears charges a peer's account for its arrears as far as it has headroom, and
// looks at the balance again. It does nothing for a peer that owes no arrears, or cannot be
// charged.
func (b *Book) collectArrears(ctx context.Context, balance Balance) (Balance, error) {
	if balance.Closed || balance.Arrears.IsZero() || balance.Headroom.IsZero() {
		return balance, nil
	}
	ids := b.PeerIDs(balance.Account)
	row := chart.Collect(ids.Peer, ids.Arrears, balance.Account.ledger)
	row.ID = timedID(time.Now())
	results, err := b.ledger.CreateTransfers(ctx, []ledger.Transfer{row})
	switch {
	case err != nil:
		return balance, fmt.Errorf("collect the arrears of %v: %w", balance.Account, err)
	case results[0].Status == ledger.TransferDebitAccountAlreadyClosed: // since the balance was read
	case !results[0].Status.Outcome().Done():
		return balance, fmt.Errorf("collect the arrears of %v: %w",
			balance.Account, &ledger.TransferError{ID: row.ID, Status: results[0].Status})
	}
	return b.lookUpBalance(ctx, balance.Account)
}

// timedID draws an id that no other call draws, with 48 bits of milliseconds at the top:
// ids in order of time keep TigerBeetle's indexes fast.
func timedID(now time.Time) ledger.ID {
	var b [18]byte // 2 of 8 bytes of milliseconds are 0, and are left out
	rand.Read(b[8:])
	binary.BigEndian.PutUint64(b[:], uint64(max(now.UnixMilli(), 1)))
	return ledger.IDFromBytes([16]byte(b[2:]))
}
