package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Closed orders are listed with the fields that are promised, the newest first and in pages.
func TestClosedOrders(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	require.Equal(t, "No order was closed.\n", s.runOK(t, "orders", "--closed"))
	s.forwardPacket(t, 3001)
	order := s.leaveOrderOpen(t)
	require.Empty(t, s.runOK(t, "orders", "--closed", "--json"), "an open order is not closed")
	s.runOK(t, "settle", "resolve", "bob@USD", order, "7", "--yes")
	out := s.runOK(t, "orders", "--closed", "--json")
	require.Regexp(t, `^{"json":1,"peer":"bob","asset":"USD/2","order":"ID","sequence":1,"amount":"30.00","paid":"7.00","outcome":"paid","placed":"TIME","closed":"TIME","owner":"ID"}\n$`, blankOut(out))
	require.Contains(t, out, order)
	require.Contains(t, s.runOK(t, "orders", "--closed"), "│ bob  │ USD/2 │ "+order+" │  30.00 │ 7.00 │ paid    │")

	s.forwardPacket(t, 701) // so that an order is due again
	second := s.leaveOrderOpen(t)
	s.runOK(t, "settle", "cancel", "bob@USD", second, "--force", "--yes")
	rows := readRows[closedOrderRow](t, s, "orders", "bob@USD", "--closed")
	require.Equal(t, []string{second, "voided", "0.00", order}, []string{rows[0].Order, rows[0].Outcome, rows[0].Paid, rows[1].Order})
	first := s.runCommand(t, "orders", "--closed", "--limit", "1", "--json")
	require.Equal(t, rows[:1], parseRows[closedOrderRow](t, first.out))
	require.Contains(t, first.errors, "--before "+rows[0].Closed)
	require.Equal(t, rows[1:], readRows[closedOrderRow](t, s, "orders", "--closed", "--limit", "1", "--before", rows[0].Closed))
	require.Empty(t, readRows[closedOrderRow](t, s, "orders", "--closed", "--asset", "EUR"))

	for _, args := range [][]string{
		{"--before", "1h"},
		{"--closed", "--stuck", "1h"},
		{"--closed", "--limit", "-1"},
		{"--closed", "--limit", "4001"},
		{"--closed", "--before", "soon"},
	} {
		require.Equal(t, statusUsage, s.runCommand(t, append([]string{"orders"}, args...)...).status, args)
	}
}
