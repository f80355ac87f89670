package transfers_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// passInterval lets every recorder do a refresh.
func passInterval() {
	time.Sleep(time.Second) //nolint:forbidigo // virtual time
	synctest.Wait()
}

// bookArrears debits a peer's arrears, as a returned payment does.
func (f *fixture) bookArrears(t *testing.T, a accounts.PeerAccount, amount, id uint64) {
	t.Helper()
	f.createTransfer(t, ledger.Transfer{
		ID: ledger.NewID(id, 5), DebitAccountID: f.book.PeerIDs(a).Arrears, CreditAccountID: f.book.PeerIDs(a).Settlement,
		Amount: units(amount), Ledger: a.Ledger(), Code: chart.CodeReturned,
	})
}

// collectArrears collects a peer's arrears as far as its headroom goes, as a settlement engine
// does.
func (f *fixture) collectArrears(t *testing.T, a accounts.PeerAccount, id uint64) {
	t.Helper()
	f.createTransfer(t, ledger.Transfer{
		ID: ledger.NewID(id, 6), DebitAccountID: a.ID(), CreditAccountID: f.book.PeerIDs(a).Arrears, Amount: ledger.AmountMax,
		Ledger: a.Ledger(), Code: chart.CodeCollection, Flags: ledger.TransferBalancingDebit | ledger.TransferBalancingCredit,
	})
}

func (f *fixture) createTransfer(t *testing.T, one ledger.Transfer) {
	t.Helper()
	results, err := f.embedded.CreateTransfers(t.Context(), []ledger.Transfer{one})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferCreated, results[0].Status)
}

// fundAlice gives alice some headroom beside her arrears.
func (f *fixture) fundAlice(t *testing.T, amount uint64) {
	t.Helper()
	_, err := f.recorder.Forward(t.Context(), transfers.Packet{From: f.bob, To: f.alice, In: amount, Out: amount})
	require.NoError(t, err)
}

// New packets of a peer in arrears are refused from the next refresh on, until the arrears are
// collected. Held packets, forwards, and packets to the peer pass.
func TestPeerInArrears(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, transfers.Config{}, nil)
		ctx := t.Context()
		held, err := f.recorder.Prepare(ctx, f.packet(10, 10))
		require.NoError(t, err)
		given, err := f.recorder.Prepare(ctx, f.packet(5, 5))
		require.NoError(t, err)
		late, err := f.recorder.Forward(ctx, f.packet(1100, 1100))
		require.NoError(t, err)
		require.True(t, late.Late)
		f.fundAlice(t, 50)
		before, err := f.recorder.Prepare(ctx, f.packet(1, 1))
		require.NoError(t, err, "before the refresh")
		_, err = f.recorder.Reject(ctx, before.Packet)
		require.NoError(t, err)
		require.Zero(t, f.recorder.Stats().PeersInArrears)

		passInterval()
		require.Equal(t, 1, f.recorder.Stats().PeersInArrears)
		for _, p := range []transfers.Packet{f.packet(1, 1), f.packet(0, 0), {From: f.alice, To: f.bobEUR, In: 1, Out: 1, Hold: time.Minute}} {
			result, err := f.recorder.Prepare(ctx, p)
			require.ErrorIs(t, err, transfers.ErrInArrears)
			require.ErrorContains(t, err, "alice on ledger 1")
			require.Equal(t, "T04", transfers.ILPCode(err))
			require.Equal(t, ledger.OutcomeRefused, result.Outcome)
			_, err = f.recorder.TrySubmit(transfers.PrepareOp(p))
			require.ErrorIs(t, err, transfers.ErrInArrears)
		}
		_, err = f.recorder.Fulfill(ctx, held.Packet)
		require.NoError(t, err)
		_, err = f.recorder.Reject(ctx, given.Packet)
		require.NoError(t, err)
		_, err = f.recorder.Forward(ctx, f.packet(3, 3))
		require.NoError(t, err, "promised already")
		back, err := f.recorder.Prepare(ctx, transfers.Packet{From: f.bob, To: f.alice, In: 200, Out: 200, Hold: time.Minute})
		require.NoError(t, err, "a peer in arrears may receive")
		_, err = f.recorder.Fulfill(ctx, back.Packet)
		require.NoError(t, err)
		eur, err := f.recorder.Prepare(ctx, transfers.Packet{From: f.aliceEUR, To: f.bobEUR, In: 1, Out: 1, Hold: time.Minute})
		require.NoError(t, err, "the arrears are in USD only")
		_, err = f.recorder.Reject(ctx, eur.Packet)
		require.NoError(t, err)

		passInterval()
		require.Equal(t, 1, f.recorder.Stats().PeersInArrears, "headroom alone is not enough")
		f.collectArrears(t, f.alice, 1)
		require.Zero(t, f.arrears(t, f.alice))
		_, err = f.recorder.Prepare(ctx, f.packet(1, 1))
		require.ErrorIs(t, err, transfers.ErrInArrears, "before the refresh")
		passInterval()
		require.Zero(t, f.recorder.Stats().PeersInArrears)
		held, err = f.recorder.Prepare(ctx, f.packet(1, 1))
		require.NoError(t, err)
		_, err = f.recorder.Fulfill(ctx, held.Packet)
		require.NoError(t, err)
		f.closeAndCheck(t)
	})
}

// Another process puts a peer into arrears, and the peer only prepares: a recorder that has
// taken a packet from the peer finds out, unless it has AllowArrears.
func TestPeerInArrearsByAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, transfers.Config{}, nil)
		ctx := t.Context()
		other, err := transfers.NewRecorder(f.embedded, f.book, transfers.Config{AllowArrears: true})
		require.NoError(t, err)
		require.NoError(t, f.prepareUnresolved(t))
		passInterval()
		passInterval() // alice has been read, and is no longer queued
		f.bookArrears(t, f.alice, 10, 1)
		passInterval()
		require.NoError(t, f.prepareUnresolved(t), "alice has sent nothing since, and was not read")
		passInterval()
		require.ErrorIs(t, f.prepareUnresolved(t), transfers.ErrInArrears)
		held, err := other.Prepare(ctx, f.packet(1, 1))
		require.NoError(t, err)
		_, err = other.Fulfill(ctx, held.Packet)
		require.NoError(t, err)
		passInterval()
		held, err = other.Prepare(ctx, f.packet(1, 1))
		require.NoError(t, err)
		require.Zero(t, other.Stats().PeersInArrears)
		_, err = other.Reject(ctx, held.Packet)
		require.NoError(t, err)
		require.NoError(t, other.Close(ctx))
		time.Sleep(2 * time.Minute) //nolint:forbidigo // virtual time: holds end
		f.collectArrears(t, f.alice, 1)
		passInterval()
		require.NoError(t, f.prepareUnresolved(t))
		time.Sleep(2 * time.Minute) //nolint:forbidigo // virtual time: holds end
		f.fundAlice(t, 1)
		f.closeAndCheck(t)
	})
}

// prepareUnresolved prepares a packet from alice that stays unresolved.
func (f *fixture) prepareUnresolved(t *testing.T) error {
	t.Helper()
	_, err := f.recorder.Prepare(t.Context(), f.packet(1, 1))
	return err
}

// countingLookups is a ledger that counts look-ups of accounts, and fails them on demand.
type countingLookups struct {
	ledger.Ledger
	lookups atomic.Int64
	fail    atomic.Bool
}

func (c *countingLookups) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	c.lookups.Add(1)
	if c.fail.Load() {
		return nil, errors.New("no connection")
	}
	return c.Ledger.LookupAccounts(ctx, ids)
}

// countLookups replaces the fixture's book and recorder by new ones on a countingLookups.
func (f *fixture) countLookups(t *testing.T, cfg transfers.Config) *countingLookups {
	t.Helper()
	require.NoError(t, f.recorder.Close(t.Context()))
	counting := &countingLookups{Ledger: f.embedded}
	var err error
	f.book, err = accounts.NewBook(counting, accounts.Config{Assets: []accounts.Asset{usd, loss}})
	require.NoError(t, err)
	f.recorder, err = transfers.NewRecorder(f.embedded, f.book, cfg)
	require.NoError(t, err)
	return counting
}

// Without senders and peers in arrears, nothing is read. A failed read is reported and
// repeated.
func TestReadsOfPeersInArrears(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, transfers.Config{}, nil)
		var failed []error
		counting := f.countLookups(t, transfers.Config{Events: transfers.Events{RefreshFailed: func(err error) { failed = append(failed, err) }}})
		ctx := t.Context()
		looks := func(rounds int) int64 {
			counting.lookups.Store(0)
			for range rounds {
				passInterval()
			}
			return counting.lookups.Load()
		}
		require.Zero(t, looks(3), "no peer has sent anything")
		for range 10 {
			_, err := f.recorder.Forward(ctx, f.packet(1, 1))
			require.NoError(t, err)
		}
		require.Equal(t, int64(1), looks(3), "one read for all packets of alice")
		_, err := f.recorder.Forward(ctx, f.packet(1100, 1100))
		require.NoError(t, err)
		counting.fail.Store(true)
		require.Equal(t, int64(3), looks(3))
		require.Len(t, failed, 3)
		require.Zero(t, f.recorder.Stats().PeersInArrears)
		counting.fail.Store(false)
		require.Equal(t, int64(3), looks(3), "a peer in arrears is read at each refresh")
		require.Equal(t, 1, f.recorder.Stats().PeersInArrears)
		counting.fail.Store(true)
		looks(2)
		require.Equal(t, 1, f.recorder.Stats().PeersInArrears, "after a failed read the state stays")
		counting.fail.Store(false)
		f.closeAndCheck(t)
	})
}

// A sender is not provisioned: the other senders are read all the same.
func TestReadsBesideAnUnknownSender(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, transfers.Config{Events: transfers.Events{RefreshFailed: func(err error) { t.Error(err) }}}, nil)
		carol, err := f.book.PeerAccount("carol", usd)
		require.NoError(t, err)
		for _, from := range []accounts.PeerAccount{f.aliceEUR, carol, f.alice} {
			to := f.bob
			if from == f.aliceEUR {
				to = f.bobEUR
			}
			_, err = f.recorder.Forward(t.Context(), transfers.Packet{From: from, To: to, In: 1100, Out: 1100})
			require.NoError(t, err)
		}
		passInterval()
		require.Equal(t, 2, f.recorder.Stats().PeersInArrears)
		f.closeAndCheck(t)
	})
}
