package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/progress"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
)

// With a duration the packets are as many as there is time for, in each way. The books of all
// packets add up, those of the warm-up included.
func TestDuration(t *testing.T) {
	t.Parallel()
	out, err := runBench(t, "-duration", "400ms", "-warmup", "10ms", "-packets", "1", "-count", "1", "-peers", "5",
		"-phase", "two", "-ways", "single,rounds,rounds-journal", "-callers", "1", "-load", "zipf", "-instances", "3", "-json")
	require.NoError(t, err)
	ways := map[mode]jsonLine{}
	for text := range strings.Lines(out) {
		var line jsonLine
		require.NoError(t, json.Unmarshal([]byte(text), &line))
		ways[line.Way] = line
		require.Greater(t, line.Packets.Min, 1.0, line.Way)
		require.GreaterOrEqual(t, line.Packets.Min/line.Rate.Max, 0.4, "seconds")
	}
	require.Len(t, ways, 3)
	require.Equal(t, 3, ways[modeRounds].Callers)
	require.Nil(t, ways[modeSingle].InRounds)
	require.InEpsilon(t, ways[modeRounds].Rate.Median/ways[modeSingle].Rate.Median, ways[modeRounds].ToSingle.Median, 1e-9)
}

// The requests of the fixed load are counted by operation, for each number of instances.
func TestRequests(t *testing.T) {
	t.Parallel()
	opts, err := parseOptions([]string{
		"-requests", "-packets", "10", "-max", "200ms", "-warmup", "50ms", "-count", "1", "-peers", "3", "-ways", "rounds", "-instances", "1,2",
	}, io.Discard)
	require.NoError(t, err)
	r, err := measureAll(t.Context(), opts, progress.Progress{})
	require.NoError(t, err)
	require.Len(t, r.demands, 2)
	for i, demand := range r.demands {
		d := demand.toJSON()
		require.Equal(t, modeRounds, d.Way)
		require.Equal(t, i+1, d.Instances)
		require.Equal(t, demandPeers, d.Peers)
		require.Positive(t, d.Rate)
		require.LessOrEqual(t, d.Rate, demandRate*1.1, "paced")
		require.Positive(t, d.ByOperation["create_transfers"])
		require.Positive(t, d.ByOperation["lookup_accounts"])
		sum := 0.0
		for _, rate := range d.ByOperation {
			sum += rate
		}
		require.InEpsilon(t, d.RequestRate, sum, 1e-9)
	}
	var out, text bytes.Buffer
	require.NoError(t, r.writeJSON(&out))
	require.Equal(t, 2, strings.Count(out.String(), `"kind":"requests"`))
	require.NoError(t, r.writeTables(&text))
	require.Contains(t, text.String(), "create_transfers ")
	require.Contains(t, text.String(), "requests/s")
}

// The journals are in the folder of -journal-dir while a measurement runs, and gone afterwards.
func TestJournalFolder(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	opts, err := parseOptions([]string{"-packets", "10", "-ways", "rounds-journal", "-journal-dir", folder}, io.Discard)
	require.NoError(t, err)
	b := newBencher(opts, embeddedTarget{opts})
	m := makePlan(opts)[0]
	m.instances = 2
	err = b.withWorkload(t.Context(), m, func(prepared preparedTarget, w *workload) error {
		r, err := b.startRounds(t.Context(), w, prepared, m, ledger.NewAmount(1))
		require.NoError(t, err)
		journals, err := filepath.Glob(filepath.Join(folder, "peerledger-bench-*", "[01]"))
		require.NoError(t, err)
		require.Len(t, journals, 2)
		size, err := measureFolder(r.journal)
		require.NoError(t, err)
		require.Positive(t, size)
		return r.closeRounds(t.Context())
	})
	require.NoError(t, err)
	left, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Empty(t, left)

	_, err = runBench(t, "-packets", "10", "-count", "1", "-ways", "rounds-journal", "-journal-dir", filepath.Join(folder, "missing"))
	require.ErrorIs(t, err, os.ErrNotExist)
	size, err := measureFolder(filepath.Join(folder, "missing"))
	require.NoError(t, err)
	require.Zero(t, size)
}

func TestCountedLedger(t *testing.T) {
	t.Parallel()
	c := &countedLedger{Ledger: embedded.New()}
	ctx := t.Context()
	before := c.readCounts()
	calls := []func(context.Context) error{
		func(ctx context.Context) error { _, err := c.CreateAccounts(ctx, nil); return err },
		func(ctx context.Context) error { _, err := c.CreateTransfers(ctx, nil); return err },
		func(ctx context.Context) error { _, err := c.LookupAccounts(ctx, nil); return err },
		func(ctx context.Context) error { _, err := c.LookupTransfers(ctx, nil); return err },
		func(ctx context.Context) error {
			_, err := c.GetAccountTransfers(ctx, ledger.AccountFilter{})
			return err
		},
		func(ctx context.Context) error {
			_, err := c.GetAccountBalances(ctx, ledger.AccountFilter{})
			return err
		},
		func(ctx context.Context) error { _, err := c.QueryAccounts(ctx, ledger.QueryFilter{}); return err },
		func(ctx context.Context) error { _, err := c.QueryTransfers(ctx, ledger.QueryFilter{}); return err },
	}
	want := requestCounts{}
	for op, call := range calls {
		for range op + 1 {
			_ = call(ctx) // a refused request is a request
		}
		want[op] = int64(op + 1)
	}
	require.Equal(t, want, c.readCounts().subtract(before))
	require.Equal(t, int64(36), want.sum())
	require.NoError(t, c.Close())
}

// The packets of a worker cost little beside the recorder's work on them.
func BenchmarkNewPacket(b *testing.B) {
	l := embedded.New()
	w, err := newWorkload(b.Context(), l, "", 1000, 1)
	require.NoError(b, err)
	run := &roundsWorker{run: &roundsRun{traffic: w.newTraffic(uniformTraffic)}, prefix: 1}
	expiry, p := time.Now(), transfers.Packet{}
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i++ {
		run.fillPacket(&p, i, expiry)
	}
	require.NoError(b, l.Close())
}

// However short the time, packets are taken after the warm-up.
func TestQuotaAfterAWarmup(t *testing.T) {
	t.Parallel()
	q := &quota{total: unlimited}
	first, n := q.takePackets(10)
	require.Equal(t, []int64{0, 10}, []int64{first, n})
	q.counted.Store(q.countTaken())
	q.stopped.Store(true)
	first, n = q.takePackets(10)
	require.Equal(t, []int64{10, 10}, []int64{first, n})
	_, n = q.takePackets(10)
	require.Zero(t, n)
	require.Equal(t, int64(20), q.countTaken())
}
