package transfers_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// openAccount opens an account that closeAccount has closed.
func (f *fixture) openAccount(t *testing.T, a accounts.PeerAccount) {
	t.Helper()
	results, err := f.embedded.CreateTransfers(t.Context(), []ledger.Transfer{{
		ID: ledger.NewID(a.ID().Lo, 43), PendingID: ledger.NewID(a.ID().Lo, 42), Flags: ledger.TransferVoidPending,
	}})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferCreated, results[0].Status)
}

// A fulfill is refused until all ids of its phases are burnt, and fails with ErrIDBurnt. After
// the hold's expiry a forward under another id books the amount.
func TestBurntFulfill(t *testing.T) {
	t.Parallel()
	f, w := newLateFixture(t, transfers.Config{})
	held, err := f.recorder.Prepare(t.Context(), f.packet(100, 90))
	require.NoError(t, err)
	f.closeAccount(t, f.bob)
	for range 5 {
		_, err = f.recorder.Fulfill(t.Context(), held.Packet)
		require.ErrorIs(t, err, accounts.ErrPeerClosed)
	}
	f.openAccount(t, f.bob)
	_, err = f.recorder.Fulfill(t.Context(), held.Packet)
	require.ErrorIs(t, err, ledger.ErrIDBurnt)
	w.advance(time.Hour)
	_, err = f.recorder.Forward(t.Context(), f.packet(100, 90))
	require.NoError(t, err)
	require.Equal(t, int64(90), f.position(t, f.bob))
	f.closeAndCheck(t)
}

// A fulfill is refused, and its caller books the amount under another id. Then the process
// dies: the next recorder must not book the fulfill too.
func TestRefusedFulfillIsNotReplayed(t *testing.T) {
	t.Parallel()
	f, w := newLateFixture(t, transfers.Config{})
	folder := newFolder(t)
	r := f.newJournaled(t, folder, &eventLog{}, nil)
	held, err := f.recorder.Prepare(t.Context(), f.packet(100, 90))
	require.NoError(t, err)
	f.closeAccount(t, f.bob)
	_, err = r.Fulfill(t.Context(), held.Packet)
	require.ErrorIs(t, err, accounts.ErrPeerClosed)
	killed := readFiles(t, folder).writeFolder(t)
	f.openAccount(t, f.bob)
	w.advance(time.Hour)
	_, err = f.recorder.Forward(t.Context(), f.packet(100, 90))
	require.NoError(t, err)
	h := &eventLog{}
	require.NoError(t, f.newJournaled(t, killed, h, nil).Close(t.Context()))
	require.Empty(t, h.takeReplayed())
	require.Equal(t, int64(90), f.position(t, f.bob))
	require.NoError(t, r.Close(t.Context()))
	f.closeAndCheck(t)
}

// The first fulfill arrives before its prepare and is refused. The second fulfill was promised
// before that answer: the fulfill is still pending when the process dies.
func TestPromiseAfterARefusalIsKept(t *testing.T) {
	t.Parallel()
	f, stalled := newFixture(t, transfers.Config{}, nil), newStalledLedger(nil)
	stalled.Ledger = f.embedded
	folder := newFolder(t)
	r := f.newJournaled(t, folder, &eventLog{}, stalled)
	p := f.packet(100, 90)
	p.ID = ledger.NewID(1<<8, 1)
	early, err := r.Submit(t.Context(), transfers.FulfillOp(p))
	require.NoError(t, err)
	<-stalled.requests
	prepare, err := r.Submit(t.Context(), transfers.PrepareOp(p))
	require.NoError(t, err)
	_, err = r.Submit(t.Context(), transfers.FulfillOp(p))
	require.NoError(t, err)
	stalled.proceed <- nil
	require.ErrorIs(t, early.Wait(t.Context()).Err, transfers.ErrUnknownPacket)
	<-stalled.requests
	killed := readFiles(t, folder).writeFolder(t)
	stalled.proceed <- nil
	require.NoError(t, prepare.Wait(t.Context()).Err)
	_ = r.Close(canceled(t.Context()))
	h := &eventLog{}
	require.NoError(t, f.newJournaled(t, killed, h, nil).Close(t.Context()))
	require.Len(t, h.takeReplayed(), 1)
	require.Equal(t, int64(90), f.position(t, f.bob))
	f.closeAndCheck(t)
}
