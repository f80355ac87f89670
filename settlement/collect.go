package settlement

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// collectable reports whether a peer has arrears, and headroom to pay them with.
func collectable(b accounts.Balance) bool {
	return !b.Arrears.IsZero() && !b.Headroom.IsZero() && !b.Closed
}

// collect charges the arrears of peers to their accounts, as far as these have headroom. The
// ledger cuts each collection to what the account has and to what is in arrears, so nothing
// is taken twice, whoever else collects at the same moment.
func (e *Engine) collect(ctx context.Context, balances []accounts.Balance) error {
	for chunk := range slices.Chunk(balances, renewals) {
		rows := make([]ledger.Transfer, len(chunk))
		for i := range chunk {
			rows[i] = e.collection(chunk[i].Account, e.freshID())
		}
		results, err := e.ledger.CreateTransfers(ctx, rows)
		if err != nil {
			return wrap("collect arrears", err)
		}
		for i, r := range results {
			closed := r.Status == ledger.TransferDebitAccountAlreadyClosed // since it was looked up
			if !closed && !r.Status.Outcome().Done() {
				err := &ledger.TransferError{ID: rows[i].ID, Status: r.Status}
				return fmt.Errorf("collect the arrears of %v: %w", chunk[i].Account, err)
			}
		}
	}
	return nil
}

// collection charges a peer's arrears to its account.
func (e *Engine) collection(a accounts.Account, id ledger.ID) ledger.Transfer {
	ids := e.book.PeerIDs(a)
	row := chart.Collect(ids.Peer, ids.Arrears, a.Ledger())
	row.ID = id
	return row
}

// freshID is an id that nobody else draws, ordered by time.
func (e *Engine) freshID() ledger.ID {
	var b [16]byte
	rand.Read(b[:])
	const millisBits = 48
	random := uint128.FromBytes(b[:]).Rsh(millisBits)
	now := uint64(max(e.cfg.Clock().UnixMilli(), 1)) & (1<<millisBits - 1)
	return ledger.ID(uint128.From64(now).Lsh(128 - millisBits).Or(random))
}

// collectAll collects from all balances that allow it.
func (e *Engine) collectAll(ctx context.Context, balances []accounts.Balance) error {
	var due []accounts.Balance
	for _, b := range balances {
		if collectable(b) {
			due = append(due, b)
		}
	}
	return e.collect(ctx, due)
}

// neverPayable is an error if a policy wants to pay ahead of what packets earn, and the peer
// has no credit line for it.
func neverPayable(b accounts.Balance, d Demand) error {
	if d.Ahead.IsZero() || d.Amount.IsZero() || !b.CreditLine.IsZero() || b.Closed {
		return nil
	}
	return &PrefundError{Account: b.Account, Asset: b.Asset, Ahead: d.Ahead}
}
