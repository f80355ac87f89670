package accounts_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// A statement read from JSON has the entries of the same statement read from CSV.
func TestReadJSON(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	m := newStatementModel(t, l, ledgertest.Seed(t), false)
	for range 200 {
		m.step()
	}
	s := m.statement(time.Time{}, time.Time{}, accounts.WithHolds(), accounts.WithKnownKeys("k"))
	var asCSV, asJSON bytes.Buffer
	require.NoError(t, accounts.WriteCSV(t.Context(), &asCSV, s))
	require.NoError(t, accounts.WriteJSON(t.Context(), &asJSON, s))
	want := collectEntries(t, accounts.ReadCSV(&asCSV, usd))
	require.NotEmpty(t, want)
	require.Equal(t, want, collectEntries(t, accounts.ReadJSON(bytes.NewReader(asJSON.Bytes()), usd)))
	require.Equal(t, want, collectEntries(t, accounts.ReadJSON(strings.NewReader("\ufeff"+asJSON.String()), usd)), "with a byte order mark")
	n := 0
	for _, err := range accounts.ReadJSON(&asJSON, usd) {
		require.NoError(t, err)
		n++
		break
	}
	require.Equal(t, 1, n)
}

func TestReadJSONNamesTheFault(t *testing.T) {
	t.Parallel()
	m := newStatementModel(t, newLedger(t), 1, false)
	m.create(m.leg(chart.CodePacket, m.peers[1].ID(), 5, 77))
	var text bytes.Buffer
	require.NoError(t, accounts.WriteJSON(t.Context(), &text, m.statement(time.Time{}, time.Time{})))
	good := text.String()
	lines := strings.Split(good, "\n")
	require.Len(t, lines, 6, "opening, the array, credit line, packet, closing, and the end of the file")
	for _, c := range []struct {
		old, new string
		line     int
		reason   string
	}{
		{`"format":1`, `"format":2`, 1, "has the format 2, want 1"},
		{`"format":1`, `"form":1`, 1, "unknown field"},
		{`"scale":9`, `"scale":2`, 1, "asset"},
		{`"amount":"0.000000005"`, `"amount":"0.000000006"`, 4, "position"},
		{`"amount":"0.000000005"`, `"amount":0.000000005`, 4, "cannot be read"},
		{`"kind":"packet"`, `"kind":"parcel"`, 4, "kind"},
		{lines[2], `{"x":1},`, 1, `unknown field "x"`},
		{lines[2], `{},`, 3, "amount"},
		{"],\n" + lines[4], "]}", 5, "without its closing balance"},
		{lines[4], "", 6, "cannot be read"},
		{lines[4], lines[4] + "{}", 6, "follows the statement"},
	} {
		require.Contains(t, good, c.old)
		var last error
		for _, last = range accounts.ReadJSON(strings.NewReader(strings.Replace(good, c.old, c.new, 1)), usd) {
		}
		var fault *accounts.CSVError
		require.ErrorAs(t, last, &fault, c.old)
		require.ErrorIs(t, last, accounts.ErrInvalid)
		require.Equal(t, c.line, fault.LineNumber, fault)
		require.ErrorContains(t, last, c.reason)
	}
	for _, last := range accounts.ReadJSON(iotest.ErrReader(iotest.ErrTimeout), usd) {
		require.ErrorIs(t, last, iotest.ErrTimeout)
	}
}
