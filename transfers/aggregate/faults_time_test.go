package aggregate_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// clocks are the wall clocks of a process and of its ledger in a synctest bubble. A pause of the process
// moves both on while no goroutine runs; a jump moves that of the process alone.
type clocks struct{ paused, jumped atomic.Int64 }

func (c *clocks) process() time.Time {
	return time.Now().Add(time.Duration(c.paused.Load() + c.jumped.Load()))
}
func (c *clocks) ledgerNow() time.Time  { return time.Now().Add(time.Duration(c.paused.Load())) }
func (c *clocks) pause(d time.Duration) { c.paused.Add(int64(d)) }
func (c *clocks) jump(d time.Duration)  { c.jumped.Add(int64(d)) }

// timedFixture is a fixture in a bubble with clocks of its own, and the reports of its recorders.
type timedFixture struct {
	*fixture
	clocks
	arrears []aggregate.Charge // of all rounds
}

func newTimedFixture(t *testing.T, line uint64, wrap func(ledger.Ledger) ledger.Ledger) *timedFixture {
	t.Helper()
	f := &timedFixture{}
	l := ledger.Ledger(embedded.New(embedded.WithClock(f.ledgerNow)))
	if wrap != nil {
		l = wrap(l)
	}
	f.fixture = newFixture(t, l, line)
	return f
}

func (f *timedFixture) open(t *testing.T, change ...func(*aggregate.Config)) *aggregate.Recorder {
	t.Helper()
	return f.fixture.open(t, append([]func(*aggregate.Config){func(c *aggregate.Config) {
		c.RoundInterval = 50 * time.Millisecond
		c.Clock = f.process
		c.Events.Round = func(r aggregate.Round) {
			f.arrears = append(f.arrears, r.Arrears...)
		}
	}}, change...)...)
}

// packet returns a packet that expires in 30 s by the process's clock.
func (f *timedFixture) packet(from, to int, amount uint64) transfers.Packet {
	p := f.fixture.packet(from, to, amount, amount)
	p.Expiry = f.process().Add(30 * time.Second)
	return p
}

func (f *timedFixture) prepare(t *testing.T, r *aggregate.Recorder, amount uint64) transfers.Packet {
	t.Helper()
	held, err := r.Prepare(t.Context(), f.packet(0, 1, amount))
	require.NoError(t, err)
	return held.Packet
}

// A process that was paused for longer than its reservations' timeout books the fulfills that come
// afterwards as late cases, and accepts no packet beyond the line.
func TestPausedLongerThanReservations(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newTimedFixture(t, 1000, nil)
		r := f.open(t, func(c *aggregate.Config) { c.Horizon = time.Hour })
		held := f.prepare(t, r, 1000)
		f.pause(10 * time.Minute)
		second := &timedFixture{fixture: &fixture{ledger: f.ledger, book: f.book, peers: f.peers, folder: filepath.Join(t.TempDir(), "journal")}}
		second.pause(10 * time.Minute)
		other := second.open(t)
		booked := second.prepare(t, other, 700) // the reservation of the first has expired
		_, err := other.Fulfill(t.Context(), booked)
		require.NoError(t, err)
		require.NoError(t, other.Close(t.Context()))

		result, err := r.Fulfill(t.Context(), held)
		require.NoError(t, err)
		require.True(t, result.Late)
		require.True(t, result.ShortfallUnknown)
		require.NoError(t, r.Flush(t.Context()))
		synctest.Wait()
		_, err = r.Prepare(t.Context(), f.packet(0, 1, 1))
		require.ErrorIs(t, err, transfers.ErrInArrears, "known with the round, not with the next poll")
		<-time.After(time.Second)
		balance, err := f.book.Balance(t.Context(), f.peers[0])
		require.NoError(t, err)
		require.True(t, balance.HeldIn.IsZero(), "nothing stays reserved for a peer in arrears")
		require.NoError(t, r.Close(t.Context()))
		require.Equal(t, uint64(1000), f.sumArrears())
		require.Equal(t, ledger.NewAmount(1700), balance.Receivable)
		require.False(t, ledger.NewAmount(850).Less(balance.Arrears), "the round has collected")
		require.Equal(t, "owed 1700 owes 0 arrears 0 sent 0 earned 1700 held 0", f.figures(t)[f.peers[1].String()])
	})
}

// After a pause beyond the horizon the fulfill is refused by name, and nothing is booked or left held.
func TestPausedLongerThanHorizon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newTimedFixture(t, 1000, nil)
		r := f.open(t)
		held := f.prepare(t, r, 1000)
		f.pause(10 * time.Minute)
		_, err := r.Fulfill(t.Context(), held)
		require.ErrorIs(t, err, aggregate.ErrTooLate)
		held = f.prepare(t, r, 1000)
		_, err = r.Fulfill(t.Context(), held)
		require.NoError(t, err)
		require.NoError(t, r.Close(t.Context()))
		require.Empty(t, f.arrears)
		require.Equal(t, "owed 0 owes 1000 arrears 0 sent 1000 earned 0 held 0", f.figures(t)[f.peers[0].String()])
	})
}

// A wall clock that jumps ahead and back: packets of before are late or refused by name, new ones wait until
// the time has come again, also in the next recorder. Nothing is booked twice.
func TestClockJumpsAheadAndBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newTimedFixture(t, 1000, nil)
		r := f.open(t)
		fulfilled, held := f.prepare(t, r, 100), f.prepare(t, r, 50)
		_, err := r.Fulfill(t.Context(), fulfilled)
		require.NoError(t, err)
		f.jump(2 * time.Hour)
		ahead := f.prepare(t, r, 10)
		_, err = r.Fulfill(t.Context(), ahead)
		require.NoError(t, err)
		f.jump(-2 * time.Hour)
		for range 2 {
			for _, p := range []transfers.Packet{fulfilled, held} {
				_, err = r.Fulfill(t.Context(), p)
				require.ErrorIs(t, err, aggregate.ErrTooLate)
			}
			result, err := r.Fulfill(t.Context(), ahead)
			require.NoError(t, err)
			require.Equal(t, ledger.OutcomeAlreadyApplied, result.Outcome)
			_, err = r.Prepare(t.Context(), f.packet(0, 1, 10))
			require.ErrorIs(t, err, transfers.ErrHoldTooShort)
			require.NoError(t, r.Close(t.Context()))
			r = f.open(t)
		}
		<-time.After(2 * time.Hour)
		_, err = r.Fulfill(t.Context(), f.prepare(t, r, 890)) // what the line has left
		require.NoError(t, err)
		require.NoError(t, r.Close(t.Context()))
		require.Empty(t, f.arrears)
		require.Equal(t, "owed 0 owes 1000 arrears 0 sent 1000 earned 0 held 0", f.figures(t)[f.peers[0].String()])
	})
}

// A wall clock that jumps back by hours: the fulfill of a held packet is in time, by the monotonic clock.
func TestClockJumpsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newTimedFixture(t, 1000, nil)
		r := f.open(t)
		held := f.prepare(t, r, 1000)
		f.jump(-3 * time.Hour)
		<-time.After(10 * time.Second)
		result, err := r.Fulfill(t.Context(), held)
		require.NoError(t, err)
		require.False(t, result.Late)
		_, err = r.Prepare(t.Context(), f.packet(0, 1, 1))
		require.ErrorIs(t, err, transfers.ErrHoldTooShort)
		require.NoError(t, r.Close(t.Context()))
		require.Empty(t, f.arrears)
		require.Equal(t, "owed 0 owes 1000 arrears 0 sent 1000 earned 0 held 0", f.figures(t)[f.peers[0].String()])
	})
}

// outage is a ledger that does not answer while it is away.
type outage struct {
	ledger.Ledger

	away atomic.Bool
}

func (l *outage) CreateTransfers(ctx context.Context, events []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if l.away.Load() {
		return nil, errLost
	}
	return l.Ledger.CreateTransfers(ctx, events)
}

func (l *outage) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	if l.away.Load() {
		return nil, errLost
	}
	return l.Ledger.LookupAccounts(ctx, ids)
}

// slowRounds is a ledger that loses rounds, and later takes two seconds for each.
type slowRounds struct {
	ledger.Ledger

	lost atomic.Bool
}

func (l *slowRounds) CreateTransfers(ctx context.Context, events []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	isRound := slices.ContainsFunc(events, func(e ledger.Transfer) bool { return e.Flags.Has(ledger.TransferPostPending) })
	if isRound && l.lost.Load() {
		return nil, errLost
	}
	if isRound {
		<-time.After(2 * time.Second)
	}
	return l.Ledger.CreateTransfers(ctx, events)
}

// The reservations of a round expire one after another, a second apart, and the ledger takes longer for each attempt:
// the round is in the books after a few attempts, and not when all its reservations have expired.
func TestReservationsExpireDuringAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const senders = 60
		l := &slowRounds{}
		f := newTimedFixture(t, 1000, func(inner ledger.Ledger) ledger.Ledger { l.Ledger = inner; return l })
		for i := range senders {
			a, err := f.book.Provision(t.Context(), accounts.PeerConfig{ID: fmt.Sprint("sender ", i), Asset: usd, CreditLine: ledger.NewAmount(1000)})
			require.NoError(t, err)
			f.peers = append(f.peers, a...)
		}
		r := f.open(t, func(c *aggregate.Config) {
			c.ReservationTimeout, c.MaxHold, c.Horizon = 5*time.Minute, 2*time.Minute, time.Hour
		})
		begun := time.Now()
		var held []transfers.Packet
		for i := range senders {
			p := f.packet(len(f.peers)-senders+i, 1, 100)
			p.Expiry = f.process().Add(2 * time.Minute)
			result, err := r.Prepare(t.Context(), p)
			require.NoError(t, err)
			held = append(held, result.Packet)
			<-time.After(time.Second)
		}
		l.lost.Store(true)
		for _, p := range held {
			_, err := r.Fulfill(t.Context(), p)
			require.NoError(t, err)
		}
		<-time.After(305*time.Second - time.Since(begun)) // the first reservations have expired
		l.lost.Store(false)
		require.NoError(t, r.Flush(t.Context()))
		require.Equal(t, uint64(2), r.RoundStats().RefusedAttempts)
		require.Less(t, f.sumArrears(), uint64(100*senders/3), "most reservations are posted")
		require.NotZero(t, f.sumArrears(), "the first ones have expired")
		require.NoError(t, r.Close(t.Context()))
		require.Equal(t, "owed 6000 owes 0 arrears 0 sent 0 earned 6000 held 0", f.figures(t)[f.peers[1].String()])
	})
}

// While the ledger is away, fulfills are acknowledged, and prepares are accepted until the reservation is
// used. The next prepare waits, and is refused when it expires. All is booked once when the ledger is back,
// and no other recorder could use what the first had reserved.
func TestLedgerAway(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		away time.Duration
		late bool // another recorder can take what was reserved
	}{
		"within LedgerOutage":      {50 * time.Second, false},
		"longer than reservations": {20 * time.Minute, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { testLedgerAway(t, c.away, c.late) })
		})
	}
}

func testLedgerAway(t *testing.T, away time.Duration, late bool) {
	t.Helper()
	l := &outage{}
	f := newTimedFixture(t, 1000, func(inner ledger.Ledger) ledger.Ledger { l.Ledger = inner; return l })
	r := f.open(t, func(c *aggregate.Config) { c.Horizon = time.Hour })
	first := f.prepare(t, r, 10)
	_, err := r.Fulfill(t.Context(), first)
	require.NoError(t, err)
	require.NoError(t, r.Flush(t.Context()))

	begun := time.Now()
	l.away.Store(true)
	sent := uint64(10)
	for {
		p := f.packet(0, 1, 10)
		result, err := r.Prepare(t.Context(), p)
		if err != nil {
			require.ErrorIs(t, err, transfers.ErrHoldTooShort)
			require.Equal(t, "R02", transfers.ILPCode(err))
			require.WithinDuration(t, p.Expiry, time.Now(), time.Second)
			break
		}
		require.Equal(t, begun, time.Now(), "without the ledger")
		_, err = r.Fulfill(t.Context(), result.Packet)
		require.NoError(t, err)
		sent += 10
	}
	require.Greater(t, sent, uint64(10))
	<-time.After(away - time.Since(begun))
	taken := f.takeHeadroom(t, l.Ledger)
	l.away.Store(false)
	require.NoError(t, r.Flush(t.Context()))
	require.NoError(t, r.Close(t.Context()))
	arrears := uint64(0)
	if late {
		arrears = sent - 10
	}
	require.Equal(t, arrears, f.sumArrears())
	require.Equal(t, uint64(1000), sent-arrears+taken, "the other recorder has taken the rest of the line")
	require.Equal(t, fmt.Sprintf("owed 0 owes %d arrears %d sent %d earned 0 held 0", sent+taken, arrears, sent+taken), f.figures(t)[f.peers[0].String()])
}

// silentLedger does not answer requests that create transfers until it is released.
type silentLedger struct {
	ledger.Ledger

	release chan struct{} // nil: answers at once
}

func (l *silentLedger) CreateTransfers(ctx context.Context, events []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if l.release != nil {
		<-l.release
	}
	return l.Ledger.CreateTransfers(ctx, events)
}

// A prepare that waits for a ledger that does not answer at all is refused when the packet expires. Fulfills
// and packets within the reservation go on meanwhile.
func TestLedgerSilent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &silentLedger{}
		f := newTimedFixture(t, 1000, func(inner ledger.Ledger) ledger.Ledger { l.Ledger = inner; return l })
		r := f.open(t)
		held := f.prepare(t, r, 100)
		synctest.Wait()
		l.release = make(chan struct{})
		begun := time.Now()
		_, err := r.Prepare(t.Context(), f.packet(0, 1, 900))
		require.ErrorIs(t, err, transfers.ErrHoldTooShort)
		require.WithinDuration(t, begun.Add(30*time.Second), time.Now(), time.Second)
		_, err = r.Fulfill(t.Context(), held)
		require.NoError(t, err)
		_, err = r.Fulfill(t.Context(), f.prepare(t, r, 100))
		require.NoError(t, err)
		close(l.release)
		require.NoError(t, r.Close(t.Context()))
		require.Empty(t, f.arrears)
		require.Equal(t, "owed 0 owes 200 arrears 0 sent 200 earned 0 held 0", f.figures(t)[f.peers[0].String()])
	})
}

// sumArrears returns what rounds have charged to arrears. The recorder is closed.
func (f *timedFixture) sumArrears() (sum uint64) {
	for _, c := range f.arrears {
		amount, _ := c.Amount.Uint64()
		sum += amount
	}
	return sum
}

// takeHeadroom lets another recorder, which reaches the ledger, book all of the sender's headroom.
func (f *timedFixture) takeHeadroom(t *testing.T, l ledger.Ledger) (taken uint64) {
	t.Helper()
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd, eur}})
	require.NoError(t, err)
	r, err := aggregate.NewRecorder(t.Context(), l, book, aggregate.Config{JournalFolder: filepath.Join(t.TempDir(), "journal"), Clock: f.process})
	require.NoError(t, err)
	for {
		held, err := r.Prepare(t.Context(), f.packet(0, 1, 10))
		if err != nil {
			require.ErrorIs(t, err, transfers.ErrCreditLine)
			break
		}
		_, err = r.Fulfill(t.Context(), held.Packet)
		require.NoError(t, err)
		taken += 10
	}
	require.NoError(t, r.Close(t.Context()))
	return taken
}

// A round without legs leaves no row in the ledger. An old copy of a journal from before such a round is
// recognized by the rounds behind it.
func TestOldJournalBeforeAnEmptyRound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newTimedFixture(t, 1000, nil)
		r := f.open(t)
		_, err := r.Fulfill(t.Context(), f.prepare(t, r, 10))
		require.NoError(t, err)
		require.NoError(t, r.Close(t.Context()))
		old := filepath.Join(t.TempDir(), "old")
		require.NoError(t, os.CopyFS(old, os.DirFS(f.folder)))

		r = f.open(t)
		held := f.prepare(t, r, 10)
		_, err = r.Reject(t.Context(), held)
		require.NoError(t, err)
		f.pause(10 * time.Minute) // the reservation is gone: the round that renews it has no legs
		<-time.After(5 * time.Second)
		_, err = r.Fulfill(t.Context(), f.prepare(t, r, 10))
		require.NoError(t, err)
		require.NoError(t, r.Close(t.Context()))
		_, err = aggregate.NewRecorder(t.Context(), f.ledger, f.book, aggregate.Config{JournalFolder: old, Clock: f.process})
		require.ErrorIs(t, err, aggregate.ErrOldJournal)
	})
}
