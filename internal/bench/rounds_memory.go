package bench

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// memoryPackets is the number of packets of the measurement.
const memoryPackets = 10 * memoryPeers

// measureRoundsMemory measures a recorder in rounds on a ledger that keeps nothing.
func measureRoundsMemory(ctx context.Context, opts options) (rows []memoryRow, err error) {
	l := embedded.New()
	defer func() { err = errors.Join(err, l.Close()) }()
	few, err := newWorkload(ctx, l, "bench rounds", 2, opts.seed)
	if err != nil {
		return nil, err
	}
	many, err := newWorkload(ctx, l, "bench rounds and peers", memoryPeers, opts.seed)
	if err != nil {
		return nil, err
	}
	id, err := measurePackets(ctx, l, few, "a remembered id, in rounds", memoryPackets, true)
	if err != nil {
		return nil, err
	}
	open, err := measurePackets(ctx, l, few, "an open packet, in rounds", memoryPackets, false)
	if err != nil {
		return nil, err
	}
	peer, err := measurePackets(ctx, l, many, "a sender and receiver, in rounds", memoryPeers, true)
	peer.Bytes -= id.Bytes // of the peer's packet
	return []memoryRow{id, open, peer}, err
}

// measurePackets measures a recorder with n packets, which every peer sends and receives in turn.
// The packets are fulfilled and in the ledger, or else open.
func measurePackets(ctx context.Context, l ledger.Ledger, w *workload, item string, n int, fulfill bool) (row memoryRow, err error) {
	book, err := accounts.NewBook(l, w.cfg)
	if err != nil {
		return row, err
	}
	before := readUsedHeap()
	recorder, err := aggregate.NewRecorder(ctx, unwritten{l}, book, aggregate.Config{LoseFulfillsWithProcess: true})
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, recorder.Close(context.WithoutCancel(ctx))) }()
	for first := 0; first < n; first += memoryPeers {
		if err := recordForMemory(ctx, recorder, w, first, fulfill); err != nil {
			return row, err
		}
	}
	if err := recorder.Flush(ctx); err != nil {
		return row, err
	}
	row = computeGrowth(item, before, n)
	runtime.KeepAlive(recorder)
	return row, nil
}

// recordForMemory records memoryPeers packets, from number first on.
func recordForMemory(ctx context.Context, recorder *aggregate.Recorder, w *workload, first int, fulfill bool) (err error) {
	futures := make([]transfers.Future, memoryPeers)
	expiry := time.Now().Add(packetLife)
	for i := range futures {
		n := first + i
		if futures[i], err = recorder.Submit(ctx, transfers.PrepareOp(transfers.Packet{
			ID:   ledger.NewID(uint64(n+1)<<8, 1),
			From: w.peers[n%len(w.peers)], To: w.peers[(n+1)%len(w.peers)], In: unit, Out: unit, Expiry: expiry,
		})); err != nil {
			return err
		}
	}
	for _, future := range futures {
		held := future.Wait(ctx)
		if held.Err != nil {
			return held.Err
		}
		if !fulfill {
			continue
		}
		if _, err := recorder.Fulfill(ctx, held.Packet); err != nil {
			return err
		}
	}
	return nil
}

// unwritten is a [ledger.Ledger] that answers every transfer as created, and keeps none.
type unwritten struct{ ledger.Ledger }

func (u unwritten) CreateTransfers(_ context.Context, events []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	results := make([]ledger.CreateTransferResult, len(events))
	for i := range results {
		results[i] = ledger.CreateTransferResult{Timestamp: uint64(i + 1), Status: ledger.TransferCreated}
	}
	return results, nil
}
