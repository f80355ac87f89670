package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Peers that are suspended, closed or in arrears are listed with the fields that are promised; the others are not.
func TestStandingOfPeers(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	require.Empty(t, s.runOK(t, "peers", "standing", "--json"))
	s.runOK(t, "peers", "suspend", "alice@USD", "--reason", "7", "--yes")
	s.runOK(t, "adjust", "debit", "alice@USD", "150", "--key", "k", "--reason", "1", "--beyond-headroom", "--yes")
	s.runOK(t, "peers", "close", "bob@USD", "--yes")
	require.Equal(t, `{"json":1,"peer":"alice","asset":"USD/2","suspended_since":"TIME","reason":7,"arrears_since":"TIME","arrears":"50.00"}
{"json":1,"peer":"bob","asset":"USD/2","suspended_since":"TIME","closed_since":"TIME","arrears":"0.00"}
`, blankOut(s.runOK(t, "peers", "standing", "--json")))
	require.Len(t, readRows[standingRow](t, s, "peers", "standing", "bob@USD", "alice@EUR"), 1)
	require.Contains(t, s.runOK(t, "peers", "standing", "alice@USD"), "50.00 │")
	s.runOK(t, "peers", "resume", "alice@USD", "--yes")
	rows := readRows[standingRow](t, s, "peers", "standing", "alice@USD")
	require.Empty(t, rows[0].SuspendedSince)
	require.Zero(t, rows[0].Reason)
}
