package doctor

import (
	"context"
	"fmt"
	"maps"
	"math/big"
	"slices"

	"github.com/peerledger/peerledger/ledger"
)

// totals are the sums over all accounts of a ledger number, which may exceed 128 bits.
type totals struct {
	accounts                                                   int
	debitsPosted, creditsPosted, debitsPending, creditsPending big.Int
}

func (t *totals) addAccount(a *ledger.Account) {
	t.accounts++
	t.debitsPosted.Add(&t.debitsPosted, a.DebitsPosted.Big())
	t.creditsPosted.Add(&t.creditsPosted, a.CreditsPosted.Big())
	t.debitsPending.Add(&t.debitsPending, a.DebitsPending.Big())
	t.creditsPending.Add(&t.creditsPending, a.CreditsPending.Big())
}

// checkTotals adds up all accounts of a ledger to which no program writes.
func checkTotals(ctx context.Context, l ledger.Ledger, subject string, r *Report) {
	sums, err := readTotals(ctx, l)
	if err != nil {
		r.addFolderError(subject, err)
		return
	}
	var right []string
	for _, number := range slices.Sorted(maps.Keys(sums)) {
		t := sums[number]
		if t.debitsPosted.Cmp(&t.creditsPosted) != 0 || t.debitsPending.Cmp(&t.creditsPending) != 0 {
			r.addFinding(TotalsDiffer, subject, fmt.Sprintf("ledger %d: posted %v debits and %v credits, pending %v and %v",
				number, &t.debitsPosted, &t.creditsPosted, &t.debitsPending, &t.creditsPending))
			continue
		}
		right = append(right, fmt.Sprintf("%v posted and %v pending in ledger %d", &t.debitsPosted, &t.debitsPending, number))
	}
	if len(right) > 0 {
		r.addFinding(TotalsRight, subject, "debits equal credits: "+joinFirst(right))
	}
}

// readTotals adds up all accounts, by ledger number.
func readTotals(ctx context.Context, l ledger.Ledger) (map[uint32]*totals, error) {
	sums := map[uint32]*totals{}
	for filter := (ledger.QueryFilter{Limit: ledger.QueryMax}); ; {
		rows, err := l.QueryAccounts(ctx, filter)
		if err != nil || len(rows) == 0 {
			return sums, err
		}
		for i := range rows {
			a := &rows[i]
			if sums[a.Ledger] == nil {
				sums[a.Ledger] = &totals{}
			}
			sums[a.Ledger].addAccount(a)
		}
		filter.TimestampMin = rows[len(rows)-1].Timestamp + 1
	}
}
