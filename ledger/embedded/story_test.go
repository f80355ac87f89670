package embedded_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// story is an endless list of requests, each a pure function of the seed and of its
// number: whoever knows how many of them a ledger has taken knows what it holds, to
// the nanosecond. Requests are storyStep apart, by a clock that the ledger is given.
type story struct {
	seed uint64
	*clock
}

// Holds of the story last for one or two seconds. By this step no expiry falls on a
// request, and each is more than 100 ms before the next one: a request finds done what
// an idle ledger does, and has nothing to do behind itself.
const (
	storyStep     = 310 * time.Millisecond
	storyAccounts = 8
)

func newStory(seed uint64) *story { return &story{seed, newClock()} }

// tell sends request n, at its time.
func (s *story) tell(t *testing.T, l ledger.Ledger, n int) error {
	t.Helper()
	s.at(n)
	if n == 0 {
		_, err := l.CreateAccounts(t.Context(), storyOpening())
		return err
	}
	_, err := l.CreateTransfers(t.Context(), s.request(uint64(n)))
	return err
}

// at moves the clock to the time of request n; that of -1 is the beginning.
func (s *story) at(n int) { s.Sleep(newClock().Now().Add(time.Duration(n+1) * storyStep).Sub(s.Now())) }

// length is how many requests the ledger has taken: each has a transfer of its own
// that nothing refuses, and the first has the accounts.
func (s *story) length(t *testing.T, l ledger.Ledger) int {
	t.Helper()
	accounts, err := l.LookupAccounts(t.Context(), []ledger.ID{ledger.NewID(1, 0)})
	require.NoError(t, err)
	if len(accounts) == 0 {
		return 0
	}
	for n := 1; ; n++ {
		found, err := l.LookupTransfers(t.Context(), []ledger.ID{storyID(uint64(n), 0)})
		require.NoError(t, err)
		if len(found) == 0 {
			return n
		}
	}
}

func storyOpening() []ledger.Account {
	accounts := make([]ledger.Account, storyAccounts)
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

func storyID(request, event uint64) ledger.ID { return ledger.NewID(request<<8|event, 1) }

// request is request n: its own transfer, and then anything.
func (s *story) request(n uint64) []ledger.Transfer {
	r := rand.New(rand.NewPCG(s.seed, n))
	account := func() ledger.ID { return ledger.NewID(1+r.Uint64N(storyAccounts+1), 0) } // one is not there
	events := []ledger.Transfer{{
		ID: storyID(n, 0), DebitAccountID: ledger.NewID(1, 0), CreditAccountID: ledger.NewID(5, 0), Ledger: 1, Code: 1,
	}}
	for i := range 1 + r.Uint64N(8) {
		earlier := storyID(n-min(n, r.Uint64N(30)), r.Uint64N(9))
		event := ledger.Transfer{
			ID: storyID(n, i+1), DebitAccountID: account(), CreditAccountID: account(),
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

// books is all that can be read of a ledger.
type books struct {
	accounts  []ledger.Account
	transfers []ledger.Transfer
	balances  [][]ledger.AccountBalance
	changes   []ledger.ChangeEvent
	spent     []ledger.CreateTransferResult
}

// read reads the books of a ledger that has taken n requests, at the time of the next
// one. It ends with sending the last request again, which also shows the ids that
// are spent, and the time.
func (s *story) read(t *testing.T, l interface {
	ledger.Ledger
	ledger.ChangeFeed
}, n int,
) (b books) {
	t.Helper()
	s.at(n)
	ctx := t.Context()
	var err error
	b.accounts, err = l.QueryAccounts(ctx, ledger.QueryFilter{Limit: ledger.QueryMax})
	require.NoError(t, err)
	b.transfers, err = l.QueryTransfers(ctx, ledger.QueryFilter{Limit: ledger.QueryMax})
	require.NoError(t, err)
	b.changes, err = l.GetChangeEvents(ctx, ledger.ChangeEventsFilter{Limit: ledger.ChangeEventsMax})
	require.NoError(t, err)
	for i := range b.accounts {
		rows, err := l.GetAccountBalances(ctx, ledger.AccountFilter{
			AccountID: b.accounts[i].ID, Limit: ledger.QueryMax,
			Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits,
		})
		require.NoError(t, err)
		b.balances = append(b.balances, rows)
	}
	if n > 1 {
		b.spent, err = l.CreateTransfers(ctx, s.request(uint64(n-1)))
		require.NoError(t, err)
	}
	return b
}

// after is what a ledger holds that has taken n requests.
func (s *story) after(t *testing.T, n int) books {
	t.Helper()
	l := embedded.New(embedded.WithClock(s.Now))
	for i := range n {
		require.NoError(t, s.tell(t, l, i))
	}
	return s.read(t, l, n)
}
