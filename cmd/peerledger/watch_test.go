package main

import (
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
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

// newLiveView makes a view of three peers: ann owes most, ben is suspended, cat is owed.
func newLiveView() live {
	s := snapshot{At: time.Unix(0, 0)}
	for _, p := range []struct {
		name, position string
		used           int
		balance        accounts.Balance
	}{
		{"ann", "-30.00", 90, accounts.Balance{CreditLine: ledger.NewAmount(100), Headroom: ledger.NewAmount(10), Receivable: ledger.NewAmount(90)}},
		{"ben", "0.00", 0, accounts.Balance{Suspended: true}},
		{"cat", "9.00", 0, accounts.Balance{}},
	} {
		s.Peers = append(s.Peers, watchedRow{peerRow: peerRow{Peer: p.name, State: "active", Position: p.position, Account: p.name}, Due: -1, Used: p.used, balance: p.balance})
	}
	m := live{app: &app{}, every: time.Second, current: s}
	next, _ := m.Update(tea.WindowSizeMsg{Height: 40})
	return next.(live)
}

// shownNames returns the peers of the list in their order.
func shownNames(m live) (names []string) {
	for _, r := range m.rows() {
		names = append(names, r.Peer)
	}
	return names
}

func TestLiveSortAndFilter(t *testing.T) {
	t.Parallel()
	m := newLiveView()
	require.Equal(t, []string{"ann", "ben", "cat"}, shownNames(m))
	m = pressKey(t, m, 's', 's', 's')
	require.Equal(t, "position:desc", m.choice.order)
	require.Equal(t, []string{"cat", "ben", "ann"}, shownNames(m))
	require.Contains(t, m.View().Content, "by position:desc")
	for range len(cycledOrders) {
		m = pressKey(t, m, 's')
		require.Len(t, shownNames(m), 3, "each order of the cycle is a column: %s", m.choice.order)
		_, err := m.choice.chooseRows(m.current.Peers)
		require.NoError(t, err, m.choice.order)
	}
	require.Equal(t, "position:desc", m.choice.order)
	m = pressKey(t, m, 'f')
	require.Equal(t, []string{"ann"}, shownNames(m), "near its line")
	require.Contains(t, m.View().Content, "only near-line=80%")
	m = pressKey(t, m, 'f', 'f', 'f')
	require.Equal(t, []string{"ben"}, shownNames(m), "suspended")
	m = pressKey(t, m, 'f')
	require.Len(t, shownNames(m), 3)
	for range len(cycledFilters) {
		m = pressKey(t, m, 'f')
	}
	require.NoError(t, m.choice.parseConditions([]string{"owing", "suspended"}))
	require.Empty(t, shownNames(m))
	require.Contains(t, m.View().Content, "0 to 0 of 0 peers")
	next, command := m.Update(tea.KeyPressMsg{Code: tea.KeyEnter})
	require.Nil(t, command, "no peer can be opened")
	require.Len(t, shownNames(pressKey(t, next.(live), 'f')), 3, "several conditions are followed by none")
}

// The choice stays on a peer when the order changes.
func TestLiveChoice(t *testing.T) {
	t.Parallel()
	m := pressKey(t, newLiveView(), 'j')
	require.Equal(t, 1, m.findChosen(m.rows()))
	require.Equal(t, "ben", m.chosen)
	m = pressKey(t, m, 'j', 'j', 'j', 's', 's', 's')
	require.Equal(t, "cat", m.chosen)
	require.Equal(t, 0, m.findChosen(m.rows()))
	m = pressKey(t, m, 'k', 'j')
	require.Equal(t, "ben", m.chosen)
}

func TestLiveDetails(t *testing.T) {
	t.Parallel()
	m := pressKey(t, newLiveView(), 'j')
	next, command := m.Update(tea.KeyPressMsg{Code: tea.KeyEnter})
	m = next.(live)
	require.NotNil(t, command, "it reads the details")
	require.Contains(t, m.View().Content, "ben in")
	require.Contains(t, m.View().Content, "reading…")
	next, _ = m.Update(peerDetails{account: "ann"})
	require.Contains(t, next.View().Content, "reading…", "they are of another peer")
	next, _ = m.Update(peerDetails{account: "ben", err: errors.New("away")})
	require.Contains(t, next.View().Content, "no history: away")
	m = pressKey(t, m, '?')
	require.Contains(t, m.View().Content, "sort by the next column")
	m = pressKey(t, m, '?')
	require.Contains(t, m.View().Content, "ben in")
	next, _ = m.Update(tea.KeyPressMsg{Code: tea.KeyEscape})
	m = next.(live)
	require.Contains(t, m.View().Content, "1 to 3 of 3 peers")
	_, quit := m.Update(tea.KeyPressMsg{Code: tea.KeyEscape})
	require.IsType(t, tea.QuitMsg{}, quit(), "esc in the list quits")
}

func TestCurve(t *testing.T) {
	t.Parallel()
	numbers := func(list ...int64) (values []*big.Int) {
		for _, n := range list {
			values = append(values, big.NewInt(n))
		}
		return values
	}
	require.Equal(t, "▁▄█", drawCurve(numbers(-10, -3, 4)))
	require.Equal(t, "▁▁", drawCurve(numbers(5, 5)))
	require.Empty(t, drawCurve(nil))
	huge := new(big.Int).Lsh(big.NewInt(1), 120)
	require.Equal(t, "▁█", drawCurve([]*big.Int{new(big.Int).Neg(huge), huge}))
}

// The details of a peer are read from the ledger: its positions and its holds.
func TestReadDetails(t *testing.T) {
	t.Parallel()
	s := newPromiseLedger(t)
	a := &app{config: s.config, folder: s.folder, getenv: func(string) string { return "" }, timeout: time.Minute}
	require.NoError(t, a.withEngine(t.Context(), nil, func(s *session, engine *settlement.Engine) error {
		list, err := s.parseAccounts(t.Context(), []string{"alice@USD"}, "")
		require.NoError(t, err)
		w := &watcher{session: s, engine: engine, peers: list}
		taken, err := w.takeSnapshot(t.Context())
		require.NoError(t, err)
		m := live{app: a, ctx: t.Context(), watcher: w, current: taken, opened: taken.Peers[0].Account}
		details := m.readOpened()().(peerDetails)
		require.NoError(t, details.err)
		require.Equal(t, "-57.02", formatSigned(details.history.Asset, details.history.Points[detailSteps].Position))
		next, _ := m.Update(details)
		require.Contains(t, next.View().Content, "in 3.10, out 0.00, until 20")
		least, most := details.history.Points[0].Position, details.history.Points[0].Position
		for _, p := range details.history.Points {
			if p.Position.Cmp(least) < 0 {
				least = p.Position
			}
			if p.Position.Cmp(most) > 0 {
				most = p.Position
			}
		}
		require.Equal(t, -1, least.Sign())
		require.GreaterOrEqual(t, most.Sign(), 0)
		require.Regexp(t, fmt.Sprintf("position since \\S+Z, from %s to %s\n  [▁▂▃▄▅▆▇█]{41}\n",
			regexp.QuoteMeta(formatSigned(details.history.Asset, least)), regexp.QuoteMeta(formatSigned(details.history.Asset, most))), next.View().Content)
		return nil
	}))
}

func TestWatchOnceChoosesRows(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	names := func(args ...string) (names []string) {
		for _, p := range readRows[snapshot](t, s, append([]string{"watch", "--once"}, args...)...)[0].Peers {
			names = append(names, p.Peer+"@"+p.Asset)
		}
		return names
	}
	require.Equal(t, []string{"bob@USD/2", "alice@EUR/2", "alice@USD/2"}, names("--sort", "position:desc"))
	require.Equal(t, []string{"alice@USD/2"}, names("--filter", "owing"))
	require.Equal(t, []string{"alice@USD/2"}, names("--filter", "owing", "--every", "5s"), "the earlier name of --interval")
	for want, line := range map[string]string{
		"there is no column": "watch --once --sort rank", "there is no such condition": "watch --once --filter rich", "--interval must be at least": "watch --once --interval 1ms",
	} {
		got := s.runCommand(t, strings.Fields(line)...)
		require.Equal(t, statusUsage, got.status)
		require.Contains(t, got.errors, want)
	}
}
