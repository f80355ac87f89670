package accounts_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// lastError returns the error that ends the reading of a statement.
func lastError(r io.Reader) (last error) {
	for _, last = range accounts.ReadCSV(r, usd) {
	}
	return last
}

// Files that would make Compare leave an amount out, or count an amount twice, are refused.
func TestReadCSVIsStrict(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	c := newStatementModel(t, l, 1, false)
	c.create(c.leg(chart.CodePacket, c.peers[1].ID(), 5, 77))
	var text bytes.Buffer
	require.NoError(t, accounts.WriteCSV(t.Context(), &text, c.statement(time.Time{}, time.Time{})))
	good := text.String()
	lines := strings.Split(good, "\n")
	require.NoError(t, lastError(strings.NewReader(good)))
	line := func(n int, old, now string) string {
		require.Contains(t, lines[n-1], old)
		changed := append([]string(nil), lines...)
		changed[n-1] = strings.Replace(changed[n-1], old, now, 1)
		return strings.Join(changed, "\n")
	}
	for _, c := range []struct {
		name, text string
		line       int
		column     string
	}{
		{"a kind that nobody knows", line(4, ",packet,", ",Packet,"), 4, "kind"},
		{"no kind", line(4, ",packet,", ",,"), 4, "kind"},
		{"a second opening balance", line(4, ",packet,", ",opening,"), 4, "kind"},
		{"a hold that moves something", line(4, ",packet,", ",hold,"), 4, "held"},
		{"a packet that holds something", line(4, "0.000000005,,", "0.000000005,0.000000005,"), 4, "held"},
		{"another line", line(4, "0.001000000", "0.002000000"), 4, "credit_line"},
		{"another line at the end", line(5, "0.001000000", "0.002000000"), 5, "credit_line"},
		{"a packet from before", line(4, "20", "19"), 4, "time"},
		{"the same moment twice", line(4, strings.Split(lines[3], ",")[0], strings.Split(lines[2], ",")[0]), 4, "time"},
		{"another asset at the beginning", line(2, "USD/9", "USD/2"), 2, "asset"},
		{"arrears below 0", line(4, lines[3], strings.TrimSuffix(lines[3], ",,,")+"-0.000000001,,,"), 4, "arrears"},
		{"arrears that are no amount", line(5, lines[4], strings.TrimSuffix(lines[4], ",,,")+"some,,,"), 5, "arrears"},
		{"a journal that is no number", line(4, lines[3], strings.TrimSuffix(lines[3], ",,,")+",4d,1,"), 4, "journal"},
		{"a round that is no number", line(4, lines[3], strings.TrimSuffix(lines[3], ",,,")+",000000000000004d,-1,"), 4, "round"},
		{"packets that are neither", line(4, lines[3], lines[3]+"here"), 4, "packets"},
		{"another asset at the end", line(5, "USD/9", "EUR/9"), 5, "asset"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := lastError(strings.NewReader(c.text))
			require.ErrorIs(t, err, accounts.ErrInvalid)
			var fault *accounts.CSVError
			require.ErrorAs(t, err, &fault)
			require.Equal(t, c.line, fault.LineNumber, fault)
			require.Equal(t, c.column, fault.Column, fault)
		})
	}
	fields := strings.Split(lines[3], ",")
	fields[11] = "yes" // late
	err := lastError(strings.NewReader(strings.Replace(good, lines[3], strings.Join(fields, ","), 1)))
	var fault *accounts.CSVError
	require.ErrorAs(t, err, &fault)
	require.Equal(t, "late", fault.Column)
	ledgertest.RequireNothingHeld(t, l)
}

// The error of a failing reader is no fault of the statement, wherever it fails.
func TestReadCSVOfAFailingReader(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	c := newStatementModel(t, l, 1, false)
	var text bytes.Buffer
	require.NoError(t, accounts.WriteCSV(t.Context(), &text, c.statement(time.Time{}, time.Time{})))
	away := errors.New("away")
	for _, n := range []int{0, 10, text.Len() / 2, text.Len()} {
		err := lastError(io.MultiReader(bytes.NewReader(text.Bytes()[:n]), iotest.ErrReader(away)))
		require.ErrorIs(t, err, away, n)
		require.NotErrorIs(t, err, accounts.ErrInvalid, n)
	}
	ledgertest.RequireNothingHeld(t, l)
}
