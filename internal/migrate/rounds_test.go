package migrate

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// roundsConnector records packets in rounds, with a journal in a folder.
type roundsConnector struct {
	book     *accounts.Book
	peers    []accounts.PeerAccount // alice, bob and carol
	recorder *aggregate.Recorder
}

func newRoundsConnector(t *testing.T, c *clock, l ledger.Ledger, journal string) *roundsConnector {
	t.Helper()
	d := &roundsConnector{}
	var err error
	d.book, err = accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}, SuspensionPollInterval: time.Millisecond})
	require.NoError(t, err)
	for _, name := range []string{"alice", "bob", "carol"} {
		handles, err := d.book.Provision(t.Context(), accounts.PeerConfig{ID: name, Asset: usd, CreditLine: units(10_000)})
		require.NoError(t, err)
		d.peers = append(d.peers, handles...)
	}
	d.recorder, err = aggregate.NewRecorder(t.Context(), l, d.book, aggregate.Config{
		JournalFolder: journal, RoundInterval: time.Millisecond, Horizon: 12 * time.Hour, Clock: c.currentTime, RequestSize: 253,
	})
	require.NoError(t, err)
	return d
}

// prepare prepares packets of 100 from alice to bob, who gets 99.
func (d *roundsConnector) prepare(t *testing.T, c *clock, count int) (packets []transfers.Packet) {
	t.Helper()
	for range count {
		held, err := d.recorder.Prepare(t.Context(), transfers.Packet{From: d.peers[0], To: d.peers[1], In: 100, Out: 99, Expiry: c.currentTime().Add(30 * time.Second)})
		require.NoError(t, err)
		packets = append(packets, held.Packet)
	}
	return packets
}

func (d *roundsConnector) fulfill(t *testing.T, packets []transfers.Packet) {
	t.Helper()
	for _, p := range packets {
		_, err := d.recorder.Fulfill(t.Context(), p)
		require.NoError(t, err)
	}
}

// ending is a ledger that goes away during a round.
type ending struct {
	ledger.Ledger

	armed, away atomic.Bool
	reaches     bool          // the ledger has the round, and its answer is lost
	gone        chan struct{} // closed when the ledger has gone away
}

var errGone = fmt.Errorf("%w: gone", ledger.ErrOutcomeUnknown)

func (e *ending) CreateTransfers(ctx context.Context, events []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if e.away.Load() {
		return nil, errGone
	}
	isRound := false
	for i := range events {
		isRound = isRound || events[i].Code == chart.CodeFee // each packet has a fee
	}
	if !isRound || !e.armed.Load() {
		return e.Ledger.CreateTransfers(ctx, events)
	}
	if e.reaches {
		results, err := e.Ledger.CreateTransfers(ctx, events)
		if err != nil || !ledger.ChainOutcome(results).Outcome.Done() {
			return results, err
		}
	}
	e.away.Store(true)
	close(e.gone)
	return nil, errGone
}

// kill ends a recorder whose ledger is away.
func (d *roundsConnector) kill(t *testing.T) {
	t.Helper()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, d.recorder.Close(ended), context.Canceled)
}

// A recorder ends while the answer to a round is missing, and goes on with its journal on the new
// ledger. Every fulfill is booked once, whether the old ledger had the round or not.
func TestRoundsGoOnAfterAMove(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ reaches, closed bool }{
		"the old ledger has the round":            {reaches: true},
		"the old ledger lacks the round":          {},
		"the old ledger has the second attempt":   {reaches: true, closed: true},
		"the old ledger lacks the second attempt": {closed: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testRoundsGoOn(t, test.reaches, test.closed, func(c *clock, from ledger.Ledger) ledger.Ledger {
				to, _ := migrateTwice(t, c, from)
				return to
			})
		})
	}
}

// testRoundsGoOn moves a ledger with move. reaches is set if the old ledger has the round whose answer
// is missing, closed if the receiver was closed before the round, so that a second attempt was needed.
func testRoundsGoOn(t *testing.T, reaches, closed bool, move func(*clock, ledger.Ledger) ledger.Ledger) {
	t.Helper()
	c, journal := newClock(), filepath.Join(t.TempDir(), "journal")
	from := &ending{Ledger: newLedger(t, c), reaches: reaches, gone: make(chan struct{})}
	old := newRoundsConnector(t, c, from, journal)
	first := old.prepare(t, c, 30)
	old.fulfill(t, first[:10])
	require.NoError(t, old.recorder.Flush(t.Context()))
	c.advance(time.Second)
	if closed {
		require.NoError(t, old.book.SuspendPeer(t.Context(), old.peers[1]))
		closeReceiver(t, from, old)
	}
	from.armed.Store(true)
	old.fulfill(t, first[10:20])
	<-from.gone
	old.fulfill(t, first[20:]) // of the next round
	old.kill(t)

	to := move(c, from.Ledger)
	moved := newRoundsConnector(t, c, to, journal)
	for _, p := range first {
		again, err := moved.recorder.Fulfill(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, ledger.OutcomeAlreadyApplied, again.Outcome)
	}
	moved.requireBooked(t, 30, closed)
	if !closed {
		moved.fulfill(t, moved.prepare(t, c, 5))
		moved.requireBooked(t, 35, closed)
	}
	require.NoError(t, moved.recorder.Close(t.Context()))
	ledgertest.RequireConserved(t, to)
	ledgertest.RequireNothingHeld(t, to)
}

// closeReceiver closes bob's account, as an operator does who does not wait for the packets.
func closeReceiver(t *testing.T, l ledger.Ledger, d *roundsConnector) {
	t.Helper()
	own, _ := d.book.AssetIDs(usd.Ledger)
	results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{{
		ID: ledger.NewID(77, 0), DebitAccountID: d.peers[1].ID(), CreditAccountID: own.Control, Ledger: usd.Ledger, Code: chart.CodeClose,
		Flags: ledger.TransferPending | ledger.TransferClosingDebit,
	}})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferCreated, results[0].Status)
}

// requireBooked checks the books of so many packets. With a closed receiver, the packets after the
// first ten are in suspense.
func (d *roundsConnector) requireBooked(t *testing.T, packets uint64, closed bool) {
	t.Helper()
	require.NoError(t, d.recorder.Flush(t.Context()))
	balances, err := d.book.Balances(t.Context(), d.peers[:2]...)
	require.NoError(t, err)
	require.Equal(t, units(100*packets), balances[0].Receivable)
	require.True(t, balances[0].Arrears.IsZero(), "collected at once")
	earned, waiting := 99*packets, uint64(0)
	if closed {
		earned, waiting = 99*10, 99*(packets-10)
	}
	require.Equal(t, units(earned), balances[1].Payable)
	own, err := d.book.OwnPositions(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, packets, own[0].Revenue.Int64())
	require.EqualValues(t, waiting, own[0].Suspense.Int64())
}

// The largest rounds, which are longer than a page, are copied whole, and in parts if the new ledger
// takes smaller requests.
func TestLongRounds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ requestMax, linked int }{{ledger.BatchMax, 299}, {300, 299}, {299, 298}, {253, 298}, {100, 297}} {
		c := newClock()
		from, to := newLedger(t, c), embedded.New(embedded.WithClock(c.currentTime), embedded.WithBatchMax(test.requestMax))
		a, b := ledger.NewID(1, 0), ledger.NewID(2, 0)
		_, err := from.CreateAccounts(t.Context(), []ledger.Account{{ID: a, Ledger: 1, Code: 1}, {ID: b, Ledger: 1, Code: 1}})
		require.NoError(t, err)
		rows := make([]ledger.Transfer, 300)
		for i := range rows {
			rows[i] = ledger.Transfer{ID: ledger.NewID(uint64(i+1), 0), DebitAccountID: a, CreditAccountID: b, Amount: units(1), Ledger: 1, Code: chart.CodeRound}
			if i < len(rows)-1 {
				rows[i].Flags = ledger.TransferLinked
			}
		}
		for _, list := range [][]ledger.Transfer{{row(1001, a, b)}, rows, {row(1002, a, b)}} {
			results, err := from.CreateTransfers(t.Context(), list)
			require.NoError(t, err)
			require.True(t, ledger.ChainOutcome(results).Outcome.Done())
		}
		c.advance(time.Hour)
		for range 2 {
			m := newMigration(t, c, from, to, 50)
			m.requestMax = test.requestMax
			_, err = m.runSteps()
			require.NoError(t, err, "%+v", test)
		}
		copied, err := to.QueryTransfers(t.Context(), ledger.QueryFilter{Limit: 1000})
		require.NoError(t, err)
		linked := 0
		for i := range copied {
			if copied[i].Flags.Has(ledger.TransferLinked) {
				linked++
			}
		}
		require.Len(t, copied, 302)
		require.Equal(t, test.linked, linked, "%+v", test)
		require.NoError(t, to.Close())
	}
}

// row returns a transfer of 1.
func row(id uint64, debit, credit ledger.ID) ledger.Transfer {
	return ledger.Transfer{ID: ledger.NewID(id, 0), DebitAccountID: debit, CreditAccountID: credit, Amount: units(1), Ledger: 1, Code: chart.CodePacket}
}
