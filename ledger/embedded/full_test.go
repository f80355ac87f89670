package embedded

import (
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/segment"
	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
)

// The last positions are not used twice.
func TestFullLedger(t *testing.T) {
	t.Parallel()
	l := New()
	_, err := l.CreateAccounts(t.Context(), []ledger.Account{
		{ID: ledger.NewID(1, 0), Ledger: 1, Code: 1}, {ID: ledger.NewID(2, 0), Ledger: 1, Code: 1},
	})
	require.NoError(t, err)
	l.books.hot.first = maxTransfers - 2
	results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{coldTransfer(10, 0)})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferCreated, results[0].Status)
	_, err = l.CreateTransfers(t.Context(), []ledger.Transfer{coldTransfer(11, 0), coldTransfer(12, 0)})
	require.ErrorIs(t, err, ErrLedgerFull)
	_, err = l.CreateTransfers(t.Context(), []ledger.Transfer{coldTransfer(11, 0)})
	require.NoError(t, err)
	_, err = l.CreateTransfers(t.Context(), []ledger.Transfer{coldTransfer(12, 0)})
	require.ErrorIs(t, err, ErrLedgerFull)
	found, err := l.LookupTransfers(t.Context(), []ledger.ID{ledger.NewID(10, 0), ledger.NewID(11, 0), ledger.NewID(12, 0)})
	require.NoError(t, err)
	require.Len(t, found, 2)
}

// A folder takes 2^40-1 transfers. A request beyond them changes nothing, and holds still expire: also
// in the books of the next process.
func TestFullFolder(t *testing.T) {
	t.Parallel()
	now, dir := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), t.TempDir()
	open := func() *Ledger {
		l, err := Open(dir, WithClock(func() time.Time { return now }), WithCheckpointEvery(1<<30), WithFirstPosition(1<<40-1-4))
		require.NoError(t, err)
		return l
	}
	l := open()
	_, err := l.CreateAccounts(t.Context(), []ledger.Account{
		{ID: ledger.NewID(1, 0), Ledger: 1, Code: 1}, {ID: ledger.NewID(2, 0), Ledger: 1, Code: 1},
	})
	require.NoError(t, err)
	hold := func(id uint64) ledger.Transfer {
		hold := coldTransfer(id, ledger.TransferPending)
		hold.Timeout = 3600
		return hold
	}
	post := ledger.Transfer{ID: ledger.NewID(20, 0), PendingID: ledger.NewID(10, 0), Amount: ledger.AmountMax, Flags: ledger.TransferPostPending}
	l.createCold(t, hold(10), hold(11))
	requireFull(t, l, post, coldTransfer(12, 0), coldTransfer(13, 0))
	l.createCold(t, hold(12))
	l.checkpointForTest(t)
	require.NoError(t, l.Close())

	l = open()
	require.EqualValues(t, int64(1<<40-2), l.Recovery().Transfers)
	requireFull(t, l, post, coldTransfer(13, 0))
	require.Equal(t, ledger.TransferCreated, l.createCold(t, post)[0].Status) // the last one
	requireFull(t, l, ledger.Transfer{ID: ledger.NewID(21, 0), PendingID: ledger.NewID(11, 0), Flags: ledger.TransferVoidPending})
	now = now.Add(2 * time.Hour)
	l.Pulse()
	l.checkpointForTest(t)
	for range 2 {
		accounts, err := l.LookupAccounts(t.Context(), []ledger.ID{ledger.NewID(1, 0)})
		require.NoError(t, err)
		require.Equal(t, ledger.NewAmount(1), accounts[0].DebitsPosted)
		require.True(t, accounts[0].DebitsPending.IsZero())
		events, err := l.GetChangeEvents(t.Context(), ledger.ChangeEventsFilter{Limit: 10})
		require.NoError(t, err)
		require.Len(t, events, 6) // three holds, a post and two expiries
		require.Equal(t, ledger.ChangeEventTwoPhaseExpired, events[5].Type)
		require.True(t, events[5].DebitAccountDebitsPending.IsZero())
		require.NoError(t, l.VerifyFiles(t.Context()))
		require.Equal(t, []segment.LateEnd{{Hold: 1<<40 - 5, State: uint8(holdPosted)}, {Hold: 1<<40 - 4, State: uint8(holdExpired)}, {Hold: 1<<40 - 3, State: uint8(holdExpired)}},
			l.lateEndsForTest(t))
		requireFull(t, l, coldTransfer(30, 0))
		l.checkpointForTest(t)
		require.NoError(t, l.Close())
		l = open()
	}
	require.NoError(t, l.Close())
}

// checkpointForTest makes all rows cold, and writes a checkpoint.
func (l *Ledger) checkpointForTest(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	require.NoError(t, l.commitConversion())
}

// lateEndsForTest returns the late ends of all segments.
func (l *Ledger) lateEndsForTest(t *testing.T) (ends []segment.LateEnd) {
	t.Helper()
	for _, s := range l.books.cold.segments {
		list, err := s.ReadLateEnds()
		require.NoError(t, err)
		ends = append(ends, list...)
	}
	return ends
}

// requireFull sends a request for which there is no room, and compares the books before and after.
func requireFull(t *testing.T, l *Ledger, transfers ...ledger.Transfer) {
	t.Helper()
	read := func() (accounts []ledger.Account, events []ledger.ChangeEvent) {
		accounts, err := l.QueryAccounts(t.Context(), ledger.QueryFilter{Limit: 10})
		require.NoError(t, err)
		events, err = l.GetChangeEvents(t.Context(), ledger.ChangeEventsFilter{Limit: 10})
		require.NoError(t, err)
		return accounts, events
	}
	accounts, events := read()
	_, err := l.CreateTransfers(t.Context(), transfers)
	require.ErrorIs(t, err, ErrLedgerFull)
	accountsAfter, eventsAfter := read()
	require.Equal(t, accounts, accountsAfter)
	require.Equal(t, events, eventsAfter)
	for i := range transfers { // nor is an id burnt
		found, err := l.LookupTransfers(t.Context(), []ledger.ID{transfers[i].ID})
		require.NoError(t, err)
		require.Empty(t, found)
		require.False(t, l.books.isBurnt(transfers[i].ID))
	}
}

// Lists in memory take 2^32-1 rows.
func TestFullLists(t *testing.T) {
	t.Parallel()
	for _, fill := range []func(*books){
		func(b *books) { b.hot.transfers.count = maxPlaces - 1 },
		func(b *books) { b.hot.burnt.ids.count = maxPlaces - 1 },
		func(b *books) { b.accounts.count = maxPlaces - 1 },
	} {
		l := New()
		fill(&l.books)
		_, err := l.CreateTransfers(t.Context(), make([]ledger.Transfer, 2))
		_, accountErr := l.CreateAccounts(t.Context(), make([]ledger.Account, 2))
		if err == nil {
			err = accountErr
		}
		require.ErrorIs(t, err, ErrLedgerFull)
	}
}

// A log may have more rows than a list in memory takes: while checkpoints fail, each attempt freezes
// the rows, and all of them are in the log.
func TestReplayOfMoreRowsThanAList(t *testing.T) {
	t.Parallel()
	b := newBooks()
	b.keepStarts()
	b.hot.burnt.ids.count = maxPlaces - 1
	rerun := func(last uint64, events ...ledger.Transfer) error {
		request := byteOrder.AppendUint64(nil, last)
		var data []byte
		results := make([]ledger.CreateTransferResult, len(events))
		for i := range events {
			results[i] = ledger.CreateTransferResult{Status: ledger.TransferDebitAccountNotFound, Timestamp: last - uint64(len(events)-1-i)}
			data = appendTransfer(data, &events[i])
		}
		request = byteOrder.AppendUint32(request, checksumOf(appendResults(nil, results, splitTransferResult)))
		return b.restoreRecord(wal.Record{Kind: kindTransfers, Data: append(request, data...)})
	}
	require.NoError(t, rerun(10, coldTransfer(1, 0), coldTransfer(2, 0)))
	require.Len(t, b.frozen, 1)
	require.NoError(t, rerun(20, coldTransfer(3, 0), coldTransfer(4, 0)))
	require.Len(t, b.frozen, 1)
	require.Equal(t, place(4), b.hot.burnt.ids.count)
	require.True(t, b.isBurnt(ledger.NewID(1, 0)))
}

// A transfer in memory has neither the ids of its accounts, nor more than 5 bytes for a position.
func TestRowSize(t *testing.T) {
	t.Parallel()
	require.LessOrEqual(t, unsafe.Sizeof(storedTransfer{}), uintptr(112))
	require.LessOrEqual(t, unsafe.Sizeof(lateHold{}), uintptr(120))
}
