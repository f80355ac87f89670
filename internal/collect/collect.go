// Package collect charges arrears to peer accounts.
package collect

import (
	"context"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// Peer is a peer in arrears, with the ids of its ledger accounts.
type Peer struct {
	Name          fmt.Stringer // for errors
	Peer, Arrears ledger.ID
	Ledger        uint32
}

// Book charges the arrears of peers to their accounts, each as far as the account has headroom
// ([chart.Collect]). A closed account pays nothing, without an error.
func Book(ctx context.Context, l ledger.Ledger, now time.Time, peers ...Peer) error {
	rows := make([]ledger.Transfer, len(peers))
	for i, p := range peers {
		rows[i] = chart.Collect(p.Peer, p.Arrears, p.Ledger)
		rows[i].ID = chart.TimedID(now)
	}
	results, err := batch.Each(ctx, rows, 1, l.CreateTransfers)
	if err != nil {
		return fmt.Errorf("collect arrears: %w", err)
	}
	for i, r := range results {
		closed := r.Status == ledger.TransferDebitAccountAlreadyClosed // since the caller looked
		if !closed && !r.Status.Outcome().Done() {
			return fmt.Errorf("collect the arrears of %v: %w", peers[i].Name, &ledger.TransferError{ID: rows[i].ID, Status: r.Status})
		}
	}
	return nil
}
