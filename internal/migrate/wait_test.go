package migrate

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// Run waits for the timeouts of open holds, and voids these holds in the new ledger. After an
// interrupt, it continues.
func TestOpenHoldsAreWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		from, to := embedded.New(), embedded.New()
		a, b := ledger.NewID(1, 0), ledger.NewID(2, 0)
		_, err := from.CreateAccounts(t.Context(), []ledger.Account{{ID: a, Ledger: 1, Code: 1}, {ID: b, Ledger: 1, Code: 1}})
		require.NoError(t, err)
		_, err = from.CreateTransfers(t.Context(), []ledger.Transfer{{
			ID: ledger.NewID(1, 0), DebitAccountID: a, CreditAccountID: b, Amount: ledger.NewAmount(5), Ledger: 1, Code: 1,
			Timeout: 60, Flags: ledger.TransferPending,
		}})
		require.NoError(t, err)
		pass := func(d time.Duration) { time.Sleep(d) } //nolint:forbidigo // virtual time
		pass(10 * time.Second)

		impatient, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		var told []Progress
		_, err = Run(impatient, from, to, 10, func(p Progress) { told = append(told, p) })
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Contains(t, told, Progress{"waiting for holds", 1})

		began := time.Now()
		result, err := Run(t.Context(), from, to, 10, nil)
		require.NoError(t, err)
		require.InDelta(t, 35, time.Since(began).Seconds(), .1, "30 s to its end, and the 5 s that a row must be old")
		require.Equal(t, 1, result.Expired)
		ledgertest.RequireConserved(t, to)
		ledgertest.RequireNothingHeld(t, to)
	})
}
