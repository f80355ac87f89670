package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// Payments are paused and go on: nothing is written without --yes, it is shown, and an engine that
// starts keeps to it.
func TestPausePayments(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.send(t, 3001)
	pay := script(t, "echo 30")
	require.Contains(t, s.ok(t, "settle", "pause", "bank"), `Would pause payments by rail "bank".`)
	require.Empty(t, rows[pauseRow](t, s, "settle", "pauses"))
	require.False(t, s.told(t, "settle", "pause", payerRail, "--yes").Already)
	require.True(t, s.told(t, "settle", "pause", payerRail, "--yes").Already)
	require.Contains(t, s.ok(t, "settle", "pause", payerRail, "--yes"), "Done before: pause payments by rail")
	shown := rows[pauseRow](t, s, "settle", "pauses")
	require.Len(t, shown, 2, "in both assets")
	require.Equal(t, "rail", shown[0].Payments)
	require.Equal(t, beginning(payerRail), *shown[0].Rail)
	require.NotEmpty(t, shown[0].Since)
	require.Contains(t, s.ok(t, "settle", "pauses"), `rail "peerledger settl"`)
	var got answer
	now := []string{"settle", "now", "bob@USD", "--pay-with", pay}
	got = s.do(t, with(now, "--yes")...)
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, `rail "peerledger settle now" is paused in USD/2 since`)
	require.Regexp(t, `It will be refused: .*rail "peerledger settle now" is paused in USD/2 since`, s.ok(t, now...))
	require.Contains(t, s.ok(t, "settle", "now", "alice@USD", "--pay-with", pay), "Would order nothing")
	require.False(t, s.told(t, "settle", "resume", payerRail, "--yes").Already)
	require.True(t, s.told(t, "settle", "resume", payerRail, "--yes").Already)

	require.True(t, s.told(t, "settle", "stop", "--yes").Written)
	require.Equal(t, "all", rows[pauseRow](t, s, "settle", "pauses")[0].Payments)
	require.Contains(t, s.ok(t, "settle", "pauses"), "all payments")
	require.Contains(t, s.ok(t, "orders"), "Mind that all payments in EUR/2 are stopped since ")
	got = s.do(t, with(now, "--yes")...)
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "all payments in USD/2 are stopped since")
	require.Regexp(t, "It will be refused: .*all payments in USD/2 are stopped since", s.ok(t, now...))
	require.True(t, s.told(t, "settle", "start", "--yes").Written)
	require.Empty(t, rows[pauseRow](t, s, "settle", "pauses"))
	require.Equal(t, "30.00", rows[paymentRow](t, s, "settle", "now", "bob@USD", "--pay-with", pay, "--yes")[0].Paid)
}

// Of a long name the ledger shows the beginning only. Who gives that back, or the name of
// another rail that begins so, is not told that payments go on, or are paused.
func TestPauseOfALongName(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	const long, other = "sixteen bytes are shown", "sixteen bytes are not all"
	require.False(t, s.told(t, "settle", "pause", long, "--yes").Already)
	require.False(t, s.told(t, "settle", "pause", other, "--yes").Already)
	require.False(t, s.told(t, "settle", "resume", other, "--yes").Already)
	shown := *rows[pauseRow](t, s, "settle", "pauses")[0].Rail
	for _, name := range []string{shown, other} {
		told := s.told(t, "settle", "resume", name, "--yes")
		require.True(t, told.Already, name)
		require.Contains(t, told.Note, "They are not paused. A rail whose name begins with the same 16 bytes is")
	}
	require.Len(t, rows[pauseRow](t, s, "settle", "pauses"), 2, "in both assets")
	require.False(t, s.told(t, "settle", "resume", long, "--yes").Already)
	require.Equal(t, "They are not paused.", s.told(t, "settle", "resume", long, "--yes").Note)
}

// Pauses are in all assets: who asks for one asset is not to stop, or start, the others.
func TestPausesTakeNoAsset(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	require.True(t, s.told(t, "settle", "stop", "--yes").Written)
	require.True(t, s.told(t, "settle", "pause", "bank", "--yes").Written)
	for _, line := range []string{"stop --yes", "start --yes", "pause card --yes", "resume bank --yes", "pauses"} {
		got := s.do(t, append([]string{"settle", "--asset", "USD/2"}, strings.Fields(line)...)...)
		require.Equal(t, statusUsage, got.status, line)
		require.Contains(t, got.errors, "takes no --asset", line)
	}
	require.Len(t, rows[pauseRow](t, s, "settle", "pauses"), 4)
}

// held has a connector place an order to bob that waits to be approved, and returns its id.
func (s shop) held(t *testing.T) (id string) {
	t.Helper()
	s.send(t, 3001)
	s.open(t, func(c *peerledger.Client, _, bob accounts.PeerAccount) {
		cfg := settlement.Config{
			Manual: true, Instance: "holds",
			Rails:            settlement.Rails{Default: &settlement.Rail{Settler: payer{program: "/bin/false"}}},
			Policies:         settlement.Policies{Default: settlement.Threshold{SettleThreshold: ledger.NewAmount(2000)}},
			PeerPayoutLimits: accounts.Rules[settlement.PayoutLimit]{Default: settlement.PayoutLimit{ApproveAbove: ledger.NewAmount(1)}},
		}
		e, err := settlement.NewEngine(c.Ledger, c.Book, cfg)
		require.NoError(t, err)
		_, err = e.Settle(t.Context(), bob)
		require.ErrorIs(t, err, settlement.ErrAwaitsApproval)
		require.ErrorIs(t, e.Close(t.Context()), settlement.ErrOrdersOpen)
	})
	open := rows[orderRow](t, s, "orders")
	require.Len(t, open, 1)
	require.Equal(t, "approval", open[0].Waits)
	require.Contains(t, s.ok(t, "orders"), "approval")
	return open[0].Order
}

func TestApprove(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	id := s.held(t)
	would := s.told(t, "settle", "approve", "bob@USD", id)
	require.Equal(t, "30.00", would.Amount)
	require.False(t, would.Written)
	require.Equal(t, "approval", rows[orderRow](t, s, "orders")[0].Waits)
	require.True(t, s.told(t, "settle", "approve", "bob@USD", id, "--yes").Written)
	require.Empty(t, rows[orderRow](t, s, "orders")[0].Waits)
	require.Contains(t, s.told(t, "settle", "approve", "bob@USD", id).Note, "does not wait")
	require.Equal(t, statusUsage, s.do(t, "settle", "approve", "bob@USD", "no id", "--yes").status)
	got := s.do(t, "settle", "approve", "alice@USD", id, "--yes")
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "no such order")
}

// An order that waits is with no rail, so it is cancelled whenever somebody asks.
func TestCancelHeldOrder(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	id := s.held(t)
	require.Contains(t, s.told(t, "settle", "cancel", "bob@USD", id).Note, "no rail has it")
	require.True(t, s.told(t, "settle", "cancel", "bob@USD", id, "--yes").Written)
	require.Empty(t, rows[orderRow](t, s, "orders"))
}

// An engine with NoTakeover gives no sign of life, however alive it is: its order is not cancelled
// because it looks old.
func TestEngineThatGivesNoSignOfLife(t *testing.T) {
	t.Parallel()
	now := time.Now()
	order := func(placed, claimed time.Duration, claims uint64) settlement.OpenOrder {
		return settlement.OpenOrder{Order: settlement.Order{PlacedAt: now.Add(-placed)}, LeaseRenewedAt: now.Add(-claimed), Claims: claims}
	}
	require.ErrorIs(t, leftAlone(order(time.Minute, time.Minute, 0), now), errAlive)
	require.ErrorIs(t, leftAlone(order(time.Hour, time.Minute, 7), now), errAlive)
	require.NoError(t, leftAlone(order(time.Hour, 3*time.Minute, 7), now), "it has claimed the order, and then stopped")
	err := leftAlone(order(time.Hour, time.Hour, 0), now)
	require.ErrorIs(t, err, errAlive)
	require.ErrorContains(t, err, "NoTakeover")
}
