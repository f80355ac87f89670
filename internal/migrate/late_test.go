package migrate

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
)

// A packet operation of before the migration, repeated after it, is answered as a conflict, and a
// fulfill of an expired hold is refused. Neither books anything.
func TestPacketsOfBeforeAMove(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), newClock()
	from := newLedger(t, c)
	old := newConnector(t, c, from)
	peers := old.provisionPeers("alice", "bob")
	prepare := func() transfers.Packet {
		t.Helper()
		held, err := old.recorder.Prepare(ctx, transfers.Packet{From: peers[0], To: peers[1], In: 10, Out: 9, Expiry: c.currentTime().Add(20 * time.Second)})
		require.NoError(t, err)
		return held.Packet
	}
	expired, fulfilled, rejected := prepare(), prepare(), prepare()
	_, err := old.recorder.Fulfill(ctx, fulfilled)
	require.NoError(t, err)
	_, err = old.recorder.Reject(ctx, rejected)
	require.NoError(t, err)
	forwarded := old.forwardPacket(transfers.Packet{From: peers[0], To: peers[1], In: 10, Out: 9})
	old.closeAll()

	to := newLedger(t, c)
	c.advance(time.Hour)
	result, err := newMigration(t, c, from, to, 7).runSteps()
	require.NoError(t, err)
	require.Equal(t, 2, result.Expired, "the legs of the packet that is fulfilled too late")
	moved := newConnector(t, c, to)
	want := readSums(t, to)
	for name, again := range map[string]struct {
		err error
		do  func() (transfers.Result, error)
	}{
		"fulfill too late": {transfers.ErrPacketConflict, func() (transfers.Result, error) { return moved.recorder.Fulfill(ctx, expired) }},
		"fulfill again":    {ledger.ErrIDConflict, func() (transfers.Result, error) { return moved.recorder.Fulfill(ctx, fulfilled) }},
		"reject again":     {ledger.ErrIDConflict, func() (transfers.Result, error) { return moved.recorder.Reject(ctx, rejected) }},
		"forward again":    {ledger.ErrIDConflict, func() (transfers.Result, error) { return moved.recorder.Forward(ctx, forwarded) }},
	} {
		_, err := again.do()
		require.ErrorIs(t, err, again.err, name)
	}
	require.Equal(t, want, readSums(t, to))
	moved.closeAll()
	ledgertest.RequireConserved(t, to)
	ledgertest.RequireNothingHeld(t, to)
}
