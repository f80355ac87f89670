package peerledger_test

import (
	"context"
	"path/filepath"
	"reflect"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// closeOnceLedger fails requests after Close, and stays open for the test.
type closeOnceLedger struct {
	ledger.Ledger

	closed     atomic.Bool
	afterClose atomic.Int64 // transfers sent after Close
}

func (l *closeOnceLedger) Close() error {
	l.closed.Store(true)
	return nil
}

func (l *closeOnceLedger) CreateTransfers(ctx context.Context, transfers []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if l.closed.Load() {
		l.afterClose.Add(1)
		return nil, ledger.ErrClosed
	}
	return l.Ledger.CreateTransfers(ctx, transfers)
}

// One line of the configuration makes the client record in rounds. The engine is notified of the
// rounds, and Close writes what no round has before the ledger is closed.
func TestClientWithRounds(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	l := &closeOnceLedger{Ledger: embedded.New()}
	touched := make(chan []accounts.PeerAccount, 100)
	rounds := &aggregate.Config{
		JournalFolder: filepath.Join(t.TempDir(), "journal"), RoundInterval: time.Hour,
		Events: aggregate.Events{BalancesChanged: func(peers []accounts.PeerAccount) { touched <- append([]accounts.PeerAccount(nil), peers...) }},
	}
	before := reflect.ValueOf(rounds.Events.BalancesChanged).Pointer()
	var pays rail
	paid := make(chan settlement.Payment, 10)
	client, err := peerledger.New(l, peerledger.Config{
		Accounts: accounts.Config{Assets: []accounts.Asset{usd}},
		Rounds:   rounds,
		Settlement: settlement.Config{
			Rails: paidBy(&pays), Policies: settlement.Policies{Default: settlement.Threshold{SettleThreshold: units(100)}},
			SweepInterval: time.Hour, Events: settlement.Events{Paid: func(p settlement.Payment) { paid <- p }},
		},
	})
	require.NoError(t, err)
	peers, err := client.Provision(ctx,
		accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(100_000)}, accounts.PeerConfig{ID: "bob", Asset: usd})
	require.NoError(t, err)
	send := func(amount uint64) {
		packet := transfers.Packet{From: peers[0], To: peers[1], In: amount, Out: amount, Expiry: time.Now().Add(30 * time.Second)}
		held, err := client.Recorder.Prepare(ctx, packet)
		require.NoError(t, err)
		_, err = client.Recorder.Fulfill(ctx, held.Packet)
		require.NoError(t, err)
	}
	send(150)
	require.NoError(t, client.Recorder.Flush(ctx))
	require.ElementsMatch(t, peers, <-touched)
	payment := <-paid
	require.Equal(t, peers[1], payment.Order.Account, "the engine was notified, and does not wait for its sweep")
	require.Equal(t, units(150), payment.Paid)

	send(30) // in the journal alone
	require.NoError(t, client.Close(ctx))
	require.NoError(t, client.Close(ctx), "twice is safe")
	require.Zero(t, l.afterClose.Load(), "the ledger is closed last")
	balances, err := client.Book.Balances(ctx, peers...)
	require.NoError(t, err)
	require.Equal(t, units(180), balances[0].Receivable)
	require.Equal(t, units(30), balances[1].Payable)
	ledgertest.RequireNothingHeld(t, l.Ledger)
	require.ElementsMatch(t, peers, <-touched)
	require.Equal(t, before, reflect.ValueOf(rounds.Events.BalancesChanged).Pointer(), "the caller's configuration is as it was")
}

func TestRoundsAreChecked(t *testing.T) {
	t.Parallel()
	cfg := peerledger.Config{
		Accounts: accounts.Config{Assets: []accounts.Asset{usd}}, Recorder: transfers.Config{Lanes: 1}, Rounds: &aggregate.Config{MinHold: -1},
	}
	err := cfg.Validate()
	require.ErrorIs(t, err, accounts.ErrInvalid)
	for _, text := range []string{"Recorder must not be set with Rounds", "JournalFolder", "MinHold"} {
		require.ErrorContains(t, err, text)
	}
	cfg.Recorder, cfg.Rounds = transfers.Config{}, &aggregate.Config{LoseFulfillsWithProcess: true}
	require.NoError(t, cfg.Validate())

	cfg.Rounds = &aggregate.Config{JournalFolder: t.TempDir()}
	require.NoError(t, cfg.Validate())
	_, err = peerledger.OpenEmbedded(cfg)
	require.ErrorIs(t, err, accounts.ErrInvalid)
	require.ErrorContains(t, err, "rounds config: JournalFolder must not be set with a ledger that ends with the process")
}

// awayLedger answers no request that creates something.
type awayLedger struct{ ledger.Ledger }

func (awayLedger) CreateTransfers(ctx context.Context, _ []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	<-ctx.Done()
	return nil, ledger.ErrOutcomeUnknown
}

// A recorder of rounds talks to the ledger when it starts. New gives up in bounded time, leaves no
// goroutine behind, and does not close the ledger.
func TestNewWithRoundsAndWithoutAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // synctest fails if a goroutine is left
		l, began := embedded.New(), time.Now()
		_, err := peerledger.New(awayLedger{l}, peerledger.Config{
			Accounts: accounts.Config{Assets: []accounts.Asset{usd}}, Rounds: &aggregate.Config{LoseFulfillsWithProcess: true},
		})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 30*time.Second, time.Since(began), "as the documentation of New says")
		_, err = l.LookupAccounts(t.Context(), nil)
		require.NoError(t, err, "the ledger is open")
		require.NoError(t, l.Close())
	})
}

// The recorder of a client with rounds is one, and does not start with another namespace's journal.
func TestNewWithForeignJournalOfRounds(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for i, namespace := range []string{"one", "two"} {
		client, err := peerledger.New(embedded.New(), peerledger.Config{
			Accounts: accounts.Config{Namespace: namespace, Assets: []accounts.Asset{usd}}, Rounds: &aggregate.Config{JournalFolder: folder},
		})
		if i == 0 {
			require.NoError(t, err)
			require.IsType(t, &aggregate.Recorder{}, client.Recorder)
			require.NoError(t, client.Close(t.Context()))
			continue
		}
		require.ErrorIs(t, err, transfers.ErrJournalForeign)
		require.Nil(t, client)
	}
}
