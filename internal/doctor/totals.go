package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// checkTotals adds up all accounts of a ledger to which no program writes.
func checkTotals(ctx context.Context, l ledger.Ledger, subject string, r *Report) {
	sums, err := accounts.SumAccounts(ctx, l, nil)
	if err != nil {
		r.addFolderError(subject, err)
		return
	}
	var right []string
	for _, number := range slices.Sorted(maps.Keys(sums)) {
		t := sums[number]
		if !t.Balanced() {
			r.addFinding(TotalsDiffer, subject, fmt.Sprintf("ledger %d: posted %v debits and %v credits, pending %v and %v",
				number, &t.DebitsPosted, &t.CreditsPosted, &t.DebitsPending, &t.CreditsPending))
			continue
		}
		right = append(right, fmt.Sprintf("%v posted and %v pending in ledger %d", &t.DebitsPosted, &t.DebitsPending, number))
	}
	if len(right) > 0 {
		r.addFinding(TotalsRight, subject, "debits equal credits: "+joinFirst(right))
	}
}
