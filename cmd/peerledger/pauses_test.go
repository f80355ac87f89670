package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/effects"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// Payments are paused and resumed. Nothing is written without --yes. A new engine obeys a pause.
func TestPausePayments(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	pay := writeScript(t, "echo 30")
	require.Contains(t, s.runOK(t, "settle", "pause", "bank"), `Would pause payments by rail "bank".`)
	require.Empty(t, readRows[pauseRow](t, s, "settle", "pauses"))
	require.Equal(t, "No payments are paused.\n", s.runOK(t, "settle", "pauses"))
	require.False(t, s.readChange(t, "settle", "pause", execRail, "--yes").Already)
	require.True(t, s.readChange(t, "settle", "pause", execRail, "--yes").Already)
	require.Contains(t, s.runOK(t, "settle", "pause", execRail, "--yes"), "Done before: pause payments by rail")
	shown := readRows[pauseRow](t, s, "settle", "pauses")
	require.Len(t, shown, 2, "in both assets")
	require.Equal(t, "rail", shown[0].Payments)
	require.Equal(t, truncateRailName(execRail), *shown[0].Rail)
	require.NotEmpty(t, shown[0].Since)
	require.Contains(t, s.runOK(t, "settle", "pauses"), `rail "peerledger settl"`)
	var got outcome
	now := []string{"settle", "now", "bob@USD", "--pay-with", pay}
	got = s.runCommand(t, appendArgs(now, "--yes")...)
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, `rail "peerledger settle now" is paused in USD/2 since`)
	require.Regexp(t, `It will be refused: .*rail "peerledger settle now" is paused in USD/2 since`, s.runOK(t, now...))
	require.Contains(t, s.runOK(t, "settle", "now", "alice@USD", "--pay-with", pay), "Would order nothing")
	require.False(t, s.readChange(t, "settle", "resume", execRail, "--yes").Already)
	require.True(t, s.readChange(t, "settle", "resume", execRail, "--yes").Already)

	require.True(t, s.readChange(t, "settle", "stop", "--yes").Written)
	require.Equal(t, "all", readRows[pauseRow](t, s, "settle", "pauses")[0].Payments)
	require.Contains(t, s.runOK(t, "settle", "pauses"), "all payments")
	require.Contains(t, s.runOK(t, "orders"), "Mind that all payments in EUR/2 are stopped since ")
	got = s.runCommand(t, appendArgs(now, "--yes")...)
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "all payments in USD/2 are stopped since")
	require.Regexp(t, "It will be refused: .*all payments in USD/2 are stopped since", s.runOK(t, now...))
	require.True(t, s.readChange(t, "settle", "start", "--yes").Written)
	require.Empty(t, readRows[pauseRow](t, s, "settle", "pauses"))
	require.Equal(t, "30.00", readRows[paymentRow](t, s, "settle", "now", "bob@USD", "--pay-with", pay, "--yes")[0].Paid)
}

// The ledger keeps the beginning of a long name. A command with this beginning, or with another
// rail's name of the same beginning, must not report a change.
func TestPauseOfALongName(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	const long, other = "sixteen bytes are shown", "sixteen bytes are not all"
	require.False(t, s.readChange(t, "settle", "pause", long, "--yes").Already)
	require.False(t, s.readChange(t, "settle", "pause", other, "--yes").Already)
	require.False(t, s.readChange(t, "settle", "resume", other, "--yes").Already)
	shown := *readRows[pauseRow](t, s, "settle", "pauses")[0].Rail
	for _, name := range []string{shown, other} {
		resumed := s.readChange(t, "settle", "resume", name, "--yes")
		require.True(t, resumed.Already, name)
		require.Contains(t, resumed.Note, "The payments are not paused. A rail whose name begins with the same 16 bytes is")
	}
	require.Len(t, readRows[pauseRow](t, s, "settle", "pauses"), 2, "in both assets")
	require.False(t, s.readChange(t, "settle", "resume", long, "--yes").Already)
	require.Equal(t, "The payments are not paused.", s.readChange(t, "settle", "resume", long, "--yes").Note)
}

// Pauses apply to all assets, so --asset is refused.
func TestPausesTakeNoAsset(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	require.True(t, s.readChange(t, "settle", "stop", "--yes").Written)
	require.True(t, s.readChange(t, "settle", "pause", "bank", "--yes").Written)
	for _, line := range []string{"stop --yes", "start --yes", "pause card --yes", "resume bank --yes", "pauses"} {
		got := s.runCommand(t, append([]string{"settle", "--asset", "USD/2"}, strings.Fields(line)...)...)
		require.Equal(t, statusUsage, got.status, line)
		require.Contains(t, got.errors, "takes no --asset", line)
	}
	require.Len(t, readRows[pauseRow](t, s, "settle", "pauses"), 4)
}

// placeUnapprovedOrder has a connector place an order to bob that waits for approval, and returns
// its id.
func (s testLedger) placeUnapprovedOrder(t *testing.T) (id string) {
	t.Helper()
	s.forwardPacket(t, 3001)
	s.openAsConnector(t, func(c *peerledger.Client, _, bob accounts.PeerAccount) {
		cfg := settlement.Config{
			Manual: true, Instance: "holds",
			Rails:            settlement.Rails{Default: &settlement.Rail{Settler: execSettler{program: "/bin/false"}}},
			Policies:         settlement.Policies{Default: settlement.Threshold{SettleThreshold: ledger.NewAmount(2000)}},
			PeerPayoutLimits: accounts.Rules[settlement.PayoutLimit]{Default: settlement.PayoutLimit{ApproveAbove: ledger.NewAmount(1)}},
		}
		e, err := settlement.NewEngine(c.Ledger, c.Book, cfg)
		require.NoError(t, err)
		_, err = e.Settle(t.Context(), bob)
		require.ErrorIs(t, err, settlement.ErrAwaitsApproval)
		require.ErrorIs(t, e.Close(t.Context()), settlement.ErrOrdersOpen)
	})
	open := readRows[orderRow](t, s, "orders")
	require.Len(t, open, 1)
	require.Equal(t, "approval", open[0].Waits)
	require.Contains(t, s.runOK(t, "orders"), "approval")
	return open[0].Order
}

func TestApprove(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	id := s.placeUnapprovedOrder(t)
	preview := s.readChange(t, "settle", "approve", "bob@USD", id)
	require.Equal(t, "30.00", preview.Amount)
	require.False(t, preview.Written)
	require.Equal(t, "approval", readRows[orderRow](t, s, "orders")[0].Waits)
	require.True(t, s.readChange(t, "settle", "approve", "bob@USD", id, "--yes").Written)
	require.Empty(t, readRows[orderRow](t, s, "orders")[0].Waits)
	require.Contains(t, s.readChange(t, "settle", "approve", "bob@USD", id).Note, "does not wait")
	require.Equal(t, statusUsage, s.runCommand(t, "settle", "approve", "bob@USD", "no id", "--yes").status)
	got := s.runCommand(t, "settle", "approve", "alice@USD", id, "--yes")
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "no such order")
}

// An order that waits for approval has no rail, so cancelling is always allowed.
func TestCancelHeldOrder(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	id := s.placeUnapprovedOrder(t)
	require.Contains(t, s.readChange(t, "settle", "cancel", "bob@USD", id).Note, "no rail has it")
	require.True(t, s.readChange(t, "settle", "cancel", "bob@USD", id, "--yes").Written)
	require.Empty(t, readRows[orderRow](t, s, "orders"))
}

// An engine with NoTakeover gives no sign of life while it runs: the age of its order is no reason
// to cancel.
func TestEngineThatGivesNoSignOfLife(t *testing.T) {
	t.Parallel()
	now := time.Now()
	order := func(placed, claimed time.Duration, claims uint64) settlement.OpenOrder {
		return settlement.OpenOrder{Order: settlement.Order{PlacedAt: now.Add(-placed)}, LeaseRenewedAt: now.Add(-claimed), Claims: claims}
	}
	require.ErrorIs(t, effects.CheckEngineInactive(order(time.Minute, time.Minute, 0), now), effects.ErrEngineActive)
	require.ErrorIs(t, effects.CheckEngineInactive(order(time.Hour, time.Minute, 7), now), effects.ErrEngineActive)
	require.NoError(t, effects.CheckEngineInactive(order(time.Hour, 3*time.Minute, 7), now), "it has claimed the order, and then stopped")
	err := effects.CheckEngineInactive(order(time.Hour, time.Hour, 0), now)
	require.ErrorIs(t, err, effects.ErrEngineActive)
	require.ErrorContains(t, err, "NoTakeover")
}
