package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/effects"
	"github.com/peerledger/peerledger/transfers"
)

// readFigures returns position, prepaid amount and arrears of a peer.
func (s testLedger) readFigures(t *testing.T, peer string) []string {
	t.Helper()
	row := readRows[peerRow](t, s, "balances", peer)[0]
	return []string{row.Position, row.Prepaid, row.Arrears}
}

// readChange runs a command with --json and returns the change, previewed or written.
func (s testLedger) readChange(t *testing.T, args ...string) change {
	t.Helper()
	got := readRows[change](t, s, args...)
	require.Len(t, got, 1)
	return got[0]
}

func TestBalancesShowPrepaymentsAndWhatIsDue(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.runOK(t, "settle", "received", "bob@USD", "100", "--key", "wire 1", "--yes")
	s.forwardPacket(t, 3001)
	row := readRows[peerRow](t, s, "balances", "bob@USD")[0]
	require.Equal(t, []string{"130.00", "100.00", "0.00", "30.00"}, []string{row.Position, row.Prepaid, row.Arrears, row.Due})
	require.False(t, row.PrepaidAtMost)
	require.Empty(t, readRows[peerRow](t, s, "balances", "alice@EUR")[0].Due, "it has no threshold")
	s.leaveOrderOpen(t)
	require.Equal(t, "0.00", readRows[peerRow](t, s, "balances", "bob@USD")[0].Due, "while an order is open")
}

// A returned payment is charged up to the peer's headroom, and the rest becomes arrears. A payment
// returns once, and not by more than its amount.
func TestReturnedPayment(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.runOK(t, "settle", "received", "alice@USD", "40", "--key", "wire 1", "--yes")
	s.forwardPacket(t, 12001) // 40 of alice's prepayment and 80.01 of her line
	require.Equal(t, []string{"-80.01", "0.00", "0.00"}, s.readFigures(t, "alice@USD"))
	back := []string{"settle", "returned", "alice@USD", "40", "--key", "return 1", "--payment", "wire 1"}

	preview := s.readChange(t, back...)
	require.Equal(t, "Of the amount, 19.99 is charged to the peer's account, and 20.01 is arrears until the account has headroom. The position becomes -120.01.", preview.Effect)
	require.Equal(t, effects.Summary{Position: "-80.01", Prepaid: "0.00", Arrears: "0.00", Due: "0.00"}, *preview.Now)
	require.Equal(t, "wire 1", preview.Payment)
	require.Contains(t, s.runOK(t, back...), "Would book a returned payment of alice in USD/2, 40.00, key return 1, payment wire 1.")
	got := s.runCommand(t, "settle", "received", "alice@USD", "0", "--key", "none")
	require.Equal(t, statusUsage, got.status)
	require.Contains(t, got.errors, "the amount must not be 0")
	require.Equal(t, []string{"-80.01", "0.00", "0.00"}, s.readFigures(t, "alice@USD"))

	done := s.readChange(t, append(back, "--yes")...)
	require.True(t, done.Written)
	require.False(t, done.Already)
	require.Equal(t, []string{"-120.01", "0.00", "20.01"}, s.readFigures(t, "alice@USD"))
	again := s.readChange(t, append(back, "--yes")...)
	require.True(t, again.Already)
	require.Empty(t, again.Effect, "nothing was done")
	require.Equal(t, done.Transfer, again.Transfer)
	require.Equal(t, []string{"-120.01", "0.00", "20.01"}, s.readFigures(t, "alice@USD"))

	got = s.runCommand(t, "settle", "returned", "alice@USD", "0.01", "--key", "return 2", "--payment", "wire 1", "--yes")
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "40.00 USD")
	got = s.runCommand(t, "settle", "returned", "alice@USD", "1", "--key", "return 3", "--payment", "wire 2", "--yes")
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "no such payment")
	require.Equal(t, []string{"-120.01", "0.00", "20.01"}, s.readFigures(t, "alice@USD"))
	require.Contains(t, s.runOK(t, append(back, "--yes")...), "Now: position -120.01, prepaid 0.00, arrears 20.01, due 0.00.")
}

func TestPaidBeyondTheHeadroom(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	paid := []string{"settle", "paid", "bob@USD", "50", "--key", "cash 1"}
	require.Equal(t, "It will be refused: the peer's account covers 30.00 USD. With --beyond-headroom the rest is arrears.", s.readChange(t, paid...).Effect)
	got := s.runCommand(t, append(paid, "--yes")...)
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "it has 30.00 USD. With --beyond-headroom the rest is arrears")
	require.Equal(t, []string{"30.00", "0.00", "0.00"}, s.readFigures(t, "bob@USD"))

	paid = append(paid, "--beyond-headroom")
	require.Equal(t, "Of the amount, 30.00 is charged to the peer's account, and 20.00 is arrears until the account has headroom. The position becomes -20.00.", s.readChange(t, paid...).Effect)
	s.runOK(t, append(paid, "--yes")...)
	require.Equal(t, []string{"-20.00", "0.00", "20.00"}, s.readFigures(t, "bob@USD"))
	require.True(t, s.readChange(t, append(paid, "--yes")...).Already)
}

func TestAdjust(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	preview := s.readChange(t, "adjust", "credit", "alice@USD", "50", "--key", "a", "--reason", "3")
	require.Equal(t, "Of the amount, 30.01 pays the peer's debt, and 19.99 is prepaid. The position becomes 19.99.", preview.Effect)
	s.runOK(t, "adjust", "credit", "alice@USD", "50", "--key", "a", "--reason", "3", "--yes")
	require.Equal(t, []string{"19.99", "19.99", "0.00"}, s.readFigures(t, "alice@USD"))
	require.True(t, s.readChange(t, "adjust", "credit", "alice@USD", "50", "--key", "a", "--reason", "3", "--yes").Already)

	require.Equal(t, "The peer's account covers the amount. The position becomes 9.99.", s.readChange(t, "adjust", "debit", "alice@USD", "10", "--key", "b", "--reason", "3").Effect)
	s.runOK(t, "adjust", "debit", "alice@USD", "10", "--key", "b", "--reason", "3", "--yes")
	require.Equal(t, []string{"9.99", "9.99", "0.00"}, s.readFigures(t, "alice@USD"))

	large := []string{"adjust", "debit", "alice@USD", "150", "--key", "c", "--reason", "3"}
	got := s.runCommand(t, append(large, "--yes")...)
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "alice on ledger 1 has 109.99 USD")
	s.runOK(t, append(large, "--beyond-headroom", "--yes")...)
	require.Equal(t, []string{"-140.01", "0.00", "40.01"}, s.readFigures(t, "alice@USD"))

	for _, args := range [][]string{
		{"credit", "alice@USD", "1", "--reason", "3"},
		{"credit", "alice@USD", "1", "--key", "k"},
		{"credit", "alice@USD", "0", "--key", "k", "--reason", "3"},
		{"write-off", "alice@USD", "0", "--key", "k", "--reason", "3"},
		{"credit", "alice@USD", "--key", "k", "--reason", "3"},
	} {
		got := s.runCommand(t, append(append([]string{"adjust"}, args...), "--yes")...)
		require.Equal(t, statusUsage, got.status, "%v: %s", args, got.errors)
	}
	require.Equal(t, statusFailed, s.runCommand(t, "adjust", "credit", "alice@USD", "51", "--key", "a", "--reason", "3", "--yes").status, "another amount")
}

func TestWriteOff(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.runOK(t, "adjust", "debit", "bob@USD", "50", "--key", "a", "--reason", "3", "--beyond-headroom", "--yes")
	s.forwardPacket(t, 3001)
	require.Equal(t, []string{"-20.00", "0.00", "50.00"}, s.readFigures(t, "bob@USD"))
	off := []string{"adjust", "write-off", "bob@USD", "100", "--key", "loss", "--reason", "4"}
	require.Equal(t, "Of its arrears, 30.00 is collected first, and 20.00 is given up.", s.readChange(t, off...).Effect)
	done := s.readChange(t, append(off, "--yes")...)
	require.Equal(t, "20.00", done.Amount)
	require.Equal(t, []string{"0.00", "0.00", "0.00"}, s.readFigures(t, "bob@USD"))
	again := s.readChange(t, append(off, "--yes")...)
	require.True(t, again.Already)
	require.Empty(t, again.Effect, "nothing was done")
	require.Equal(t, "20.00", again.Amount)
	got := s.runCommand(t, "adjust", "write-off", "bob@USD", "1", "--key", "another", "--reason", "4", "--yes")
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "no arrears")
}

// Money that arrived for a closed peer is released once.
func TestRelease(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.runOK(t, "peers", "close", "bob@USD", "--yes")
	received := []string{"settle", "received", "bob@USD", "25", "--key", "wire 1", "--yes"}
	require.Contains(t, s.readChange(t, received...).Effect, "waits in our suspense account")
	require.Equal(t, []string{"0.00", "0.00", "0.00"}, s.readFigures(t, "bob@USD"))
	preview := s.readChange(t, "settle", "release", "bob@USD")
	require.Contains(t, preview.Note, "refused")
	require.Equal(t, "25.00", preview.Amount)
	got := s.runCommand(t, "settle", "release", "bob@USD", "--yes")
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "closed")

	s.runOK(t, "peers", "reopen", "bob@USD", "--yes")
	done := s.readChange(t, "settle", "release", "bob@USD", "--yes")
	require.Equal(t, "25.00", done.Amount)
	require.Equal(t, []string{"25.00", "25.00", "0.00"}, s.readFigures(t, "bob@USD"))
	require.Equal(t, "Nothing waits for the peer.", s.readChange(t, "settle", "release", "bob@USD").Note)
	done = s.readChange(t, "settle", "release", "bob@USD", "--yes")
	require.Equal(t, "Nothing waits for the peer.", done.Note)
	require.Equal(t, []string{"25.00", "25.00", "0.00"}, s.readFigures(t, "bob@USD"))
}

// An amount held by a packet in flight cannot be charged.
func TestPreviewLeavesOutWhatIsHeld(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.openAsConnector(t, func(c *peerledger.Client, alice, bob accounts.PeerAccount) {
		_, err := c.Recorder.Prepare(t.Context(), transfers.Packet{From: alice, To: bob, In: 6000, Out: 6000, Expiry: time.Now().Add(time.Hour)})
		require.NoError(t, err)
	})
	require.Equal(t, "Of the amount, 40.00 is charged to the peer's account, and 10.00 is arrears until the account has headroom. The position becomes -50.00.",
		s.readChange(t, "adjust", "debit", "alice@USD", "50", "--key", "k", "--reason", "1", "--beyond-headroom").Effect)
}

// The statement names bookings by hand.
func TestStatementOfBookingsByHand(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	for _, args := range [][]string{
		{"settle", "received", "bob@USD", "40", "--key", "wire 1"},
		{"settle", "returned", "bob@USD", "50", "--key", "return 1", "--payment", "wire 1"},
		{"settle", "returned", "bob@USD", "40", "--key", "return 1", "--payment", "wire 1"},
		{"settle", "paid", "bob@USD", "30", "--key", "cash 1", "--beyond-headroom"},
		{"adjust", "credit", "bob@USD", "10", "--key", "a", "--reason", "1"},
		{"adjust", "write-off", "bob@USD", "5", "--key", "b", "--reason", "1"},
	} {
		if s.runCommand(t, append(args, "--yes")...).status != statusDone {
			require.Equal(t, "50", args[3], "more than was paid is refused, and nothing else")
		}
	}
	table := s.runOK(t, "statement", "bob@USD")
	for _, line := range []string{
		`settlement +│ +40.00 │ +40.00 `, `returned +│ +-40.00 │ +0.00 `, `by hand +│ +-30.00 │ +-30.00 `,
		`correction +│ +10.00 │ +-20.00 `, `write-off +│ +5.00 │ +-15.00 `, `closing +│ +│ +-15.00 `,
	} {
		require.Regexp(t, line, table)
	}
}
