package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

func TestWatchOnce(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	s.leaveOrderOpen(t)
	got := readRows[snapshot](t, s, "watch", "--once")
	require.Len(t, got, 1)
	require.Equal(t, 1, got[0].OpenOrders)
	require.Len(t, got[0].Peers, 3)
	bob, alice := got[0].Peers[1], got[0].Peers[0]
	require.Equal(t, []any{"alice", 0, 30, "50.00"}, []any{alice.Peer, alice.Due, alice.Used, alice.SettleAt})
	require.Equal(t, []any{"bob", 0, -1, "20.00", "30.00"}, []any{bob.Peer, bob.Due, bob.Used, bob.SettleAt, bob.Order})
	require.Positive(t, got[0].PacketsPerSecond)

	out := s.runOK(t, "watch", "--once", "bob@USD")
	require.Contains(t, out, "1 open order\n")
	require.Contains(t, out, "│ bob ")
	require.NotContains(t, out, "alice")
}

// Paused rails and stopped payments have a line each, until they end.
func TestWatchShowsPauses(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	require.NotContains(t, s.runOK(t, "watch", "--once"), "paused")
	require.Empty(t, readRows[snapshot](t, s, "watch", "--once")[0].Pauses)
	s.runOK(t, "settle", "pause", "bank", "--yes")
	s.runOK(t, "settle", "stop", "--yes")
	require.Equal(t, readRows[pauseRow](t, s, "settle", "pauses"), readRows[snapshot](t, s, "watch", "--once")[0].Pauses)
	out := s.runOK(t, "watch", "--once")
	require.Regexp(t, `(?m)^paused: rail "bank" in USD/2 since \S+Z$`, out)
	require.Regexp(t, `(?m)^paused: all payments in EUR/2 since \S+Z$`, out)
	require.Contains(t, s.runOK(t, "doctor"), `rail "bank" is paused in USD/2 since`)
	s.runOK(t, "settle", "resume", "bank", "--yes")
	require.NotContains(t, s.runOK(t, "watch", "--once"), "bank")
}

func TestPercent(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ part, whole, want uint64 }{{0, 5, 0}, {1, 3, 33}, {5, 5, 100}, {10, 1, 999}, {999, 100, 999}} {
		require.EqualValues(t, test.want, computePercent(ledger.NewAmount(test.part), ledger.NewAmount(test.whole)))
	}
	require.Equal(t, 999, computePercent(ledger.AmountMax, ledger.NewAmount(1)))
	require.Equal(t, 100, computePercent(ledger.AmountMax, ledger.AmountMax))
}

// pressKey sends keys to a view.
func pressKey(t *testing.T, m live, keys ...rune) live {
	t.Helper()
	for _, key := range keys {
		next, _ := m.Update(tea.KeyPressMsg{Code: key, Text: string(key)})
		m = next.(live)
	}
	return m
}

func TestLiveView(t *testing.T) {
	t.Parallel()
	m := live{app: &app{}, every: time.Second}
	require.Contains(t, m.View().Content, "looking")

	s := snapshot{At: time.Unix(0, 0), OpenOrders: 2}
	for _, name := range []string{"ann", "ben", "cat"} {
		s.Peers = append(s.Peers, watchedRow{peerRow: peerRow{Peer: name, State: "active", Account: name}, Due: 50, Used: -1})
	}
	next, again := m.Update(snapshotMsg{snapshot: s})
	require.NotNil(t, again, "it looks again later")
	m = next.(live)
	next, _ = m.Update(tea.WindowSizeMsg{Height: 8}) // room for one peer
	m = next.(live)
	content := m.View().Content
	require.Contains(t, content, "ann")
	require.NotContains(t, content, "ben")
	require.Contains(t, content, strings.Repeat("█", barWidth/2)+strings.Repeat("░", barWidth/2)+"  50%")
	require.Contains(t, content, "1 to 1 of 3 peers")

	// The line of a pause takes the room of a peer.
	s.Pauses = []pauseRow{{Payments: "all", Asset: "USD/2", Since: "2026-11-29T10:00:00Z"}}
	next, _ = m.Update(snapshotMsg{snapshot: s})
	next, _ = next.Update(tea.WindowSizeMsg{Height: 10})
	content = next.View().Content
	require.Contains(t, content, "paused: all payments in USD/2 since 2026-11-29T10:00:00Z")
	require.Contains(t, content, "1 to 2 of 3 peers")

	m = pressKey(t, m, 'j', 'j', 'j', 'j')
	require.Contains(t, m.View().Content, "cat")
	m = pressKey(t, m, 'k')
	require.Contains(t, m.View().Content, "ben")

	// The last snapshot stays on the screen when the ledger does not answer.
	next, _ = m.Update(snapshotMsg{err: errors.New("away")})
	m = next.(live)
	require.Contains(t, m.View().Content, "no answer: away")
	require.Contains(t, m.View().Content, "ben")

	m = pressKey(t, m, 'p')
	m.err = nil
	require.Contains(t, m.View().Content, "paused")
	_, quit := m.Update(tea.KeyPressMsg{Code: 'q', Text: "q"})
	require.IsType(t, tea.QuitMsg{}, quit())
}
