package aggregate

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// Until the ledger has a round, its new reservation ends with the one that the round posts: the ledger may
// refuse the round, and then the old one is all there is. So a prepare that outlives the old one waits.
func TestPrepareDuringARenewal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, faults{}, 3)
	in := w.instances[0]
	_, err := w.book.SetCreditLine(context.Background(), w.peers[0], ledger.NewAmount(10_000))
	require.NoError(t, err)
	accepted := 0
	prepare := func(untilExpiry time.Duration) transfers.Packet {
		p := transfers.Packet{
			ID: w.newID(), From: w.peers[0], To: w.peers[1], In: 100, Out: 100,
			Expiry: time.Unix(0, in.moment().wall).Add(untilExpiry),
		}
		w.submit(in, transfers.PrepareOp(p), func(_ *transfers.Op, r *reply) {
			require.NoError(t, r.err)
			accepted++
		})
		return p
	}
	fulfill := func(p transfers.Packet) {
		w.submit(in, transfers.FulfillOp(p), func(_ *transfers.Op, r *reply) { require.NoError(t, r.err) })
	}
	first := prepare(20 * time.Second)
	w.drain(in)
	fulfill(first)
	w.drain(in)

	rules := w.rules(1)
	left := 45 * time.Second
	w.now += time.Duration(rules.timeout)*time.Second - left
	short := left - rules.outage - rules.margin - time.Second
	fulfill(prepare(short))
	require.Equal(t, 2, accepted, "the old reservation outlives it")
	for in.sent == nil || in.sent.kind != requestRound {
		in.sync(len(in.journal))
		if in.sent = in.machine.nextRequest(in.moment()); in.sent == nil {
			w.now += 20 * time.Millisecond
		} else if in.sent.kind != requestRound {
			in.step(true)
		}
	}
	prepare(short + 5*time.Second)
	require.Equal(t, 2, accepted, "it would hold more than the ledger is sure to keep")
	w.drain(in)
	require.Equal(t, 3, accepted)
}
