package prepayment_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/prepayment"
	"github.com/peerledger/peerledger/ledger"
)

// The prepayment is the counted one for any history of a peer, any page size, and any first moment
// of reading.
func TestPrepaymentOfRandomLives(t *testing.T) {
	t.Parallel()
	for _, history := range []bool{true, false} {
		for range 60 {
			seed := rand.Uint64()
			t.Run(fmt.Sprintf("history %v, seed %d", history, seed), func(t *testing.T) {
				t.Parallel()
				l := newSimulatedPeer(t, seed, history)
				sizes := []int{1, 2, 5, ledger.QueryMax}
				kept := prepayment.NewMemory(prepayment.NewReader(l.ledger, sizes[l.random.IntN(4)]))
				for range 80 {
					l.runStep()
					if l.random.IntN(3) == 0 {
						l.checkEstimate(kept)
					}
					if l.random.IntN(10) == 0 {
						l.checkEstimate(prepayment.NewMemory(prepayment.NewReader(l.ledger, sizes[l.random.IntN(4)])))
					}
				}
				if history {
					l.checkMoments(kept)
					l.checkMoments(prepayment.NewMemory(prepayment.NewReader(l.ledger, 3)))
				}
			})
		}
	}
}

// The rows of the versions before arrears: debits by hand and payments by hand on the peer account,
// and an excess paid and collected by suspense.
func TestRowsOfOlderVersions(t *testing.T) {
	t.Parallel()
	l := newSimulatedPeer(t, 1, true)
	p := l.accounts
	require.True(t, l.writeChain(l.newRow(l.own, p.Peer, 100, chart.CodePacket)))
	l.applyEarned(100)
	require.True(t, l.writeChain(l.newRow(p.Settlement, p.Peer, 50, chart.CodeIncoming)))
	l.applyIn(50)
	order := l.newRow(p.Peer, p.Settlement, 60, chart.CodeOrder)
	order.ID, order.Flags = ledger.NewID(4711, 9), ledger.TransferPending
	require.True(t, l.writeChain(order))
	excess, collect := l.newRow(l.suspense, p.Settlement, 30, chart.CodeCorrection), l.newRow(p.Peer, l.suspense, 30, chart.CodeCorrection)
	excess.UserData128, collect.UserData128 = uint128.Uint128(order.ID), uint128.Uint128(order.ID)
	require.True(t, l.writeChain(excess, ledger.Transfer{PendingID: order.ID, Amount: order.Amount, Flags: ledger.TransferPostPending}, collect))
	l.applyOut(90)
	late := l.newRow(p.Peer, l.suspense, 5, chart.CodeCorrection) // of a late packet
	late.UserData128 = uint128.From64(77 << 8)
	require.True(t, l.writeChain(late))
	l.applySent(5)
	require.True(t, l.writeChain(l.newRow(p.Peer, p.Settlement, 4, chart.CodeOutgoing)))
	l.applyOut(4)
	require.True(t, l.writeChain(l.newRow(p.Peer, l.suspense, 20, chart.CodeAdjust)))
	l.applySent(20)
	require.Equal(t, int64(25), l.prepaid)
	l.checkEstimate(prepayment.NewMemory(prepayment.NewReader(l.ledger, 2)))
	l.checkEstimate(prepayment.NewMemory(prepayment.NewReader(l.ledger, ledger.QueryMax)))
}

// transferQueryHook calls afterQuery after each query for transfers.
type transferQueryHook struct {
	ledger.Ledger
	afterQuery func()
}

func (l *transferQueryHook) GetAccountTransfers(ctx context.Context, filter ledger.AccountFilter) ([]ledger.Transfer, error) {
	rows, err := l.Ledger.GetAccountTransfers(ctx, filter)
	l.afterQuery()
	return rows, err
}

// Orders placed and voided while a page is read must not push a paid order off the page.
func TestOrdersBetweenTheTwoQueriesOfAPage(t *testing.T) {
	t.Parallel()
	l := newSimulatedPeer(t, 1, true)
	a := l.accounts
	order := func(resolve ledger.TransferFlags) {
		pending := l.newRow(a.Peer, a.Settlement, 50, chart.CodeOrder)
		l.next++
		pending.ID, pending.Flags = ledger.NewID(l.next, 8), ledger.TransferPending
		require.True(t, l.writeChain(pending))
		done := ledger.Transfer{PendingID: pending.ID, Flags: resolve}
		if resolve == ledger.TransferPostPending {
			done.Amount = ledger.AmountMax
		}
		require.True(t, l.writeChain(done))
	}
	require.True(t, l.writeChain(l.newRow(a.Settlement, a.Peer, 100, chart.CodeIncoming)))
	require.True(t, l.writeChain(l.newRow(l.own, a.Peer, 50, chart.CodePacket)))
	order(ledger.TransferPostPending)

	between := &transferQueryHook{Ledger: l.ledger, afterQuery: func() {
		order(ledger.TransferVoidPending)
		order(ledger.TransferVoidPending)
	}}
	memory := prepayment.NewMemory(prepayment.NewReader(between, 3))
	got, err := memory.Read(t.Context(), a, l.readSums(), func(context.Context) (prepayment.Sums, error) { return l.readSums(), nil })
	require.NoError(t, err)
	require.Equal(t, ledger.NewAmount(100), got.Prepaid)
}

// narrowLookups refuses look-ups of more than 15 transfers.
type narrowLookups struct{ ledger.Ledger }

func (l narrowLookups) LookupTransfers(ctx context.Context, ids []ledger.ID) ([]ledger.Transfer, error) {
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case len(ids) > 15:
		return nil, ledger.ErrTooMuchData
	default:
		return l.Ledger.LookupTransfers(ctx, ids)
	}
}

// A ledger may have a smaller limit for look-ups than for queries.
func TestManyCorrectionsOfAnOlderVersion(t *testing.T) {
	t.Parallel()
	l := newSimulatedPeer(t, 1, true)
	a := l.accounts
	require.True(t, l.writeChain(l.newRow(a.Settlement, a.Peer, 100, chart.CodeIncoming)))
	require.True(t, l.writeChain(l.newRow(a.Peer, a.Settlement, 20, chart.CodeOutgoing)))
	for range 40 {
		require.True(t, l.writeChain(l.newRow(a.Peer, l.suspense, 1, chart.CodeCorrection)))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	memory := prepayment.NewMemory(prepayment.NewReader(narrowLookups{l.ledger}, ledger.QueryMax))
	got, err := memory.Read(ctx, a, l.readSums(), func(context.Context) (prepayment.Sums, error) { return l.readSums(), nil })
	require.NoError(t, err)
	require.Equal(t, ledger.NewAmount(40), got.Prepaid)
}
