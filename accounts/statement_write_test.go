package accounts_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

func testStatementWritten(t *testing.T, l ledger.Ledger) {
	c := newStatementModel(t, l, ledgertest.Seed(t), false)
	for range 40 {
		c.step()
	}
	s := c.statement(time.Time{}, time.Time{}, accounts.WithHolds())
	want := collectEntries(t, s.Entries(t.Context()))
	var text bytes.Buffer
	require.NoError(t, accounts.WriteCSV(t.Context(), &text, s))
	got := collectEntries(t, accounts.ReadCSV(bytes.NewReader(text.Bytes()), usd))
	require.Len(t, got, len(want))
	for i := range got {
		require.Equal(t, want[i].Counterparty.String(), got[i].Counterparty.String())
		got[i].Counterparty = want[i].Counterparty
		require.Equal(t, inText(want[i]), inText(got[i]))
	}
	for line := range strings.Lines(text.String()) {
		for field := range strings.SplitSeq(line, ",") {
			require.NotContains(t, "=+@", field[:min(1, len(field))]+"x"[:1-min(1, len(field))], "a formula to a spreadsheet")
		}
	}

	var object struct {
		Peer, Asset      string
		Opening, Closing struct{ Position, Arrears string }
		Entries          []struct{ Amount, Position string }
	}
	text.Reset()
	require.NoError(t, accounts.WriteJSON(t.Context(), &text, s))
	require.NoError(t, json.Unmarshal(text.Bytes(), &object))
	require.Equal(t, "alice", object.Peer)
	require.Len(t, object.Entries, len(want))
	require.Equal(t, object.Entries[len(want)-1].Position, object.Closing.Position)
}
