package migrate

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// changed is a ledger that returns a changed account.
type changed struct {
	ledger.Ledger
	change func(*ledger.Account)
}

func (l changed) QueryAccounts(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Account, error) {
	found, err := l.Ledger.QueryAccounts(ctx, filter)
	for i := range found {
		if found[i].ID == ledger.NewID(2, 0) {
			l.change(&found[i])
		}
	}
	return found, err
}

// Every field of every account is compared at the end.
func TestDifferencesAreFound(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*ledger.Account){
		"debits posted":   func(a *ledger.Account) { a.DebitsPosted = ledger.NewAmount(9) },
		"credits posted":  func(a *ledger.Account) { a.CreditsPosted = ledger.NewAmount(4) },
		"debits pending":  func(a *ledger.Account) { a.DebitsPending = ledger.NewAmount(1) },
		"credits pending": func(a *ledger.Account) { a.CreditsPending = ledger.NewAmount(1) },
		"code":            func(a *ledger.Account) { a.Code++ },
		"flags":           func(a *ledger.Account) { a.Flags ^= ledger.AccountClosed },
		"user data":       func(a *ledger.Account) { a.UserData64++ },
		"nothing":         func(*ledger.Account) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			from, to := newLedger(t, c), newLedger(t, c)
			_, err := from.CreateAccounts(t.Context(), []ledger.Account{
				{ID: ledger.NewID(1, 0), Ledger: 1, Code: 1}, {ID: ledger.NewID(2, 0), Ledger: 1, Code: 1}, {ID: ledger.NewID(3, 0), Ledger: 1, Code: 1},
			})
			require.NoError(t, err)
			_, err = from.CreateTransfers(t.Context(), []ledger.Transfer{{
				ID: ledger.NewID(1, 0), DebitAccountID: ledger.NewID(1, 0), CreditAccountID: ledger.NewID(2, 0), Amount: ledger.NewAmount(5), Ledger: 1, Code: 1,
			}})
			require.NoError(t, err)
			c.advance(time.Minute)
			for _, most := range []int{1, 2, 100} {
				_, err = newMigration(t, c, from, changed{to, change}, most).runSteps()
				if name == "nothing" {
					require.NoError(t, err)
					continue
				}
				require.ErrorIs(t, err, ErrDifferent)
				require.ErrorContains(t, err, ledger.NewID(2, 0).String())
			}
		})
	}
}
