package embedded

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// Writers, consumers of change events and readers of history run while rows go cold. Each event comes once,
// in order, with the balances after it.
func TestConcurrentConsumers(t *testing.T) {
	t.Parallel()
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	var ticks atomic.Int64
	l, err := Open(t.TempDir(), WithCheckpointEvery(6<<10), WithClock(func() time.Time {
		return start.Add(time.Duration(ticks.Add(1)) * time.Millisecond)
	}))
	require.NoError(t, err)
	_, err = l.CreateAccounts(t.Context(), []ledger.Account{
		{ID: ledger.NewID(1, 0), Ledger: 1, Code: 1, Flags: ledger.AccountHistory}, {ID: ledger.NewID(2, 0), Ledger: 1, Code: 1},
	})
	require.NoError(t, err)
	var writing, reading sync.WaitGroup
	done := make(chan struct{})
	for w := range uint64(3) {
		writing.Go(func() { writeForConsumers(t, l, w) })
	}
	for _, limit := range []uint32{3, 40, 500} {
		reading.Go(func() { t.Log(consumeEvents(t, l, limit, done), "events") })
	}
	reading.Go(func() { pageBalancesBack(t, l, done) })
	writing.Wait()
	l.WaitForCheckpoint()
	close(done)
	reading.Wait()
	t.Log(len(l.books.cold.segments), "segments", l.books.transferEnd(), "transfers")
	require.NoError(t, l.Close())
}

// writeForConsumers sends 300 requests of transfers, holds and their ends.
func writeForConsumers(t *testing.T, l *Ledger, writer uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(writer, 1))
	var holds []ledger.ID
	for n := range uint64(300) {
		var list []ledger.Transfer
		for i := range 1 + r.Uint64N(8) {
			x := coldTransfer(1+writer<<40+n<<8+i, 0)
			switch {
			case r.IntN(3) == 0:
				x.Flags, x.Timeout = ledger.TransferPending, r.Uint32N(4)
				holds = append(holds, x.ID)
			case r.IntN(2) == 0 && len(holds) > 0:
				x = ledger.Transfer{ID: x.ID, PendingID: holds[r.IntN(len(holds))], Amount: ledger.AmountMax, Flags: ledger.TransferPostPending}
				if r.IntN(2) == 0 {
					x.Flags, x.Amount = ledger.TransferVoidPending, ledger.Amount{}
				}
			}
			if r.IntN(6) == 0 {
				x.Flags |= ledger.TransferLinked
			}
			list = append(list, x)
		}
		if _, err := l.CreateTransfers(t.Context(), list); !assert.NoError(t, err) {
			return
		}
	}
}

// consumeEvents reads all events, page by page, and compares the balances in each with its own sums.
func consumeEvents(t *testing.T, l *Ledger, limit uint32, done <-chan struct{}) (events int) {
	t.Helper()
	var pending, posted, next uint64
	for finished := false; ; {
		got, err := l.GetChangeEvents(t.Context(), ledger.ChangeEventsFilter{TimestampMin: next, Limit: limit})
		if !assert.NoError(t, err) {
			return events
		}
		for i := range got {
			e := &got[i]
			switch e.Type {
			case ledger.ChangeEventSinglePhase:
				posted++
			case ledger.ChangeEventTwoPhasePending:
				pending++
			case ledger.ChangeEventTwoPhasePosted:
				pending--
				posted++
			case ledger.ChangeEventTwoPhaseVoided, ledger.ChangeEventTwoPhaseExpired:
				pending--
			}
			ok := assert.Equal(t, ledger.NewAmount(pending), e.DebitAccountDebitsPending, "%+v", e) &&
				assert.Equal(t, ledger.NewAmount(posted), e.DebitAccountDebitsPosted, "%+v", e) &&
				assert.Equal(t, ledger.NewAmount(posted), e.CreditAccountCreditsPosted, "%+v", e) && assert.Less(t, next, e.Timestamp+1)
			if !ok {
				return events
			}
			next = e.Timestamp + 1
		}
		events += len(got)
		switch {
		case len(got) > 0:
		case finished:
			return events
		default:
			finished = isClosed(done)
		}
	}
}

// pageBalancesBack reads the balances of an account from the newest to the oldest, again and again.
func pageBalancesBack(t *testing.T, l *Ledger, done <-chan struct{}) {
	t.Helper()
	for !isClosed(done) {
		var high uint64
		var last ledger.Amount
		for page := 0; ; page++ {
			rows, err := l.GetAccountBalances(t.Context(), ledger.AccountFilter{
				AccountID: ledger.NewID(1, 0), Limit: 37, TimestampMax: high,
				Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits | ledger.AccountFilterReversed,
			})
			if !assert.NoError(t, err) || len(rows) == 0 {
				break
			}
			for i := range rows {
				if page+i > 0 && !assert.False(t, last.Less(rows[i].DebitsPosted)) {
					return
				}
				last = rows[i].DebitsPosted
			}
			high = rows[len(rows)-1].Timestamp - 1
		}
	}
}

func isClosed(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}
