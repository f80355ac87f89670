package transfers_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
)

// moodyLedger handles each request at random: it answers, loses the answer, loses the request,
// or does either of the last two and blocks until the caller goes away.
type moodyLedger struct {
	ledger.Ledger
	mu     sync.Mutex
	random *rand.Rand
	good   int // of ten requests, how many it answers
}

func (m *moodyLedger) CreateTransfers(ctx context.Context, batch []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	m.mu.Lock()
	good, applies, stalls := m.random.IntN(10) < m.good, m.random.IntN(2) == 0, m.random.IntN(3) == 0
	m.mu.Unlock()
	if good || applies {
		results, err := m.Ledger.CreateTransfers(ctx, batch)
		if good || err != nil {
			return results, err
		}
	}
	if stalls {
		<-ctx.Done()
		return nil, fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, ctx.Err())
	}
	return nil, ledger.ErrOutcomeUnknown
}

// fate is the known state of a packet.
type fate int

const (
	isHeld   fate = iota // the ledger has said so
	doubtful             // prepared or rejected, and no answer: not booked, in any case
	maybe                // forwarded, and no answer: asked for again in the end
	owed                 // promised or booked
)

// journalLife is a random life of a journal: recorders, one after the other.
type journalLife struct {
	*fixture
	folder   string
	random   *rand.Rand
	heard    *eventLog
	recorder *transfers.Recorder // in place of the fixture's
	packets  []transfers.Packet
	fates    []fate
	asked    map[ledger.ID]bool // fulfilled, whatever came of it
	stops    int
}

// After a random life the books have every answered and every promised operation once, and
// nothing else.
func TestRestartsAtRandom(t *testing.T) {
	t.Parallel()
	seed := ledgertest.Seed(t)
	lives := 60
	if testing.Short() {
		lives = 10
	}
	for n := range lives {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := &journalLife{
					fixture: newFixture(t, transfers.Config{}, nil), folder: newFolder(t), heard: &eventLog{},
					random: rand.New(rand.NewPCG(seed, uint64(n))), asked: make(map[ledger.ID]bool),
				}
				l.startRecorder(t)
				for range 80 {
					l.takeStep(t)
				}
				l.endLife(t)
			})
		})
	}
}

// startRecorder opens the journal on a ledger with a new mood.
func (l *journalLife) startRecorder(t *testing.T) {
	t.Helper()
	mood := &moodyLedger{Ledger: l.embedded, random: rand.New(rand.NewPCG(l.random.Uint64(), 0)), good: 3 + l.random.IntN(8)}
	l.recorder = l.newJournaled(t, l.folder, l.heard, mood)
}

// hurry returns a context that ends soon, in virtual time.
func (l *journalLife) hurry(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(t.Context(), time.Duration(l.random.IntN(3000))*time.Millisecond)
}

func (l *journalLife) takeStep(t *testing.T) {
	t.Helper()
	switch step := l.random.IntN(20); {
	case step < 6 && len(l.packets) < 40: // of up to 20 each: alice's line covers all
		l.beginPacket(t)
	case step < 14 && len(l.packets) > 0:
		l.resolvePacket(t, l.random.IntN(len(l.packets)))
	case step < 16:
		sleepVirtual(time.Duration(l.random.IntN(2000)) * time.Millisecond)
	case step < 18:
		l.stopRecorder(t)
	}
}

// beginPacket prepares or forwards a packet.
func (l *journalLife) beginPacket(t *testing.T) {
	t.Helper()
	ctx, cancel := l.hurry(t)
	defer cancel()
	in := 1 + l.random.Uint64N(20)
	p := l.packet(in, in-l.random.Uint64N(in))
	p.ID = ledger.NewID(uint64(len(l.packets)+1)<<8, 1)
	p.Hold = time.Duration(1+l.random.IntN(10)) * time.Second
	op, done, not := transfers.PrepareOp(p), isHeld, doubtful
	if l.random.IntN(4) == 0 {
		op, done, not = transfers.ForwardOp(p), owed, maybe
	}
	got, err := l.recorder.Record(ctx, op)
	became := not
	if err == nil {
		became = done
	} else {
		l.requireUnanswered(t, err)
	}
	p.Hold = max(p.Hold, got.Packet.Hold)
	l.packets, l.fates = append(l.packets, p), append(l.fates, became)
}

// requireUnanswered requires that an error is only a missing answer.
func (l *journalLife) requireUnanswered(t *testing.T, err error) {
	t.Helper()
	require.NotErrorIs(t, err, transfers.ErrCreditLine)
	require.NotErrorAs(t, err, new(*transfers.RefusedError))
}

// resolvePacket fulfills or rejects a held packet, or fulfills a packet again.
func (l *journalLife) resolvePacket(t *testing.T, i int) {
	t.Helper()
	p := l.packets[i]
	switch {
	case l.fates[i] == isHeld && l.random.IntN(3) == 0:
		ctx, cancel := l.hurry(t)
		defer cancel()
		l.fates[i] = doubtful
		if _, err := l.recorder.Reject(ctx, p); err != nil {
			l.requireUnanswered(t, err)
		}
	case l.fates[i] == isHeld, l.fates[i] == owed && l.asked[p.ID]:
		l.asked[p.ID] = true
		if l.fulfillPacket(t, p) {
			l.fates[i] = owed
		} else if l.fates[i] != owed {
			// The context had ended before it was handed over.
			delete(l.asked, p.ID)
		}
	}
}

// fulfillPacket fulfills a packet by a random method, and reports whether the fulfill was
// promised.
func (l *journalLife) fulfillPacket(t *testing.T, p transfers.Packet) (promised bool) {
	t.Helper()
	ctx, cancel := l.hurry(t)
	defer cancel()
	if ctx.Err() != nil {
		return false
	}
	op := transfers.FulfillOp(p)
	switch l.random.IntN(4) {
	case 0:
		_, err := l.recorder.Submit(ctx, op)
		require.NoError(t, err) // disks are fast, by virtual time
	case 1:
		future, err := l.recorder.TrySubmit(op)
		require.NoError(t, err)
		require.NoError(t, future.Journaled(t.Context()))
	case 2:
		future, err := l.recorder.TrySubmit(op)
		require.NoError(t, err) // it is on its way to the disk, where a clean stop leaves it
		if got := future.Wait(ctx); got.Err != nil {
			l.requireUnanswered(t, got.Err)
		}
	default:
		got, err := l.recorder.Record(ctx, op)
		if err != nil {
			require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
			require.NotErrorIs(t, err, transfers.ErrJournal)
			require.Equal(t, ledger.OutcomeUnknown, got.Outcome)
		}
	}
	return true
}

// stopRecorder closes the recorder and starts the next one. Sometimes it waits for all answers
// first.
func (l *journalLife) stopRecorder(t *testing.T) {
	t.Helper()
	l.stops++
	ctx, cancel := l.hurry(t)
	defer cancel()
	if err := l.recorder.Close(ctx); err != nil {
		require.NotErrorIs(t, err, transfers.ErrJournal)
		require.ErrorAs(t, err, new(*transfers.CloseError))
	}
	l.requireOnlyAsked(t)
	l.startRecorder(t)
}

// requireOnlyAsked requires that every replayed fulfill was submitted.
func (l *journalLife) requireOnlyAsked(t *testing.T) {
	t.Helper()
	for id, got := range resultsByID(t, l.heard.takeReplayed()) {
		require.True(t, l.asked[id], id)
		if got.Err != nil {
			l.requireUnanswered(t, got.Err)
		}
	}
}

// endLife replays with a last recorder, resolves the doubtful packets, and compares the books.
func (l *journalLife) endLife(t *testing.T) {
	t.Helper()
	if err := l.recorder.Close(canceled(t.Context())); err != nil {
		require.NotErrorIs(t, err, transfers.ErrJournal)
	}
	l.requireOnlyAsked(t)
	l.recorder = l.newJournaled(t, l.folder, l.heard, nil)
	require.NoError(t, l.recorder.Close(t.Context()))
	l.requireOnlyAsked(t)
	require.Empty(t, l.heard.journalErrors())
	l.requireEmptyJournal(t, l.folder)

	var in, out int64
	for i, p := range l.packets {
		switch l.fates[i] {
		case maybe: // now it is asked for again
			_, err := l.fixture.recorder.Forward(t.Context(), p)
			require.NoError(t, err)
			in, out = in+int64(p.In), out+int64(p.Out)
		case owed:
			in, out = in+int64(p.In), out+int64(p.Out)
		case isHeld, doubtful:
			if _, err := l.fixture.recorder.Reject(t.Context(), p); err != nil {
				require.ErrorIs(t, err, transfers.ErrUnknownPacket)
			}
		}
	}
	t.Logf("%d packets, %d stops, %d late", len(l.packets), l.stops, len(l.heard.late))
	require.Equal(t, -in, l.position(t, l.alice))
	require.Equal(t, out, l.position(t, l.bob))
	l.closeAndCheck(t)
}
