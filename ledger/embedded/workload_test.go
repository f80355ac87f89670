package embedded_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// workload is an endless list of requests, each a pure function of the seed and of its number. The
// number of executed requests therefore determines the books to the nanosecond. Requests are
// workloadStep apart on the ledger's clock.
type workload struct {
	seed uint64
	*clock
}

// Holds of the workload last for one or two seconds. With this step every expiry is between two
// requests and more than 100 ms before the next one, so a request runs on the books of an idle
// ledger, and releases nothing after itself.
const (
	workloadStep     = 310 * time.Millisecond
	workloadAccounts = 8
)

func newWorkload(seed uint64) *workload { return &workload{seed, newClock()} }

// sendRequest sends request n at its time.
func (s *workload) sendRequest(t *testing.T, l ledger.Ledger, n int) error {
	t.Helper()
	s.setTime(n)
	if n == 0 {
		_, err := l.CreateAccounts(t.Context(), workloadOpening())
		return err
	}
	_, err := l.CreateTransfers(t.Context(), s.requestTransfers(uint64(n)))
	return err
}

// setTime moves the clock to the time of request n; -1 is the beginning.
func (s *workload) setTime(n int) {
	s.Sleep(newClock().Now().Add(time.Duration(n+1) * workloadStep).Sub(s.Now()))
}

// countRequests returns the number of requests in the ledger: each has one transfer that always
// passes, and the first has the accounts.
func (s *workload) countRequests(t *testing.T, l ledger.Ledger) int {
	t.Helper()
	accounts, err := l.LookupAccounts(t.Context(), []ledger.ID{ledger.NewID(1, 0)})
	require.NoError(t, err)
	if len(accounts) == 0 {
		return 0
	}
	for n := 1; ; n++ {
		found, err := l.LookupTransfers(t.Context(), []ledger.ID{workloadID(uint64(n), 0)})
		require.NoError(t, err)
		if len(found) == 0 {
			return n
		}
	}
}

func workloadOpening() []ledger.Account {
	accounts := make([]ledger.Account, workloadAccounts)
	flags := []ledger.AccountFlags{
		0, ledger.AccountDebitsMustNotExceedCredits, ledger.AccountCreditsMustNotExceedDebits, ledger.AccountHistory,
	}
	for i := range accounts {
		accounts[i] = ledger.Account{
			ID: ledger.NewID(uint64(i)+1, 0), Ledger: 1, Code: 1, Flags: flags[i%4] | ledger.AccountHistory,
		}
	}
	return accounts
}

func workloadID(request, event uint64) ledger.ID { return ledger.NewID(request<<8|event, 1) }

// requestTransfers returns the transfers of request n: one that always passes, and then random
// ones.
func (s *workload) requestTransfers(n uint64) []ledger.Transfer {
	r := rand.New(rand.NewPCG(s.seed, n))
	account := func() ledger.ID { return ledger.NewID(1+r.Uint64N(workloadAccounts+1), 0) } // one account does not exist
	events := []ledger.Transfer{{
		ID: workloadID(n, 0), DebitAccountID: ledger.NewID(1, 0), CreditAccountID: ledger.NewID(5, 0), Ledger: 1, Code: 1,
	}}
	for i := range 1 + r.Uint64N(8) {
		earlier := workloadID(n-min(n, r.Uint64N(30)), r.Uint64N(9))
		event := ledger.Transfer{
			ID: workloadID(n, i+1), DebitAccountID: account(), CreditAccountID: account(),
			Amount: ledger.NewAmount(r.Uint64N(100)), UserData64: r.Uint64N(4), Ledger: 1, Code: 1,
		}
		switch r.IntN(6) {
		case 0, 1:
			event.Flags, event.Timeout = ledger.TransferPending, r.Uint32N(3)
		case 2:
			event = ledger.Transfer{ID: event.ID, PendingID: earlier, Amount: ledger.AmountMax, Flags: ledger.TransferPostPending}
		case 3:
			event = ledger.Transfer{ID: event.ID, PendingID: earlier, Flags: ledger.TransferVoidPending}
		}
		if r.IntN(4) == 0 && i > 0 {
			events[i].Flags |= ledger.TransferLinked
		}
		events = append(events, event)
	}
	return events
}

// bookContents is everything readable in a ledger.
type bookContents struct {
	accounts  []ledger.Account
	transfers []ledger.Transfer
	balances  [][]ledger.AccountBalance
	changes   []ledger.ChangeEvent
	burnt     []ledger.CreateTransferResult
}

// readBooks reads the books of a ledger after n requests, at the time of the next one. Last, it
// sends the last request again, which also shows the burnt ids and the time.
func (s *workload) readBooks(t *testing.T, l feedLedger, n int) bookContents {
	t.Helper()
	b, err := s.tryReadBooks(t, l, n)
	require.NoError(t, err)
	return b
}

type feedLedger interface {
	ledger.Ledger
	ledger.ChangeFeed
}

// tryReadBooks is readBooks of a ledger that may be damaged.
func (s *workload) tryReadBooks(t *testing.T, l feedLedger, n int) (b bookContents, err error) {
	t.Helper()
	s.setTime(n)
	ctx := t.Context()
	if b.accounts, err = l.QueryAccounts(ctx, ledger.QueryFilter{Limit: ledger.QueryMax}); err != nil {
		return b, err
	}
	if b.transfers, err = l.QueryTransfers(ctx, ledger.QueryFilter{Limit: ledger.QueryMax}); err != nil {
		return b, err
	}
	if b.changes, err = l.GetChangeEvents(ctx, ledger.ChangeEventsFilter{Limit: ledger.ChangeEventsMax}); err != nil {
		return b, err
	}
	for i := range b.accounts {
		rows, err := l.GetAccountBalances(ctx, ledger.AccountFilter{
			AccountID: b.accounts[i].ID, Limit: ledger.QueryMax,
			Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits,
		})
		if err != nil {
			return b, err
		}
		b.balances = append(b.balances, rows)
	}
	if n > 1 {
		b.burnt, err = l.CreateTransfers(ctx, s.requestTransfers(uint64(n-1)))
	}
	return b, err
}

// expectedBooks returns the books of a ledger after n requests.
func (s *workload) expectedBooks(t *testing.T, n int) bookContents {
	t.Helper()
	l := embedded.New(embedded.WithClock(s.Now))
	for i := range n {
		require.NoError(t, s.sendRequest(t, l, i))
	}
	return s.readBooks(t, l, n)
}
