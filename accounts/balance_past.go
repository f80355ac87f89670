package accounts

import (
	"context"
	"fmt"
	"math/big"
	"time"

	"github.com/peerledger/peerledger/internal/prepayment"
	"github.com/peerledger/peerledger/ledger"
)

// PastBalance is the state of a peer right after a moment, in units.
type PastBalance struct {
	Position *big.Int // above 0 we owed the peer
	Net      *big.Int // Position less Prepaid
	Prepaid  ledger.Amount
	Arrears  ledger.Amount
}

// ErrNoHistory is returned when the ledger keeps no history of the peer account
// ([Config.NoHistory]): a past balance cannot be known.
var ErrNoHistory = prepayment.ErrNoHistory

// BalanceAt computes the balance of a peer right after a moment of the past, by the ledger's
// clock. It uses only rows that never change, so every call at any time returns the same result.
//
// Errors: [ErrNoHistory], [ErrNotProvisioned], [ErrUnknownAsset], or the error of a request.
func (b *Book) BalanceAt(ctx context.Context, account PeerAccount, at time.Time) (PastBalance, error) {
	now, err := b.LookUpBalances(ctx, account)
	if err != nil {
		return PastBalance{}, err
	}
	then, err := b.prepaymentMemory.At(ctx, b.prepaymentAccounts(account), now[0].totals, timestampOf(at))
	if err != nil {
		return PastBalance{}, fmt.Errorf("read the past balance of %v: %w", account, err)
	}
	return PastBalance{
		Position: then.Position, Net: then.Net, Prepaid: ledger.ClampAmount(then.Prepaid), Arrears: then.Arrears,
	}, nil
}
