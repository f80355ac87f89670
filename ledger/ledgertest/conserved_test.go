package ledgertest

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// fixedLedger is a ledger with the given accounts, one per page.
type fixedLedger struct {
	ledger.Ledger
	accounts []ledger.Account
}

func (b *fixedLedger) QueryAccounts(_ context.Context, f ledger.QueryFilter) ([]ledger.Account, error) {
	for _, a := range b.accounts {
		if a.Timestamp >= f.TimestampMin {
			return []ledger.Account{a}, nil
		}
	}
	return nil, nil
}

// failureRecorder records the failure of a test.
type failureRecorder struct {
	testing.TB
	failure string
}

func (r *failureRecorder) Helper()                      {}
func (r *failureRecorder) Errorf(f string, args ...any) { r.failure = fmt.Sprintf(f, args...) }
func (r *failureRecorder) FailNow()                     { runtime.Goexit() }

// captureFailure runs a check in a goroutine, which the check may end, and returns the failure
// message.
func captureFailure(t *testing.T, check func(testing.TB)) string {
	t.Helper()
	r, done := &failureRecorder{TB: t}, make(chan struct{})
	go func() {
		defer close(done)
		check(r)
	}()
	<-done
	return r.failure
}

func TestRequireConserved(t *testing.T) {
	t.Parallel()
	one, two := ledger.NewAmount(1), ledger.NewAmount(2)
	for name, c := range map[string]struct {
		accounts        []ledger.Account
		conserved, held string // expected failure messages; "" for success
	}{
		"nothing": {},
		"settled": {accounts: []ledger.Account{
			{Timestamp: 1, Ledger: 1, DebitsPosted: two, CreditsPosted: one},
			{Timestamp: 2, Ledger: 1, CreditsPosted: one},
		}},
		"more than 128 bits": {accounts: []ledger.Account{
			{Timestamp: 1, Ledger: 1, DebitsPosted: ledger.AmountMax},
			{Timestamp: 2, Ledger: 1, DebitsPosted: ledger.AmountMax, CreditsPosted: ledger.AmountMax},
			{Timestamp: 3, Ledger: 1, CreditsPosted: ledger.AmountMax},
		}},
		"held": {
			accounts: []ledger.Account{
				{Timestamp: 1, Ledger: 1, DebitsPending: one}, {Timestamp: 2, Ledger: 1, CreditsPending: one},
			},
			held: "ledger 1: 1 units are still held",
		},
		"lost": {
			accounts: []ledger.Account{
				{Timestamp: 1, Ledger: 1, DebitsPosted: two}, {Timestamp: 2, Ledger: 1, CreditsPosted: one},
			},
			conserved: "ledger 1: debits posted 2, credits posted 1",
			held:      "ledger 1: debits posted 2, credits posted 1",
		},
		"held on one side": {
			accounts: []ledger.Account{
				{Timestamp: 1, Ledger: 1, DebitsPending: two}, {Timestamp: 2, Ledger: 1, CreditsPending: one},
			},
			conserved: "ledger 1: debits pending 2, credits pending 1",
			held:      "ledger 1: debits pending 2, credits pending 1",
		},
		"equal only over all ledgers": {
			accounts: []ledger.Account{
				{Timestamp: 1, Ledger: 1, DebitsPosted: one}, {Timestamp: 2, Ledger: 2, CreditsPosted: one},
			},
			conserved: "debits posted",
			held:      "debits posted",
		},
	} {
		l := &fixedLedger{accounts: c.accounts}
		for _, check := range []struct {
			run     func(testing.TB, ledger.Ledger)
			message string
		}{{RequireConserved, c.conserved}, {RequireNothingHeld, c.held}} {
			failure := captureFailure(t, func(tb testing.TB) {
				tb.Helper()
				check.run(tb, l)
			})
			if check.message == "" {
				require.Empty(t, failure, name)
			}
			require.Contains(t, failure, check.message, name)
		}
	}
}
