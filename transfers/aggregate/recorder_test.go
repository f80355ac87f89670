package aggregate_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

var (
	usd = accounts.Asset{Code: "USD", Scale: 9, Ledger: 1}
	eur = accounts.Asset{Code: "EUR", Scale: 6, Ledger: 2, AllowLoss: true}
)

// fixture is a ledger with the peers alice, bob and carol in two assets.
type fixture struct {
	ledger ledger.Ledger
	book   *accounts.Book
	peers  []accounts.PeerAccount // alice, bob, carol in usd, then in eur
	folder string
}

func newFixture(t *testing.T, l ledger.Ledger, line uint64) *fixture {
	t.Helper()
	f := &fixture{ledger: l, folder: filepath.Join(t.TempDir(), "journal")}
	var err error
	f.book, err = accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd, eur}})
	require.NoError(t, err)
	for _, asset := range []accounts.Asset{usd, eur} {
		for _, name := range []string{"alice", "bob", "carol"} {
			a, err := f.book.Provision(t.Context(), accounts.PeerConfig{ID: name, Asset: asset, CreditLine: ledger.NewAmount(line)})
			require.NoError(t, err)
			f.peers = append(f.peers, a...)
		}
	}
	return f
}

func (f *fixture) open(t *testing.T, change ...func(*aggregate.Config)) *aggregate.Recorder {
	t.Helper()
	cfg := aggregate.Config{JournalFolder: f.folder, RoundInterval: time.Millisecond}
	for _, c := range change {
		c(&cfg)
	}
	r, err := aggregate.NewRecorder(t.Context(), f.ledger, f.book, cfg)
	require.NoError(t, err)
	return r
}

func (f *fixture) packet(from, to int, in, out uint64) transfers.Packet {
	return transfers.Packet{From: f.peers[from], To: f.peers[to], In: in, Out: out, Expiry: time.Now().Add(30 * time.Second)}
}

// figures are the sums that the same packets must give whatever records them.
func (f *fixture) figures(t *testing.T) map[string]string {
	t.Helper()
	figures := map[string]string{}
	for _, a := range f.peers {
		b, err := f.book.Balance(t.Context(), a)
		require.NoError(t, err)
		figures[a.String()] = fmt.Sprintf("owed %v owes %v arrears %v sent %v earned %v held %v", b.Payable, b.Receivable, b.Arrears, b.Sent, b.Earned, b.HeldIn)
	}
	for _, asset := range f.book.Assets() {
		trial, err := f.book.TrialBalance(t.Context(), asset)
		require.NoError(t, err)
		for _, line := range trial.Lines {
			if line.AccountKind == "transit" {
				require.Equal(t, line.DebitsPosted, line.CreditsPosted)
				require.Zero(t, line.CreditsPending.Sign())
				continue
			}
			net := line.CreditsPosted
			net.Sub(&net, &line.DebitsPosted)
			figures[fmt.Sprint(line.AccountKind, " in ", asset.Code)] = net.String()
		}
	}
	return figures
}

// recorder is what both recorders can do.
type recorder interface {
	Record(ctx context.Context, op transfers.Op) (transfers.Result, error)
	Close(ctx context.Context) error
}

// Both recorders give the same books for the same packets.
func TestSameBooks(t *testing.T) {
	t.Parallel()
	compareBooks(t, embedded.New())
}

// compareBooks records packets in rounds on l, and one by one on another ledger.
func compareBooks(t *testing.T, l ledger.Ledger) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	books := [2]map[string]string{}
	for i, on := range []ledger.Ledger{embedded.New(), l} {
		f := newFixture(t, on, 100_000)
		var r recorder = f.open(t)
		if i == 0 {
			require.NoError(t, r.Close(t.Context()))
			single, err := transfers.NewRecorder(f.ledger, f.book, transfers.Config{})
			require.NoError(t, err)
			r = single
		}
		rnd := rand.New(rand.NewPCG(seed, 2))
		for range 300 {
			held, err := r.Record(t.Context(), transfers.PrepareOp(randomPacket(f, rnd)))
			require.NoError(t, err)
			op := transfers.FulfillOp(held.Packet)
			if rnd.IntN(10) == 0 {
				op = transfers.RejectOp(held.Packet)
			}
			_, err = r.Record(t.Context(), op)
			require.NoError(t, err)
		}
		require.NoError(t, r.Close(t.Context()))
		books[i] = f.figures(t)
	}
	require.Equal(t, books[0], books[1])
}

func randomPacket(f *fixture, rnd *rand.Rand) transfers.Packet {
	from, to := rnd.IntN(6), rnd.IntN(6)
	in := uint64(rnd.IntN(300))
	p := f.packet(from, to, in, in-min(in, uint64(rnd.IntN(4))))
	if rnd.IntN(8) == 0 {
		p.From, _ = f.book.OwnAccount(f.asset(from))
	}
	if rnd.IntN(8) == 0 {
		p.To, _ = f.book.OwnAccount(f.asset(to))
	}
	switch {
	case p.From.Ledger() != p.To.Ledger():
		p.Out, p.Dust = uint64(rnd.IntN(300)), uint64(rnd.IntN(int(in)+1))
	case p.From.Ledger() == eur.Ledger && rnd.IntN(3) == 0:
		p.Out = in + 3
	}
	return p
}

func (f *fixture) asset(peer int) accounts.Asset {
	asset, _ := f.book.Asset(f.peers[peer].Ledger())
	return asset
}

// lossyLedger loses requests and answers of transfers. While away is set, all are lost.
type lossyLedger struct {
	ledger.Ledger

	away  atomic.Bool
	count atomic.Int64
}

var errLost = fmt.Errorf("%w: lost", ledger.ErrOutcomeUnknown)

func (l *lossyLedger) CreateTransfers(ctx context.Context, events []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	n := l.count.Add(1)
	if l.away.Load() || n%5 == 3 {
		return nil, errLost
	}
	results, err := l.Ledger.CreateTransfers(ctx, events)
	if n%5 == 4 {
		return nil, errLost
	}
	return results, err
}

// Fulfills acknowledged while the ledger was away are booked once by the next recorder, whatever
// answers are lost.
func TestRestart(t *testing.T) {
	t.Parallel()
	testRestart(t, &lossyLedger{Ledger: embedded.New()})
}

func testRestart(t *testing.T, lossy *lossyLedger) {
	f := newFixture(t, lossy, 1_000_000)
	var packets []transfers.Packet
	for range 5 {
		r := f.open(t)
		prepared := len(packets)
		for range 20 {
			held, err := r.Prepare(t.Context(), f.packet(0, 1, 100, 99))
			require.NoError(t, err)
			packets = append(packets, held.Packet)
		}
		for i, p := range packets[prepared:] {
			lossy.away.Store(i >= 10)
			_, err := r.Fulfill(t.Context(), p)
			require.NoError(t, err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, r.Close(ended), context.Canceled)
		require.ErrorIs(t, r.Close(t.Context()), context.Canceled, "again")
		lossy.away.Store(false)
	}
	r := f.open(t)
	for _, p := range packets { // repeats are recognized after restarts
		result, err := r.Fulfill(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, ledger.OutcomeAlreadyApplied, result.Outcome)
	}
	require.NoError(t, r.Flush(t.Context()))
	require.NoError(t, r.Close(t.Context()))
	figures := f.figures(t)
	n := len(packets)
	require.Equal(t, fmt.Sprintf("owed 0 owes %d arrears 0 sent %d earned 0 held 0", 100*n, 100*n), figures[f.peers[0].String()])
	require.Equal(t, fmt.Sprint(n), figures["revenue in USD"])
}

// Concurrent callers never take a sender beyond its line, and every fulfill is booked.
func TestConcurrentCallers(t *testing.T) {
	t.Parallel()
	f := newFixture(t, embedded.New(), 10_000)
	r := f.open(t)
	var fulfilled, refused atomic.Int64
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for range 50 {
				held, err := r.Prepare(t.Context(), f.packet(0, 1, 50, 50))
				if errors.Is(err, transfers.ErrCreditLine) {
					refused.Add(1)
					continue
				}
				if _, err = r.Fulfill(t.Context(), held.Packet); err == nil {
					fulfilled.Add(1)
				}
			}
		})
	}
	callers.Wait()
	require.NoError(t, r.Close(t.Context()))
	require.EqualValues(t, 200, fulfilled.Load(), "the whole line is used")
	require.EqualValues(t, 200, refused.Load())
	require.Equal(t, "owed 0 owes 10000 arrears 0 sent 10000 earned 0 held 0", f.figures(t)[f.peers[0].String()])
}

// Each refusal has its error.
func TestRefusals(t *testing.T) {
	t.Parallel()
	f := newFixture(t, embedded.New(), 1000)
	now := time.Now()
	r := f.open(t, func(c *aggregate.Config) { c.Clock = func() time.Time { return now } })
	refused := func(p transfers.Packet, target error) {
		t.Helper()
		result, err := r.Prepare(t.Context(), p)
		require.ErrorIs(t, err, target)
		require.Equal(t, ledger.OutcomeRefused, result.Outcome)
	}
	stranger, err := f.book.PeerAccount("stranger", usd)
	require.NoError(t, err)
	with := func(change func(*transfers.Packet)) transfers.Packet {
		p := f.packet(0, 1, 10, 10)
		change(&p)
		return p
	}
	refused(with(func(p *transfers.Packet) { p.Expiry = time.Time{} }), transfers.ErrPacket)
	refused(with(func(p *transfers.Packet) { p.Expiry = now.Add(2 * time.Hour) }), transfers.ErrPacket)
	refused(with(func(p *transfers.Packet) { p.Expiry = now.Add(time.Millisecond) }), transfers.ErrHoldTooShort)
	refused(with(func(p *transfers.Packet) { p.Out = 11 }), transfers.ErrAmounts)
	refused(with(func(p *transfers.Packet) { p.In = 1001 }), transfers.ErrCreditLine)
	refused(with(func(p *transfers.Packet) { p.From = stranger }), accounts.ErrNotProvisioned)
	refused(with(func(p *transfers.Packet) { p.To = stranger }), accounts.ErrNotProvisioned)
	require.NoError(t, f.book.SuspendPeer(t.Context(), f.peers[2]))
	refused(f.packet(2, 1, 10, 10), accounts.ErrSuspended)

	held, err := r.Prepare(t.Context(), f.packet(0, 1, 10, 10))
	require.NoError(t, err)
	again, err := r.Prepare(t.Context(), held.Packet)
	require.NoError(t, err)
	require.Equal(t, ledger.OutcomeAlreadyApplied, again.Outcome)
	other := held.Packet
	other.In = 11
	_, err = r.Fulfill(t.Context(), other)
	require.ErrorIs(t, err, ledger.ErrIDConflict)
	_, err = r.Reject(t.Context(), held.Packet)
	require.NoError(t, err)
	_, err = r.Fulfill(t.Context(), held.Packet)
	require.ErrorIs(t, err, transfers.ErrPacketConflict)
	late := f.packet(0, 1, 10, 10)
	late.ID, late.Expiry = ledger.NewID(1<<8, 0), now.Add(-time.Hour)
	_, err = r.Fulfill(t.Context(), late)
	require.ErrorIs(t, err, aggregate.ErrTooLate)
	late.Expiry = now.Add(-time.Second) // within the horizon, never prepared here, beyond the line
	late.In, late.Out = 5000, 5000
	result, err := r.Forward(t.Context(), late)
	require.NoError(t, err)
	require.True(t, result.Late)
	require.NoError(t, r.Close(t.Context()))
	_, err = r.Fulfill(t.Context(), late)
	require.ErrorIs(t, err, transfers.ErrRecorderClosed)
	require.Equal(t, "owed 0 owes 5000 arrears 4000 sent 5000 earned 0 held 0", f.figures(t)[f.peers[0].String()])
}

// What cannot be opened is refused with its reason.
func TestOpenRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t, embedded.New(embedded.WithBatchMax(253)), 1000)
	_, err := aggregate.NewRecorder(t.Context(), f.ledger, f.book, aggregate.Config{})
	require.ErrorIs(t, err, accounts.ErrInvalid)
	_, err = aggregate.NewRecorder(t.Context(), f.ledger, f.book, aggregate.Config{JournalFolder: f.folder})
	require.ErrorIs(t, err, aggregate.ErrRequestSize)
	small := func(c *aggregate.Config) { c.RequestSize = 253 }
	r := f.open(t, small)
	_, err = aggregate.NewRecorder(t.Context(), f.ledger, f.book, aggregate.Config{JournalFolder: f.folder, RequestSize: 253})
	require.ErrorIs(t, err, transfers.ErrJournalInUse)
	require.NoError(t, r.Close(t.Context()))

	otherBook, err := accounts.NewBook(f.ledger, accounts.Config{Namespace: "other", Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	_, err = aggregate.NewRecorder(t.Context(), f.ledger, otherBook, aggregate.Config{JournalFolder: f.folder, RequestSize: 253})
	require.ErrorIs(t, err, transfers.ErrJournalForeign)
}

// A recorder with an old copy of a journal is refused: it would book packets again.
func TestOldJournalRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t, embedded.New(), 1000)
	r := f.open(t)
	fulfillOne := func() {
		held, err := r.Prepare(t.Context(), f.packet(0, 1, 10, 10))
		require.NoError(t, err)
		_, err = r.Fulfill(t.Context(), held.Packet)
		require.NoError(t, err)
	}
	fulfillOne()
	require.NoError(t, r.Close(t.Context()))
	old := filepath.Join(t.TempDir(), "old")
	require.NoError(t, os.CopyFS(old, os.DirFS(f.folder)))
	r = f.open(t)
	fulfillOne()
	require.NoError(t, r.Close(t.Context()))
	_, err := aggregate.NewRecorder(t.Context(), f.ledger, f.book, aggregate.Config{JournalFolder: old})
	require.ErrorIs(t, err, aggregate.ErrOldJournal)
}

// What a receiver earned whose account is closed meanwhile waits in suspense, and the round reports it.
func TestClosedReceiver(t *testing.T) {
	t.Parallel()
	f := newFixture(t, embedded.New(), 1000)
	var rounds []aggregate.Round
	r := f.open(t, func(c *aggregate.Config) {
		c.RoundInterval = time.Hour
		c.Events.Round = func(r aggregate.Round) { rounds = append(rounds, r) }
	})
	held, err := r.Prepare(t.Context(), f.packet(0, 1, 100, 98))
	require.NoError(t, err)
	require.NoError(t, f.book.ClosePeer(t.Context(), f.peers[1]))
	_, err = r.Fulfill(t.Context(), held.Packet)
	require.NoError(t, err)
	require.NoError(t, r.Close(t.Context()))
	require.NotEmpty(t, rounds)
	last := rounds[0]
	require.Equal(t, []aggregate.Charge{{Account: f.peers[1], Asset: usd, Amount: ledger.NewAmount(98)}}, last.Suspense)
	require.Equal(t, 2, last.Attempts)
	figures := f.figures(t)
	require.Equal(t, "98", figures["suspense in USD"])
	require.Equal(t, "owed 0 owes 100 arrears 0 sent 100 earned 0 held 0", figures[f.peers[0].String()])
}

// A prepare whose caller goes away is rejected when the recorder generated its id.
func TestAbandonedPrepare(t *testing.T) {
	t.Parallel()
	lossy := &lossyLedger{Ledger: embedded.New()}
	f := newFixture(t, lossy, 1000)
	failed := make(chan struct{}, 100)
	r := f.open(t, func(c *aggregate.Config) {
		c.Events.RequestFailed = func(error) {
			select {
			case failed <- struct{}{}:
			default:
			}
		}
	})
	lossy.away.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-failed
		cancel()
	}()
	_, err := r.Prepare(ctx, f.packet(0, 1, 1000, 1000))
	require.ErrorIs(t, err, transfers.ErrAbandoned)
	require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
	lossy.away.Store(false)
	held, err := r.Prepare(t.Context(), f.packet(0, 1, 1000, 1000))
	require.NoError(t, err, "nothing is held for the abandoned packet")
	_, err = r.Reject(t.Context(), held.Packet)
	require.NoError(t, err)
	require.NoError(t, r.Close(t.Context()))
	require.Equal(t, "owed 0 owes 0 arrears 0 sent 0 earned 0 held 0", f.figures(t)[f.peers[0].String()])
}

// Operations recorded together are recorded in order.
func TestRecordAll(t *testing.T) {
	t.Parallel()
	f := newFixture(t, embedded.New(), 1000)
	r := f.open(t)
	p := f.packet(0, 1, 10, 10)
	p.ID = ledger.NewID(1<<8, 0)
	results, err := r.RecordAll(t.Context(), transfers.PrepareOp(p), transfers.RejectOp(p), transfers.FulfillOp(p))
	require.ErrorIs(t, err, transfers.ErrPacketConflict)
	require.Equal(t, ledger.OutcomeApplied, results[0].Outcome)
	require.Equal(t, ledger.OutcomeApplied, results[1].Outcome)
	require.Equal(t, ledger.OutcomeRefused, results[2].Outcome)
	future, err := r.TrySubmit(transfers.PrepareOp(f.packet(0, 1, 10, 10)))
	require.NoError(t, err)
	require.NoError(t, future.Wait(t.Context()).Err)
	require.NoError(t, r.Close(t.Context()))
	_, err = r.TrySubmit(transfers.PrepareOp(p))
	require.ErrorIs(t, err, transfers.ErrRecorderClosed)
}

// Without a journal, fulfills are booked by Close.
func TestWithoutJournal(t *testing.T) {
	t.Parallel()
	f := newFixture(t, embedded.New(), 1000)
	r := f.open(t, func(c *aggregate.Config) { c.JournalFolder, c.LoseFulfillsWithProcess = "", true })
	held, err := r.Prepare(t.Context(), f.packet(0, 1, 10, 9))
	require.NoError(t, err)
	_, err = r.Fulfill(t.Context(), held.Packet)
	require.NoError(t, err)
	require.NoError(t, r.Close(t.Context()))
	require.Equal(t, "1", f.figures(t)["revenue in USD"])
	require.NoError(t, r.Flush(t.Context()), "there is nothing left to write")
}
