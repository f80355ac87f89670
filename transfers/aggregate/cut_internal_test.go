package aggregate

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// oneSender sends packets of a peer with a line of 10,000, in a world without faults.
type oneSender struct {
	*world
	in       *instance
	accepted int // prepares, so far
}

// newOneSender returns a sender whose first packet is booked.
func newOneSender(t *testing.T) *oneSender {
	t.Helper()
	w := newWorld(t, 1, faults{}, 3)
	s := &oneSender{world: w, in: w.instances[0]}
	_, err := w.book.SetCreditLine(context.Background(), w.peers[0], ledger.NewAmount(10_000))
	require.NoError(t, err)
	first := s.prepare(100, 20*time.Second)
	w.drain(s.in)
	s.fulfill(first)
	w.drain(s.in)
	require.Equal(t, 1, s.accepted)
	return s
}

func (s *oneSender) prepare(amount uint64, untilExpiry time.Duration) transfers.Packet {
	p := transfers.Packet{
		ID: s.newID(), From: s.peers[0], To: s.peers[1], In: amount, Out: amount, Expiry: time.Unix(0, s.in.moment().wall).Add(untilExpiry),
	}
	s.submit(s.in, transfers.PrepareOp(p), func(_ *transfers.Op, r *reply) {
		require.NoError(s.tb, r.err)
		s.accepted++
	})
	return p
}

func (s *oneSender) fulfill(p transfers.Packet) {
	s.submit(s.in, transfers.FulfillOp(p), func(_ *transfers.Op, r *reply) { require.NoError(s.tb, r.err) })
}

// Until the ledger has a round, its new reservation ends with the one that the round posts: the ledger may
// refuse the round, and then the old one is all there is. So a prepare that outlives the old one waits.
func TestPrepareDuringARenewal(t *testing.T) {
	t.Parallel()
	s := newOneSender(t)
	rules := s.rules(1)
	left := 45 * time.Second
	s.now += time.Duration(rules.timeout)*time.Second - left
	short := left - rules.outage - rules.margin - time.Second
	s.fulfill(s.prepare(100, short))
	require.Equal(t, 2, s.accepted, "the old reservation outlives it")
	for s.in.sent == nil || s.in.sent.kind != requestRound {
		s.in.sync(len(s.in.journal))
		if s.in.sent = s.in.machine.nextRequest(s.in.moment()); s.in.sent == nil {
			s.now += 20 * time.Millisecond
		} else if s.in.sent.kind != requestRound {
			s.in.step(true)
		}
	}
	s.prepare(100, short+5*time.Second)
	require.Equal(t, 2, s.accepted, "it would hold more than the ledger is sure to keep")
	s.drain(s.in)
	require.Equal(t, 3, s.accepted)
}

// A reservation is renewed before it is too old for the longest packets, so that the next prepare of a
// quiet sender needs no request.
func TestReservationsAreRenewed(t *testing.T) {
	t.Parallel()
	s := newOneSender(t)
	rules := s.rules(1)
	for range idlePolls - 2 { // the receiver must be looked up again after more
		s.now += time.Second
		s.drain(s.in)
	}
	require.Less(t, time.Duration(rules.timeout)*time.Second-s.now, rules.maxHold+rules.margin+rules.outage, "the first one is too old")
	s.prepare(1, rules.maxHold)
	require.Equal(t, 2, s.accepted)
}

// A reservation that another program has voided leaves the round, also if the ledger does not call it expired:
// the round would be refused for ever.
func TestReservationVoidedByOthers(t *testing.T) {
	t.Parallel()
	s := newOneSender(t)
	p := s.in.machine.byID.find(s.peers[0].ID())
	require.Len(t, p.holds, 1)
	results, err := s.ledger.CreateTransfers(context.Background(), []ledger.Transfer{{
		ID: s.newID(), PendingID: p.holds[0].id, Flags: ledger.TransferVoidPending,
	}})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferCreated, results[0].Status)
	s.fulfill(s.prepare(100, 20*time.Second))
	require.Equal(t, 2, s.accepted)
	s.drain(s.in)
	for i, want := range map[int]uint64{0: 0, 1: 200} {
		b, err := s.book.Balance(context.Background(), s.peers[i])
		require.NoError(t, err)
		require.Equal(t, ledger.NewAmount(want), b.Payable)
	}
}
