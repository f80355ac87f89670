package transfers_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
)

// flakyLedger is a slow ledger that loses requests and answers, of transfers and of reads.
type flakyLedger struct {
	ledger.Ledger
	mu         sync.Mutex
	drawSource *rand.Rand
}

func (l *flakyLedger) drawBelow(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.drawSource.IntN(n)
}

func (l *flakyLedger) delayRandomly() {
	if l.drawBelow(3) == 0 {
		time.Sleep(time.Duration(l.drawBelow(700)) * time.Millisecond) //nolint:forbidigo // virtual time
	}
}

func (l *flakyLedger) CreateTransfers(ctx context.Context, batch []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	l.delayRandomly()
	if l.drawBelow(10) == 0 {
		return nil, ledger.ErrOutcomeUnknown
	}
	results, err := l.Ledger.CreateTransfers(ctx, batch)
	l.delayRandomly()
	if l.drawBelow(6) == 0 {
		return nil, ledger.ErrOutcomeUnknown
	}
	return results, err
}

func (l *flakyLedger) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	l.delayRandomly()
	rows, err := l.Ledger.LookupAccounts(ctx, ids)
	l.delayRandomly()
	if l.drawBelow(8) == 0 {
		return nil, errNoConnection
	}
	return rows, err
}

// floorModel is a recorder alone on its ledger, whose liquidity in two assets has floors.
type floorModel struct {
	*fixture
	random  *rand.Rand
	floors  [2]int64 // in units, of USD and EUR
	pending []transfers.Packet
	taken   int
	refused int
}

func newFloorModel(t *testing.T, seed, program uint64) *floorModel {
	t.Helper()
	m := &floorModel{fixture: &fixture{embedded: embedded.New()}, random: rand.New(rand.NewPCG(seed, 2*program)), floors: [2]int64{-300, 40}}
	floors := map[accounts.Asset]accounts.Decimal{usd: accounts.Decimal("-" + usd.Format(units(300))), loss: accounts.Decimal(loss.Format(units(40)))}
	l := &flakyLedger{Ledger: m.embedded, drawSource: rand.New(rand.NewPCG(seed, 2*program+1))}
	var err error
	m.book, err = accounts.NewBook(m.embedded, accounts.Config{Assets: []accounts.Asset{usd, loss}})
	require.NoError(t, err)
	handles, err := m.book.Provision(t.Context(),
		accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: accounts.Unlimited}, accounts.PeerConfig{ID: "bob", Asset: loss, CreditLine: accounts.Unlimited},
		accounts.PeerConfig{ID: "alice", Asset: loss, CreditLine: accounts.Unlimited})
	require.NoError(t, err)
	m.alice, m.bobEUR, m.aliceEUR = handles[0], handles[1], handles[2]
	_, err = m.book.Fund(t.Context(), accounts.Capital{Asset: loss, Key: "capital", Amount: units(200)})
	require.NoError(t, err)
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd, loss}, LiquidityFloors: floors})
	require.NoError(t, err)
	m.recorder, err = transfers.NewRecorder(l, book, transfers.Config{Lanes: 1})
	require.NoError(t, err)
	return m
}

// runStep resolves a pending packet, or submits a prepare that may be refused.
func (m *floorModel) runStep(t *testing.T) {
	t.Helper()
	time.Sleep(time.Duration(m.random.IntN(300)) * time.Millisecond) //nolint:forbidigo // virtual time
	if n := len(m.pending); n > 0 && m.random.IntN(2) == 0 {
		i := m.random.IntN(n)
		p := m.pending[i]
		m.pending = append(m.pending[:i], m.pending[i+1:]...)
		op := transfers.FulfillOp(p)
		if m.random.IntN(2) == 0 {
			op = transfers.RejectOp(p)
		}
		_, err := m.recorder.TrySubmit(op)
		require.NoError(t, err)
		return
	}
	p := transfers.Packet{From: m.alice, To: m.bobEUR, In: 1 + m.random.Uint64N(60), Out: 1 + m.random.Uint64N(60), Hold: 24 * time.Hour}
	switch m.random.IntN(6) {
	case 0, 1:
		p.From, p.To = p.To, p.From
	case 2:
		p.From, p.Out = m.aliceEUR, p.In+m.random.Uint64N(30) // within EUR, at a loss
	case 3:
		p.Dust = m.random.Uint64N(p.In)
	}
	future, err := m.recorder.TrySubmit(transfers.PrepareOp(p))
	switch {
	case err == nil:
		m.taken++
		m.pending = append(m.pending, future.Packet())
	case errors.Is(err, transfers.ErrLiquidity):
		m.refused++
	default:
		require.ErrorIs(t, err, transfers.ErrLimitsNotLoaded)
	}
}

// aboveFloors returns the liquidity above the floors, as if all holds were paid out.
func (m *floorModel) aboveFloors(t *testing.T) (left [2]int64) {
	t.Helper()
	positions, err := m.book.OwnPositions(t.Context())
	require.NoError(t, err)
	for i, p := range positions {
		held, _ := p.Held.Uint64()
		left[i] = p.Liquidity.Int64() - int64(held) - m.floors[i]
	}
	return left
}

// On a slow ledger that loses answers, a single recorder never takes the liquidity below its
// floor. With nothing in flight it admits exactly the liquidity above the floor.
func TestLiquidityNeverFallsBelowTheFloor(t *testing.T) {
	t.Parallel()
	seed, n := ledgertest.Seed(t), programCount(t, 200)
	taken, refused := 0, 0
	for program := range n {
		ok := t.Run(fmt.Sprint("program ", program), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newFloorModel(t, seed, program)
				for range 120 {
					m.runStep(t)
					left := m.aboveFloors(t)
					require.GreaterOrEqual(t, min(left[0], left[1]), int64(0), "USD and EUR")
				}
				require.NoError(t, m.recorder.Flush(t.Context()))
				time.Sleep(time.Minute) //nolint:forbidigo // virtual time, for a refresh
				rest := uint64(m.aboveFloors(t)[1])
				require.ErrorIs(t, m.tryOut(t, rest+1), transfers.ErrLiquidity)
				if rest > 0 {
					require.NoError(t, m.tryOut(t, rest))
				}
				require.NoError(t, m.recorder.Close(t.Context()))
				ledgertest.RequireConserved(t, m.embedded)
				require.NoError(t, m.embedded.Close())
				taken, refused = taken+m.taken, refused+m.refused
			})
		})
		if !ok {
			break
		}
	}
	t.Logf("%d prepares let in, %d refused", taken, refused)
	require.Greater(t, taken, 10*int(n))
	require.Greater(t, refused, 2*int(n))
}

func (m *floorModel) tryOut(t *testing.T, out uint64) error {
	t.Helper()
	_, err := m.recorder.TrySubmit(transfers.PrepareOp(transfers.Packet{From: m.alice, To: m.bobEUR, In: 1, Out: out, Hold: time.Hour}))
	return err
}
