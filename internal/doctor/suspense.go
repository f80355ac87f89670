package doctor

import (
	"context"
	"fmt"

	"github.com/peerledger/peerledger/accounts"
)

// checkSuspense reports money that arrived for peers while their accounts were closed.
func checkSuspense(ctx context.Context, book *accounts.Book, balances []accounts.Balance, subject string, r *Report) error {
	amounts, err := book.WaitingInSuspense(ctx, balances...)
	if err != nil {
		return err
	}
	var waiting []string
	for i, b := range balances {
		if !amounts[i].IsZero() {
			waiting = append(waiting, fmt.Sprintf("%s %s %s", b.Account.Peer(), b.Asset.Format(amounts[i]), b.Asset.Code))
		}
	}
	if len(waiting) > 0 {
		r.addFinding(MoneyWaits, subject, joinFirst(waiting))
	}
	return nil
}
