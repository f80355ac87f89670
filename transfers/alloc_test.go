//go:build !race

package transfers_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// reusingLedger applies everything, and returns the same memory in every answer.
type reusingLedger struct {
	ledger.Ledger
	results []ledger.CreateTransferResult
}

func (l reusingLedger) CreateTransfers(_ context.Context, batch []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	results := l.results[:len(batch)]
	for i := range results {
		results[i] = ledger.CreateTransferResult{Status: ledger.TransferCreated, Timestamp: 1}
	}
	return results, nil
}

// followNothing is a tracer that follows no operation, and gives batches no context of their own.
type followNothing struct{}

func (followNothing) TraceBatchStart(ctx context.Context, _ transfers.BatchStart) context.Context {
	return ctx
}
func (followNothing) TraceBatchEnd(context.Context, transfers.Batch) {}
func (followNothing) TraceOperationStart(context.Context, transfers.Kind) context.Context {
	return nil
}
func (followNothing) TraceOperationEnd(context.Context, transfers.OperationEnd) {}

// No operation allocates: neither in Submit, nor in the lane, nor in Record. (The race
// detector allocates by itself.)
func TestNoAllocations(t *testing.T) { //nolint:paralleltest // counts the allocations of the whole process
	none := accounts.Config{}
	all := accounts.Config{Limits: limitSettings(accounts.Limits{
		PayableCap: "unlimited", InFlightShare: "1", MaxPacket: "1000", MaxHold: time.Hour, PacketRate: "1000000000/1s", AmountRate: "1000000000/1s",
	}), LiquidityFloors: map[accounts.Asset]accounts.Decimal{usd: "-1000000000"}}
	tell := func([]accounts.PeerAccount) {}
	for _, c := range []struct {
		limits          accounts.Config
		balancesChanged func([]accounts.PeerAccount)
		tracer          transfers.BatchTracer
	}{{none, nil, nil}, {none, tell, nil}, {all, nil, nil}, {none, nil, followNothing{}}} {
		f := newConfigured(t, c.limits, transfers.Config{})
		require.NoError(t, f.recorder.Close(t.Context()))
		var err error
		f.recorder, err = transfers.NewRecorder(reusingLedger{f.embedded, make([]ledger.CreateTransferResult, ledger.BatchMax)}, f.book,
			transfers.Config{Lanes: 1, MaxBacklog: 1000, Events: transfers.Events{BalancesChanged: c.balancesChanged}, GuardConversions: true, Tracer: c.tracer})
		require.NoError(t, err)
		held, err := f.recorder.Prepare(t.Context(), f.packet(2, 1))
		require.NoError(t, err)
		ops := []transfers.Op{
			transfers.PrepareOp(f.packet(2, 1)), transfers.FulfillOp(held.Packet), transfers.RejectOp(held.Packet), transfers.ForwardOp(f.packet(2, 1)),
		}
		ctx := t.Context()
		for _, op := range ops {
			one := func() {
				if _, err := f.recorder.Submit(ctx, op); err != nil {
					t.Error(err)
				}
			}
			for range 5000 {
				one() // operations to be used again
			}
			submit := testing.AllocsPerRun(20_000, one)
			require.NoError(t, f.recorder.Flush(ctx))
			record := testing.AllocsPerRun(20_000, func() {
				if _, err := f.recorder.Record(ctx, op); err != nil {
					t.Error(err)
				}
			})
			require.Zero(t, submit, op.Kind)
			require.Zero(t, record, op.Kind)
		}
		require.NoError(t, f.recorder.Close(ctx))
		require.NoError(t, f.embedded.Close())
	}
}
