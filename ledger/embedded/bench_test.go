package embedded_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

const (
	benchAccounts = 1000
	benchRows     = 5 // rows of each query
)

// openBench creates a thousand accounts with history.
func openBench(b *testing.B, l ledger.Ledger) {
	b.Helper()
	created := make([]ledger.Account, benchAccounts)
	for i := range created {
		created[i] = ledger.Account{ID: benchAccount(uint64(i)), Ledger: 1, Code: 1, Flags: ledger.AccountHistory}
	}
	_, err := l.CreateAccounts(b.Context(), created)
	require.NoError(b, err)
}

func benchAccount(n uint64) ledger.ID { return ledger.NewID(n%benchAccounts+1, 0) }

// benchMovement is the n-th transfer. Each account has one transfer in 500, and so has each value
// of a user data field.
func benchMovement(n uint64) ledger.Transfer {
	return ledger.Transfer{
		ID:              ledger.NewID(n, 1),
		DebitAccountID:  benchAccount(n),
		CreditAccountID: benchAccount(n*7 + 1),
		Amount:          ledger.NewAmount(n % 100),
		UserData128:     uint128.From64(n%500 + 1),
		UserData64:      n%500 + 1,
		UserData32:      uint32(n%500 + 1),
		Ledger:          1,
		Code:            uint16(n%500 + 1),
	}
}

// BenchmarkCreateTransfers measures full batches between a thousand accounts, per transfer. The
// bytes are everything allocated: storage, index of ids and answers.
func BenchmarkCreateTransfers(b *testing.B) {
	pair := func(n uint64, second ledger.Transfer) ledger.Transfer {
		if n%2 == 1 {
			t := benchMovement(n)
			t.Flags |= ledger.TransferPending
			return t
		}
		second.ID, second.PendingID = ledger.NewID(n, 1), ledger.NewID(n-1, 1)
		return second
	}
	for _, c := range []struct {
		name  string
		event func(n uint64) ledger.Transfer
	}{
		{"single-phase", benchMovement},
		{"linked pairs", func(n uint64) ledger.Transfer {
			t := benchMovement(n)
			if n%2 == 1 {
				t.Flags |= ledger.TransferLinked
			}
			return t
		}},
		{"two-phase posted", func(n uint64) ledger.Transfer {
			return pair(n, ledger.Transfer{Amount: ledger.AmountMax, Flags: ledger.TransferPostPending})
		}},
		{"two-phase voided", func(n uint64) ledger.Transfer {
			return pair(n, ledger.Transfer{Flags: ledger.TransferVoidPending})
		}},
	} {
		b.Run(c.name, func(b *testing.B) { benchmarkBatches(b, embedded.New(), c.event) })
	}
}

// BenchmarkCreateTransfersInFolder measures full batches in a folder, where each batch is synced.
func BenchmarkCreateTransfersInFolder(b *testing.B) {
	l, err := embedded.Open(b.TempDir())
	require.NoError(b, err)
	benchmarkBatches(b, l, benchMovement)
	require.NoError(b, l.Close())
}

// BenchmarkOpen opens folders with a million transfers, either all in the log, or all but a few in
// a checkpoint.
func BenchmarkOpen(b *testing.B) {
	for _, c := range []struct {
		name  string
		every int64
	}{{"log", 1 << 30}, {"checkpoint", 120 << 20}} {
		b.Run(c.name, func(b *testing.B) {
			const size = 1e6
			dir := b.TempDir()
			l, err := embedded.Open(dir, embedded.WithCheckpointEvery(c.every))
			require.NoError(b, err)
			fillBench(b, l, size)
			l.WaitForCheckpoint()
			require.NoError(b, l.Close())
			for b.Loop() {
				l, err := embedded.Open(dir)
				require.NoError(b, err)
				require.Equal(b, int(size), l.Recovery().Transfers)
				require.NoError(b, l.Close())
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/size, "ns/transfer")
		})
	}
}

func benchmarkBatches(b *testing.B, l ledger.Ledger, event func(n uint64) ledger.Transfer) {
	b.Helper()
	openBench(b, l)
	batch := make([]ledger.Transfer, ledger.BatchMax-1) // even, because events come in pairs
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	next := uint64(0)
	for b.Loop() {
		b.StopTimer() // one iteration is a whole batch
		for i := range batch {
			next++
			batch[i] = event(next)
		}
		b.StartTimer()
		results, err := l.CreateTransfers(b.Context(), batch)
		require.NoError(b, err)
		require.Equal(b, ledger.TransferCreated, results[len(results)-1].Status)
	}
	runtime.ReadMemStats(&after)
	perTransfer := float64(b.Elapsed().Nanoseconds()) / float64(next)
	b.ReportMetric(perTransfer, "ns/transfer")
	b.ReportMetric(1e9/perTransfer, "transfers/s")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(next), "B/transfer")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(next), "allocs/transfer")
}

// BenchmarkQueries reads the same number of rows from ledgers of different size: the cost of a
// query must depend on its answer alone.
func BenchmarkQueries(b *testing.B) {
	for _, size := range []uint64{1e4, 1e5, 1e6} {
		l := benchLedger(b, size)
		middle, err := l.LookupTransfers(b.Context(), []ledger.ID{ledger.NewID(size/2, 1)})
		require.NoError(b, err)
		for _, q := range benchQueries(b, l, middle[0]) {
			b.Run(fmt.Sprintf("%s/%d", q.name, size), func(b *testing.B) {
				q.ask() // BenchmarkFirstQuery measures the first query
				for b.Loop() {
					require.Equal(b, q.rows, q.ask())
				}
			})
		}
	}
}

// BenchmarkFirstQuery measures the first query by a field, which reads all rows written since the
// last query by that field.
func BenchmarkFirstQuery(b *testing.B) {
	for _, size := range []uint64{1e4, 1e5, 1e6} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				l := benchLedger(b, size)
				b.StartTimer()
				_, err := l.QueryTransfers(b.Context(), ledger.QueryFilter{UserData64: 1, Limit: 10})
				require.NoError(b, err)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size), "ns/transfer")
		})
	}
}

// benchLedger returns a ledger with n transfers.
func benchLedger(b *testing.B, n uint64) *embedded.Ledger {
	b.Helper()
	l := embedded.New()
	fillBench(b, l, n)
	return l
}

func fillBench(b *testing.B, l ledger.Ledger, n uint64) {
	b.Helper()
	openBench(b, l)
	batch := make([]ledger.Transfer, 0, ledger.BatchMax)
	for i := uint64(1); i <= n; i++ {
		batch = append(batch, benchMovement(i))
		if len(batch) == cap(batch) || i == n {
			_, err := l.CreateTransfers(b.Context(), batch)
			require.NoError(b, err)
			batch = batch[:0]
		}
	}
}

type benchQuery struct {
	name string
	rows int
	ask  func() int // returns the number of rows
}

// benchQueries are queries for a few of many rows each, from the middle of the ledger on.
func benchQueries(b *testing.B, l *embedded.Ledger, middle ledger.Transfer) []benchQuery {
	b.Helper()
	ctx, from := b.Context(), middle.Timestamp
	account := func(change func(*ledger.AccountFilter)) func() int {
		return func() int {
			f := ledger.AccountFilter{
				AccountID: middle.DebitAccountID, TimestampMin: from, Limit: benchRows,
				Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits,
			}
			change(&f)
			found, err := l.GetAccountTransfers(ctx, f)
			require.NoError(b, err)
			return len(found)
		}
	}
	query := func(f ledger.QueryFilter) func() int {
		return func() int {
			f.TimestampMin, f.Limit = from, benchRows
			found, err := l.QueryTransfers(ctx, f)
			require.NoError(b, err)
			return len(found)
		}
	}
	return []benchQuery{
		{"account", benchRows, account(func(*ledger.AccountFilter) {})},
		{"account-reversed", benchRows, account(func(f *ledger.AccountFilter) { f.Flags |= ledger.AccountFilterReversed })},
		{"ledger", benchRows, query(ledger.QueryFilter{Ledger: 1})},
		{"ledger-reversed", benchRows, query(ledger.QueryFilter{Ledger: 1, Flags: ledger.QueryFilterReversed})},
		{"code", benchRows, query(ledger.QueryFilter{Code: middle.Code})},
		{"user-data-128", benchRows, query(ledger.QueryFilter{UserData128: middle.UserData128})},
		{"user-data-64", benchRows, query(ledger.QueryFilter{UserData64: middle.UserData64})},
		{"user-data-32", benchRows, query(ledger.QueryFilter{UserData32: middle.UserData32})},
		{"two-fields", benchRows, query(ledger.QueryFilter{Ledger: 1, Code: middle.Code})},
		{"balances", benchRows, func() int {
			found, err := l.GetAccountBalances(ctx, ledger.AccountFilter{
				AccountID: middle.DebitAccountID, TimestampMin: from, Limit: benchRows, Flags: ledger.AccountFilterDebits,
			})
			require.NoError(b, err)
			return len(found)
		}},
		{"change-events", benchRows, func() int {
			found, err := l.GetChangeEvents(ctx, ledger.ChangeEventsFilter{TimestampMin: from, Limit: benchRows})
			require.NoError(b, err)
			return len(found)
		}},
		{"lookup", 1, func() int {
			found, err := l.LookupTransfers(ctx, []ledger.ID{middle.ID})
			require.NoError(b, err)
			return len(found)
		}},
	}
}
