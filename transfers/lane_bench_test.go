package transfers

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// The work of a lane on an operation: queue, encode into a full batch, handle the answer, publish.
func BenchmarkLane(b *testing.B) {
	usd := accounts.Asset{Code: "USD", Ledger: 1}
	book, err := accounts.NewBook(nil, accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(b, err)
	alice, err := book.PeerAccount("alice", usd)
	require.NoError(b, err)
	bob, err := book.PeerAccount("bob", usd)
	require.NoError(b, err)
	ids, _ := book.AssetIDs(1)
	asset := &assetInfo{ids: ids}
	answers := make([]ledger.CreateTransferResult, ledger.BatchMax)
	for i := range answers {
		answers[i].Status = ledger.TransferCreated
	}
	for _, kind := range []Kind{KindPrepare, KindFulfill, KindForward} {
		b.Run(kind.String(), func(b *testing.B) {
			ln := newIdleLane(ledger.BatchMax)
			ln.sender.recorder.backlog.forceAcquire(1 << 19)
			slots := make([]resultSlot, ledger.BatchMax)
			b.ReportAllocs()
			for b.Loop() {
				for i := range slots {
					slots[i] = resultSlot{}
					ln.addOperation(&operation{
						slot: &slots[i], kind: kind, phase: firstPhase(kind), legCount: 1, fromAsset: asset, toAsset: asset,
						packet: Packet{ID: ledger.NewID(uint64(i)<<8, 1), From: alice, To: bob, In: 1, Out: 1, Hold: time.Hour},
					})
				}
				batch, _ := ln.builder.tryNextBatch()
				batch.sentAt = time.Now()
				batch.applyResults(len(batch.remaining), answers, time.Now())
				ln.sender.recorder.backlog.forceAcquire(len(slots))
				ln.publisher.publishBatch(batch)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/ledger.BatchMax, "ns/operation")
		})
	}
}
