package embedded

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/segment"
	"github.com/peerledger/peerledger/ledger"
)

// openCold returns a ledger whose rows are cold after each request, with two accounts.
func openCold(t *testing.T, opts ...Option) *Ledger {
	t.Helper()
	l, err := Open(t.TempDir(), append(opts, WithCheckpointEvery(1))...)
	require.NoError(t, err)
	_, err = l.CreateAccounts(t.Context(), []ledger.Account{
		{ID: ledger.NewID(1, 0), Ledger: 1, Code: 1}, {ID: ledger.NewID(2, 0), Ledger: 1, Code: 1},
	})
	require.NoError(t, err)
	return l
}

func (l *Ledger) createCold(t *testing.T, transfers ...ledger.Transfer) []ledger.CreateTransferResult {
	t.Helper()
	results, err := l.CreateTransfers(t.Context(), transfers)
	require.NoError(t, err)
	l.sealForTest(t)
	return results
}

// sealForTest makes all rows cold.
func (l *Ledger) sealForTest(t *testing.T) {
	t.Helper()
	l.WaitForCheckpoint()
	l.mu.Lock()
	defer l.mu.Unlock()
	require.NoError(t, l.books.sealNow(t.Context()))
}

func coldTransfer(id uint64, flags ledger.TransferFlags) ledger.Transfer {
	return ledger.Transfer{
		ID: ledger.NewID(id, 0), DebitAccountID: ledger.NewID(1, 0), CreditAccountID: ledger.NewID(2, 0),
		Amount: ledger.NewAmount(1), Ledger: 1, Code: 1, Flags: flags,
	}
}

// Memory has the open holds only: the others go with the rows that ended them.
func TestMemoryOfHolds(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	l := openCold(t, WithClock(func() time.Time { return now }))
	holds := make([]ledger.Transfer, 3000)
	for i := range holds {
		holds[i] = coldTransfer(uint64(10000+i), ledger.TransferPending)
		holds[i].Timeout = 3600
	}
	l.createCold(t, holds...)
	b := &l.books
	require.Len(t, b.holds.byID, len(holds))
	require.Equal(t, len(holds), b.holds.pending)
	require.Equal(t, len(holds), b.expiries.entryCount())
	posts := make([]ledger.Transfer, len(holds)-1)
	for i := range posts {
		posts[i] = ledger.Transfer{
			ID: ledger.NewID(uint64(20000+i), 0), PendingID: holds[i+1].ID, Amount: ledger.AmountMax, Flags: ledger.TransferPostPending,
		}
	}
	for i, r := range l.createCold(t, posts...) {
		require.Equal(t, ledger.TransferCreated, r.Status, i)
	}
	require.Len(t, b.holds.byID, 1)
	require.Len(t, b.holds.byPosition, 1)
	require.Equal(t, 1, b.holds.pending)
	require.Equal(t, 1, b.expiries.entryCount())
	require.Zero(t, b.hot.transfers.count)
	require.Empty(t, b.frozen)

	now = now.Add(2 * time.Hour)
	l.Pulse()
	l.sealForTest(t)
	require.Empty(t, b.holds.byID)
	for i, id := range []uint64{1, 0} { // a posted hold, and the expired one
		again := ledger.Transfer{
			ID: ledger.NewID(uint64(30000+i), 0), PendingID: holds[id].ID, Amount: ledger.AmountMax, Flags: ledger.TransferPostPending,
		}
		want := []ledger.CreateTransferStatus{
			ledger.TransferPendingTransferAlreadyPosted, ledger.TransferPendingTransferExpired,
		}[i]
		require.Equal(t, want, l.createCold(t, again)[0].Status)
	}
	require.NoError(t, l.Close())
}

// The least and the greatest id of the cold rows are found, sent again and as holds to post. So are burnt
// ids there.
func TestColdIDsAtBothEnds(t *testing.T) {
	t.Parallel()
	l := openCold(t)
	l.createCold(t, coldTransfer(20, ledger.TransferPending), coldTransfer(60, ledger.TransferPending))
	for _, id := range []uint64{20, 60} {
		require.Equal(t, ledger.TransferExists, l.createCold(t, coldTransfer(id, ledger.TransferPending))[0].Status)
	}
	posts := []ledger.Transfer{coldTransfer(30, ledger.TransferPostPending), coldTransfer(50, ledger.TransferPostPending)}
	posts[0].PendingID, posts[1].PendingID = ledger.NewID(20, 0), ledger.NewID(60, 0)
	for _, want := range []ledger.CreateTransferStatus{ledger.TransferCreated, ledger.TransferExists} {
		for i, r := range l.createCold(t, posts...) {
			require.Equal(t, want, r.Status, i)
		}
	}
	for id, holdID := range map[uint64]uint64{40: 20, 45: 60} {
		again := coldTransfer(id, ledger.TransferPostPending)
		again.PendingID = ledger.NewID(holdID, 0)
		require.Equal(t, ledger.TransferPendingTransferAlreadyPosted, l.createCold(t, again)[0].Status)
	}
	for _, id := range []uint64{1, 70} {
		burnt := coldTransfer(id, ledger.TransferPostPending)
		burnt.PendingID = ledger.NewID(1000, 0) // there is no such hold
		require.Equal(t, ledger.TransferPendingTransferNotFound, l.createCold(t, burnt)[0].Status)
		require.Equal(t, ledger.TransferIDAlreadyFailed, l.createCold(t, burnt)[0].Status)
	}
	require.NoError(t, l.Close())
}

// No account is imported at the moment of a cold transfer.
func TestImportedAccountAtTheMomentOfAColdTransfer(t *testing.T) {
	t.Parallel()
	l := openCold(t)
	moment := l.createCold(t, coldTransfer(10, 0))[0].Timestamp
	l.createCold(t, coldTransfer(11, 0))
	for i, want := range []ledger.CreateAccountStatus{
		ledger.AccountImportedEventTimestampMustNotRegress, ledger.AccountCreated,
	} {
		results, err := l.CreateAccounts(t.Context(), []ledger.Account{{
			ID: ledger.NewID(uint64(3+i), 0), Ledger: 1, Code: 1, Flags: ledger.AccountImported, Timestamp: moment + uint64(i),
		}})
		require.NoError(t, err)
		require.Equal(t, want, results[0].Status)
	}
	require.NoError(t, l.Close())
}

// A chain that ends cold holds is rolled back.
func TestRolledBackEndOfAColdHold(t *testing.T) {
	t.Parallel()
	l := openCold(t)
	l.createCold(t, coldTransfer(10, ledger.TransferPending))
	post := ledger.Transfer{
		ID: ledger.NewID(11, 0), PendingID: ledger.NewID(10, 0), Amount: ledger.AmountMax,
		Flags: ledger.TransferPostPending | ledger.TransferLinked,
	}
	results := l.createCold(t, post, coldTransfer(0, 0))
	require.Equal(t, ledger.TransferLinkedEventFailed, results[0].Status)
	post.Flags = ledger.TransferPostPending
	require.Equal(t, ledger.TransferCreated, l.createCold(t, post)[0].Status)
	require.Equal(t, ledger.TransferExists, l.createCold(t, post)[0].Status)
	require.NoError(t, l.Close())
}

// A segment without transfers, of a time with expiries only, does not hide the transfers before it.
func TestSegmentWithoutTransfers(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	l := openCold(t, WithClock(func() time.Time { return now }))
	hold := coldTransfer(10, ledger.TransferPending)
	hold.Timeout = 1
	moment := l.createCold(t, coldTransfer(9, 0), hold)[0].Timestamp
	now = now.Add(time.Minute)
	l.Pulse()
	l.sealForTest(t)
	require.Equal(t, l.books.cold.segments[1].First, l.books.cold.segments[1].End)
	imported := coldTransfer(11, ledger.TransferImported)
	imported.Timestamp = moment + 1
	require.Equal(t, ledger.TransferImportedEventTimestampMustNotRegress, l.createCold(t, imported)[0].Status)
	found, err := l.QueryTransfers(t.Context(), ledger.QueryFilter{TimestampMin: moment, Limit: 10})
	require.NoError(t, err)
	require.Len(t, found, 2)
	events, err := l.GetChangeEvents(t.Context(), ledger.ChangeEventsFilter{TimestampMin: moment, Limit: 10})
	require.NoError(t, err)
	require.Len(t, events, 3)
	require.Equal(t, ledger.ChangeEventTwoPhaseExpired, events[2].Type)
	again, err := l.GetChangeEvents(t.Context(), ledger.ChangeEventsFilter{TimestampMin: events[2].Timestamp, Limit: 10})
	require.NoError(t, err)
	require.Equal(t, events[2:], again)
	require.NoError(t, l.Close())
}

// A row that is in two lists of a segment comes once.
func TestMergePositions(t *testing.T) {
	t.Parallel()
	l := openCold(t)
	back := coldTransfer(12, 0)
	back.DebitAccountID, back.CreditAccountID = back.CreditAccountID, back.DebitAccountID
	l.createCold(t, coldTransfer(10, 0), coldTransfer(11, 0), back, coldTransfer(13, 0))
	c := l.books.cold.segments[0]
	one := uint128.Uint128(ledger.NewID(1, 0))
	debits, err := c.FindRows(segment.FieldDebitAccount, one)
	require.NoError(t, err)
	credits, err := c.FindRows(segment.FieldCreditAccount, one)
	require.NoError(t, err)
	merge := func(reversed bool, lists ...segment.List) (found []uint64) {
		for pos, err := range mergePositions(lists, positionSpan{0, 4}, reversed) {
			require.NoError(t, err)
			found = append(found, pos)
		}
		return found
	}
	require.Equal(t, []uint64{0, 1, 2, 3}, merge(false, debits, credits))
	require.Equal(t, []uint64{3, 2, 1, 0}, merge(true, credits, debits))
	require.Equal(t, []uint64{0, 1, 3}, merge(false, debits, debits))
	require.Equal(t, []uint64{3, 1, 0}, merge(true, debits, debits))
	require.NoError(t, l.Close())
}

// A greater cache makes fewer segments.
func TestCacheSize(t *testing.T) {
	t.Parallel()
	for size, want := range map[int64]int{0: 4, leastCacheSize: 4, 2 * leastCacheSize: 2, defaultCacheSize: 0} {
		l, err := Open(t.TempDir(), WithCacheSize(size))
		require.NoError(t, err)
		_, err = l.CreateAccounts(t.Context(), []ledger.Account{
			{ID: ledger.NewID(1, 0), Ledger: 1, Code: 1}, {ID: ledger.NewID(2, 0), Ledger: 1, Code: 1},
		})
		require.NoError(t, err)
		for request := range uint64(8) {
			batch := make([]ledger.Transfer, ledger.BatchMax)
			for i := range batch {
				batch[i] = coldTransfer(request*ledger.BatchMax+uint64(i)+1, 0)
			}
			_, err := l.CreateTransfers(t.Context(), batch)
			require.NoError(t, err)
			l.WaitForCheckpoint()
		}
		require.Len(t, l.books.cold.segments, want, "a cache of %d bytes", size)
		require.NoError(t, l.Close())
	}
}

// openColdIn opens a ledger with two accounts in a folder; createCold seals it.
func openColdIn(t *testing.T, dir string) *Ledger {
	t.Helper()
	l, err := Open(dir, WithCheckpointEvery(1<<30))
	require.NoError(t, err)
	_, err = l.CreateAccounts(t.Context(), []ledger.Account{
		{ID: ledger.NewID(1, 0), Ledger: 1, Code: 1}, {ID: ledger.NewID(2, 0), Ledger: 1, Code: 1},
	})
	require.NoError(t, err)
	return l
}
