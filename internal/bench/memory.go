package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

// memoryRow is the heap memory per item.
type memoryRow struct {
	Item  string  `json:"what"`
	Bytes float64 `json:"bytes"`
	Count int     `json:"count"` // number of items measured
}

// The sizes of the measurement: the default backlog, filled, and so many peers that the rest of the
// heap is small beside them.
const (
	memoryOperations = 65536
	memoryPeers      = 10_000
)

// measureMemory measures on embedded ledgers, whatever -ledger is: the table is about the memory of
// this process.
func measureMemory(ctx context.Context, opts options) ([]memoryRow, error) {
	var rows []memoryRow
	peers, err := measurePeerMemory(ctx)
	if err != nil {
		return nil, fmt.Errorf("memory of peers: %w", err)
	}
	rows = append(rows, peers...)
	for _, p := range opts.phases {
		row, err := measureBacklogMemory(ctx, opts, p)
		if err != nil {
			return nil, fmt.Errorf("memory of the backlog: %w", err)
		}
		rows = append(rows, row)
	}
	if slices.ContainsFunc(opts.modes, mode.isInRounds) {
		inRounds, err := measureRoundsMemory(ctx, opts)
		if err != nil {
			return nil, fmt.Errorf("memory of rounds: %w", err)
		}
		rows = append(rows, inRounds...)
	}
	return rows, nil
}

// readUsedHeap returns the bytes of the heap in use, without garbage.
func readUsedHeap() uint64 {
	runtime.GC()
	runtime.GC() // the first collection may leave objects of finalizers and pools
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// computeGrowth returns the growth of the heap since before, divided by n.
func computeGrowth(item string, before uint64, n int) memoryRow {
	return memoryRow{Item: item, Bytes: float64(int64(readUsedHeap())-int64(before)) / float64(n), Count: n}
}

// measureBacklogMemory fills the backlog of a recorder on a ledger that does not answer. The figure
// includes the recorder's own structures for a backlog of this size. It excludes the futures, which
// belong to the caller.
func measureBacklogMemory(ctx context.Context, opts options, p phase) (row memoryRow, err error) {
	l := embedded.New()
	defer func() { err = errors.Join(err, l.Close()) }()
	w, err := newWorkload(ctx, l, "bench memory", 10, opts.seed)
	if err != nil {
		return row, err
	}
	book, err := accounts.NewBook(l, w.cfg)
	if err != nil {
		return row, err
	}
	silent := stalled{Ledger: l, release: make(chan struct{})}
	before := readUsedHeap()
	recorder, err := transfers.NewRecorder(silent, book, transfers.Config{MaxBacklog: memoryOperations})
	if err != nil {
		return row, err
	}
	run := recorderRun{recorder: recorder, traffic: w.newTraffic(uniformTraffic), phase: p}
	for i := range int64(memoryOperations) {
		if _, err = recorder.TrySubmit(run.newFirstOperation(i)); err != nil {
			break
		}
	}
	row = computeGrowth(fmt.Sprintf("a queued operation (%v)", run.newFirstOperation(0).Kind), before, memoryOperations)
	close(silent.release)
	return row, errors.Join(err, recorder.Close(context.WithoutCancel(ctx)))
}

// measurePeerMemory measures an [accounts.PeerAccount], its entry in a settlement engine, and its accounts on an
// embedded ledger.
func measurePeerMemory(ctx context.Context) (rows []memoryRow, err error) {
	l := embedded.New()
	defer func() { err = errors.Join(err, l.Close()) }()
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}})
	if err != nil {
		return nil, err
	}
	peers := make([]accounts.PeerConfig, memoryPeers)
	for i := range peers {
		peers[i] = accounts.PeerConfig{ID: fmt.Sprintf("peer-%d", i), Asset: usd, CreditLine: accounts.Unlimited}
	}
	before := readUsedHeap()
	handles := make([]accounts.PeerAccount, memoryPeers)
	for i, p := range peers {
		if handles[i], err = book.PeerAccount(fmt.Sprintf("peer-%d", i), p.Asset); err != nil {
			return nil, err
		}
	}
	rows = append(rows, computeGrowth("a peer's handle", before, memoryPeers))

	before = readUsedHeap()
	if _, err := book.Provision(ctx, peers...); err != nil {
		return nil, err
	}
	rows = append(rows, computeGrowth("a peer in an embedded ledger", before, memoryPeers))

	before = readUsedHeap()
	engine, err := settlement.NewEngine(l, book, settlement.Config{
		Manual: true, Rails: settlement.Rails{Default: &settlement.Rail{Settler: decliningSettler}},
	})
	if err != nil {
		return nil, err
	}
	engine.Enqueue(handles)
	rows = append(rows, computeGrowth("a peer that the settlement engine looks after", before, memoryPeers))
	runtime.KeepAlive(peers)
	return rows, engine.Close(ctx)
}

var decliningSettler = settlement.SettlerFunc(func(context.Context, settlement.Order) (ledger.Amount, error) {
	return ledger.Amount{}, settlement.ErrDeclined
})
