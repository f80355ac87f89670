package accounts_test

import (
	"context"
	"fmt"
	"iter"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// scalePeers returns the number of peers for testScale: PEERLEDGER_SCALE, or a few thousand.
func scalePeers(t *testing.T) int {
	t.Helper()
	text := os.Getenv("PEERLEDGER_SCALE")
	if text == "" {
		return 3000
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

var scaleScenarios = []scenario{{"peers in three assets by the thousand", testScale}}

// testScale provisions, looks up and lists peers in three assets. It requires one request for
// each batch, and measures time and the heap in use during the streams, beyond its use before. On
// the embedded ledger the heap includes the ledger's own accounts, so there it is logged and not
// checked.
func testScale(t *testing.T, l ledger.Ledger) {
	n := scalePeers(t)
	assets := []accounts.Asset{usd, xrp, {Code: "EUR", Scale: 2, Ledger: 3}}
	counted := &requests{Ledger: l}
	book, err := accounts.NewBook(counted, accounts.Config{Namespace: t.Name(), Assets: assets})
	require.NoError(t, err)
	const perProvision, perRead = ledger.BatchMax/4 - 200, (ledger.BatchMax - 3) / 4
	total := 3 * n
	batches := func(of, size int) int64 { return int64((of + size - 1) / size) }

	peers := func(yield func(accounts.PeerConfig) bool) {
		for i := range n {
			for _, a := range assets {
				if !yield(accounts.PeerConfig{ID: peerName(i), Asset: a, CreditLine: units(uint64(i + 1))}) {
					return
				}
			}
		}
	}
	stage := func(phase string, run func() int) {
		t.Helper()
		before := heapInUse()
		creates, grants, lookups, queries := counted.creates.Load(), counted.grants.Load(), counted.lookups.Load(), counted.queries.Load()
		start := time.Now()
		done := run()
		took := time.Since(start)
		require.Equal(t, total, done, phase)
		t.Logf("%s: %d in %v, %.0f a second; requests: %d accounts, %d transfers, %d look-ups, %d queries; %d KiB more alive",
			phase, done, took.Round(time.Millisecond), float64(done)/took.Seconds(), counted.creates.Load()-creates,
			counted.grants.Load()-grants, counted.lookups.Load()-lookups, counted.queries.Load()-queries, (heapInUse()-before)/1024)
	}
	stage("provision", func() int { return countAll(t, book.ProvisionAll(t.Context(), peers)) })
	require.Equal(t, batches(total, perProvision), counted.creates.Load())
	require.Equal(t, batches(total, perProvision), counted.grants.Load())
	require.Zero(t, counted.lookups.Load())
	require.Equal(t, int64(1), counted.queries.Load(), "one for all assets, to see that they are where and what they were")

	handles := func(yield func(accounts.PeerAccount) bool) {
		for i := range n {
			for _, a := range assets {
				handle, err := book.PeerAccount(peerName(i), a)
				if err != nil || !yield(handle) {
					return
				}
			}
		}
	}
	stage("look up", func() int { return countAll(t, book.AllBalances(t.Context(), handles)) })
	require.Equal(t, batches(total, perRead), counted.lookups.Load())

	names := make([]string, n)
	for i := range names {
		names[i] = peerName(i)
	}
	queries := counted.queries.Load()
	stage("list", func() int {
		done := 0
		for _, a := range assets {
			done += countAll(t, book.Peers(t.Context(), a, names...))
		}
		return done
	})
	require.LessOrEqual(t, counted.queries.Load()-queries, 3*(batches(n, perRead)+1))
}

func peerName(i int) string { return fmt.Sprintf("g.example.connector.peer%06d", i) }

// countAll iterates over a stream without keeping its values.
func countAll[T any](t *testing.T, all iter.Seq2[T, error]) (count int) {
	t.Helper()
	for _, err := range all {
		require.NoError(t, err)
		count++
	}
	return count
}

// heapInUse returns the bytes in use on the heap, after a collection.
func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// nowhere is a ledger that accepts and finds everything and stores nothing: so the heap in use
// during a stream is the stream's own.
type nowhere struct{ ledger.Ledger }

func (nowhere) CreateAccounts(_ context.Context, a []ledger.Account) ([]ledger.CreateAccountResult, error) {
	results := make([]ledger.CreateAccountResult, len(a))
	for i := range results {
		results[i].Status = ledger.AccountCreated
	}
	return results, nil
}

func (nowhere) CreateTransfers(_ context.Context, t []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	results := make([]ledger.CreateTransferResult, len(t))
	for i := range results {
		results[i].Status = ledger.TransferCreated
	}
	return results, nil
}

func (nowhere) LookupAccounts(_ context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	accounts := make([]ledger.Account, len(ids))
	for i, id := range ids {
		accounts[i].ID = id
	}
	return accounts, nil
}

func (nowhere) QueryAccounts(context.Context, ledger.QueryFilter) ([]ledger.Account, error) {
	return nil, nil
}

// The memory of a stream does not grow with the number of peers.
func TestStreamsKeepOneChunk(t *testing.T) { //nolint:paralleltest // it measures the heap
	book := newBook(t, nowhere{})
	peakOf := func(n int) int64 {
		t.Helper()
		before, peak, count := heapInUse(), int64(0), 0
		look := func() {
			if count++; count%2000 == 0 {
				peak = max(peak, heapInUse()-before)
			}
		}
		peers := func(yield func(accounts.PeerConfig) bool) {
			for i := range n {
				if !yield(accounts.PeerConfig{ID: peerName(i), Asset: usd, CreditLine: units(1)}) {
					return
				}
			}
		}
		handles := func(yield func(accounts.PeerAccount) bool) {
			for a, err := range book.ProvisionAll(t.Context(), peers) {
				require.NoError(t, err)
				if !yield(a) {
					return
				}
			}
		}
		for _, err := range book.AllBalances(t.Context(), handles) {
			require.NoError(t, err)
			look()
		}
		return peak
	}
	few, many := peakOf(6_000), peakOf(60_000)
	t.Logf("in use at most: %d KiB with 6,000 peers, %d KiB with 60,000", few/1024, many/1024)
	require.Less(t, many, few+few/2+1<<20)
}
