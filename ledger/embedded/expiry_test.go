package embedded_test

import (
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// openVirtual returns a ledger with a virtual clock and the accounts 1 to n.
func openVirtual(t *testing.T, n uint64, opts ...embedded.Option) virtualLedger {
	t.Helper()
	l := newVirtual(opts...)
	accounts := make([]ledger.Account, n)
	for i := range accounts {
		accounts[i] = ledger.Account{ID: ledger.NewID(uint64(i)+1, 0), Ledger: 1, Code: 1}
	}
	results, err := l.CreateAccounts(t.Context(), accounts)
	require.NoError(t, err)
	for _, r := range results {
		require.Equal(t, ledger.AccountCreated, r.Status)
	}
	return l
}

// newMovement returns a transfer of one unit from account 1 to account 2.
func newMovement(id uint64) ledger.Transfer {
	return ledger.Transfer{
		ID: ledger.NewID(id, 0), DebitAccountID: ledger.NewID(1, 0), CreditAccountID: ledger.NewID(2, 0),
		Amount: ledger.NewAmount(1), Ledger: 1, Code: 1,
	}
}

func newHold(id uint64, timeout uint32) ledger.Transfer {
	t := newMovement(id)
	t.Flags, t.Timeout = ledger.TransferPending, timeout
	return t
}

func newPost(id, pending uint64) ledger.Transfer {
	return ledger.Transfer{
		ID: ledger.NewID(id, 0), PendingID: ledger.NewID(pending, 0), Amount: ledger.AmountMax,
		Flags: ledger.TransferPostPending,
	}
}

func createTransfers(t *testing.T, l ledger.Ledger, transfers ...ledger.Transfer) []ledger.CreateTransferStatus {
	t.Helper()
	results, err := l.CreateTransfers(t.Context(), transfers)
	require.NoError(t, err)
	statuses := make([]ledger.CreateTransferStatus, len(results))
	for i, r := range results {
		statuses[i] = r.Status
	}
	return statuses
}

// readHeld returns the pending debits of account 1.
func readHeld(t *testing.T, l ledger.Ledger) ledger.Amount {
	t.Helper()
	found, err := l.LookupAccounts(t.Context(), []ledger.ID{ledger.NewID(1, 0)})
	require.NoError(t, err)
	require.Len(t, found, 1)
	return found[0].DebitsPending
}

func readChangeEvents(t *testing.T, l ledger.ChangeFeed) []ledger.ChangeEvent {
	t.Helper()
	events, err := l.GetChangeEvents(t.Context(), ledger.ChangeEventsFilter{Limit: ledger.ChangeEventsMax})
	require.NoError(t, err)
	return events
}

func TestExpiryHasTwoSteps(t *testing.T) {
	t.Parallel()
	l := newVirtual()
	_, err := l.CreateAccounts(t.Context(), []ledger.Account{
		{ID: ledger.NewID(1, 0), Ledger: 1, Code: 1, Flags: ledger.AccountDebitsMustNotExceedCredits},
		{ID: ledger.NewID(2, 0), Ledger: 1, Code: 1},
	})
	require.NoError(t, err)
	back := newMovement(100)
	back.DebitAccountID, back.CreditAccountID = back.CreditAccountID, back.DebitAccountID
	createTransfers(t, l, back, newHold(101, 1))

	l.Sleep(time.Second + time.Millisecond)
	void := newPost(104, 101)
	void.Flags, void.Amount = ledger.TransferVoidPending, ledger.Amount{}
	require.Equal(t, []ledger.CreateTransferStatus{
		ledger.TransferPendingTransferExpired,
		ledger.TransferExceedsCredits, // the hold still counts
		ledger.TransferPendingTransferExpired,
	}, createTransfers(t, l, newPost(102, 101), newMovement(103), void))

	require.True(t, readHeld(t, l).IsZero(), "the request after the expiry sees the release")
	require.Equal(t, []ledger.CreateTransferStatus{ledger.TransferCreated}, createTransfers(t, l, newMovement(105)))
	ledgertest.RequireNothingHeld(t, l)
}

func TestExpiryChangesNothingBefore(t *testing.T) {
	t.Parallel()
	l := openVirtual(t, 2)
	results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{newHold(100, 1), newHold(101, 1)})
	require.NoError(t, err)
	expiry := time.Unix(0, int64(results[0].Timestamp)).Add(time.Second)

	// One nanosecond before the expiry of the first hold a post passes.
	l.Sleep(expiry.Add(-2).Sub(l.Now()))
	require.Equal(t, []ledger.CreateTransferStatus{ledger.TransferCreated}, createTransfers(t, l, newPost(102, 100)))
	// At the very moment of the second hold's expiry a post is refused.
	require.Equal(t, []ledger.CreateTransferStatus{ledger.TransferPendingTransferExpired}, createTransfers(t, l, newPost(103, 101)))
	ledgertest.RequireNothingHeld(t, l)
}

// Holds with the same expiry are released in the order of their creation.
func TestExpiryTie(t *testing.T) {
	t.Parallel()
	l := openVirtual(t, 2)
	results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{newHold(100, 2)})
	require.NoError(t, err)
	// The next request's only timestamp is exactly one second later.
	l.Sleep(time.Unix(0, int64(results[0].Timestamp)).Add(time.Second - 1).Sub(l.Now()))
	later, err := l.CreateTransfers(t.Context(), []ledger.Transfer{newHold(101, 1)})
	require.NoError(t, err)
	require.Equal(t, results[0].Timestamp+1e9, later[0].Timestamp)
	l.Sleep(time.Hour)
	events := readChangeEvents(t, l)[2:]
	require.Len(t, events, 2)
	require.Equal(t, ledger.NewID(100, 0), events[0].TransferID)
	require.Equal(t, ledger.NewID(101, 0), events[1].TransferID)
	ledgertest.RequireNothingHeld(t, l)
}

// A pulse releases a hold that expires at the pulse's own timestamp.
func TestPulseIncludesItsMoment(t *testing.T) {
	t.Parallel()
	l := openVirtual(t, 2)
	createTransfers(t, l, newHold(100, 1))
	l.Sleep(200 * time.Millisecond)
	results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{newHold(101, 1)})
	require.NoError(t, err)
	expiry := results[0].Timestamp + 1e9
	// The first hold makes an idle ledger look, with 8190 timestamps from now on.
	l.Sleep(time.Unix(0, int64(expiry-8190)).Sub(l.Now()))
	require.True(t, readHeld(t, l).IsZero())
	events := readChangeEvents(t, l)[2:]
	require.Len(t, events, 2)
	require.Equal(t, expiry-1, events[0].Timestamp)
	require.Equal(t, expiry, events[1].Timestamp)
	ledgertest.RequireNothingHeld(t, l)
}

func TestExpiryOfAnIdleLedger(t *testing.T) {
	t.Parallel()
	l := openVirtual(t, 2)
	createTransfers(t, l, newHold(100, 1))
	l.Sleep(time.Second + 99*time.Millisecond)
	require.Equal(t, ledger.NewAmount(1), readHeld(t, l), "no pulse has run yet")
	require.True(t, readHeld(t, l).IsZero(), "the request before made the ledger look")

	createTransfers(t, l, newHold(101, 1))
	l.Sleep(time.Second + 101*time.Millisecond)
	require.True(t, readHeld(t, l).IsZero(), "an idle ledger looks every 100 ms")
	ledgertest.RequireNothingHeld(t, l)
}

func TestPulse(t *testing.T) {
	t.Parallel()
	l := openVirtual(t, 2)
	createTransfers(t, l, newHold(100, 1))
	l.Pulse()
	require.Equal(t, ledger.NewAmount(1), readHeld(t, l), "not expired yet")
	l.Sleep(time.Second + time.Millisecond)
	l.Pulse()
	require.True(t, readHeld(t, l).IsZero())
	require.Equal(t, []ledger.CreateTransferStatus{ledger.TransferPendingTransferExpired}, createTransfers(t, l, newPost(101, 100)))
	ledgertest.RequireNothingHeld(t, l)
	require.NoError(t, l.Close())
	l.Pulse()
}

func TestExpiryEvent(t *testing.T) {
	t.Parallel()
	l := openVirtual(t, 2)
	closing := newHold(100, 1)
	closing.Flags |= ledger.TransferClosingDebit
	closing.UserData64 = 7
	createTransfers(t, l, closing)
	l.Sleep(2 * time.Second)
	events := readChangeEvents(t, l)
	require.Len(t, events, 2)
	pending, expired := events[0], events[1]

	require.Equal(t, ledger.ChangeEventTwoPhasePending, pending.Type)
	require.Equal(t, ledger.NewAmount(1), pending.DebitAccountDebitsPending)
	require.Equal(t, ledger.AccountClosed, pending.DebitAccountFlags)

	require.Greater(t, expired.Timestamp, pending.Timestamp+uint64(time.Second))
	want := pending
	want.Type, want.Timestamp = ledger.ChangeEventTwoPhaseExpired, expired.Timestamp
	want.DebitAccountDebitsPending, want.CreditAccountCreditsPending = ledger.Amount{}, ledger.Amount{}
	want.DebitAccountFlags = 0
	require.Equal(t, want, expired)
	ledgertest.RequireNothingHeld(t, l)
}

// A pulse releases one hold more than the batch limit, the next pulse follows at once, and releases
// have timestamps in the order of the expiries.
func TestManyExpiries(t *testing.T) {
	t.Parallel()
	l := openVirtual(t, 2, embedded.WithBatchMax(4))
	for i := range uint64(20) {
		createTransfers(t, l, newHold(100+i, uint32(20-i)))
	}
	l.Sleep(time.Minute)
	require.True(t, readHeld(t, l).IsZero())

	// Smaller requests have smaller answers too: here 20 holds fill the first answer.
	holds := readChangeEvents(t, l)
	require.Len(t, holds, 20)
	page, err := l.GetChangeEvents(t.Context(), ledger.ChangeEventsFilter{
		TimestampMin: holds[19].Timestamp + 1, Limit: ledger.ChangeEventsMax,
	})
	require.NoError(t, err)
	require.Len(t, page, 20)
	for i, e := range page {
		require.Equal(t, ledger.ChangeEventTwoPhaseExpired, e.Type)
		require.Equal(t, ledger.NewID(100+uint64(19-i), 0), e.TransferID)
		if i > 0 && i%5 != 0 {
			require.Equal(t, page[i-1].Timestamp+1, e.Timestamp, "one pulse has its timestamps in a row")
		} else if i > 0 {
			// A pulse takes 8190 timestamps after the previous pulse, and uses the last five.
			require.Equal(t, page[i-1].Timestamp+1+8190-4, e.Timestamp)
		}
	}
	ledgertest.RequireNothingHeld(t, l)
}

// Of random holds, some resolved early, exactly the expired ones are released, whatever the order
// of their creation.
func TestExpiryProperty(t *testing.T) {
	t.Parallel()
	seed := ledgertest.Seed(t)
	random := rand.New(rand.NewPCG(seed, 2))
	l := openVirtual(t, 2)
	ends := make(map[uint64]time.Time)
	for id := uint64(1); id < 2000; id += 2 {
		timeout := 1 + random.Uint32N(60)
		require.Equal(t, []ledger.CreateTransferStatus{ledger.TransferCreated}, createTransfers(t, l, newHold(id, timeout)))
		ends[id] = l.Now().Add(time.Duration(timeout) * time.Second)
		if other := 1 + 2*random.Uint64N(id); !ends[other].IsZero() && random.IntN(3) == 0 {
			require.Equal(t, []ledger.CreateTransferStatus{ledger.TransferCreated}, createTransfers(t, l, newPost(id+1, other)))
			delete(ends, other)
		}
		// Holds end on whole milliseconds, or a little later, because timestamps run ahead of the
		// clock. Half a millisecond avoids both.
		l.Sleep(time.Duration(random.IntN(500))*time.Millisecond + time.Millisecond/2)
		l.Pulse()
		maps.DeleteFunc(ends, func(_ uint64, end time.Time) bool { return end.Before(l.Now()) })
		require.Equal(t, ledger.NewAmount(uint64(len(ends))), readHeld(t, l))
		l.Sleep(time.Millisecond / 2)
	}
	l.Sleep(time.Hour)
	l.Pulse()
	ledgertest.RequireNothingHeld(t, l)
}

// A rolled-back hold and the hold in its place may expire at the same moment. The second is
// released once.
func TestExpiryInTheSamePlaceAtTheSameTime(t *testing.T) {
	t.Parallel()
	l := openVirtual(t, 2)
	l.Sleep(time.Second)
	first := newHold(101, 3)
	first.Flags |= ledger.TransferLinked
	// The hold that expires earlier keeps the ledger from looking at the later one.
	createTransfers(t, l, newHold(100, 2), first, newMovement(0))
	l.Sleep(time.Second)
	createTransfers(t, l, newMovement(0), newHold(102, 2), newHold(103, 60))
	l.Sleep(3 * time.Second)
	require.Equal(t, ledger.NewAmount(1), readHeld(t, l), "of the last hold")
	require.Len(t, readChangeEvents(t, l), 5)
	ledgertest.RequireConserved(t, l)
}
