package accounts_test

import (
	"bytes"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
)

func TestReadCSVNamesTheFault(t *testing.T) {
	t.Parallel()
	c := newStatementModel(t, newLedger(t), 1, false)
	c.create(c.leg(chart.CodePacket, c.peers[1].ID(), 5, 77))
	var text bytes.Buffer
	require.NoError(t, accounts.WriteCSV(t.Context(), &text, c.statement(time.Time{}, time.Time{})))
	good := text.String()
	row := strings.Split(good, "\n")[3]
	for _, c := range []struct {
		old, new string
		line     int
		column   string
	}{
		{"time,kind", "when,kind", 1, ""},
		{",opening,", ",packet,", 2, "kind"},
		{row + "\n", "", 4, "position"},
		{row, row + ",more", 4, ""},
		{"0.000000005,,0.000000005", "0.000000005,,0.000000006", 4, "position"},
		{"0.000000005,,", "0.0000000055,,", 4, "amount"},
		{"0.000000005,,", "1e5,,", 4, "amount"},
		{",USD/9,0.000000005", ",USD/2,0.000000005", 4, "asset"},
		{"0000004d00000000", "4d", 4, "condition"},
		{"closing,USD/9,,,0.000000005", "closing,USD/9,,,0.000000004", 5, "position"},
		{row, strings.Replace(row, "2", "x", 1), 4, "time"},
		{row, strings.Replace(row, ",out,", ",up,", 1), 4, "direction"},
		{row, strings.TrimSuffix(row, ",,,,") + "invoice 17,,,,", 4, "key"},
		{row, strings.Replace(row, ",out,", ",out,xyz", 1), 4, "key_hash"},
	} {
		require.Contains(t, good, c.old)
		bad := strings.Replace(good, c.old, c.new, 1)
		var last error
		for _, last = range accounts.ReadCSV(strings.NewReader(bad), usd) {
		}
		require.ErrorIs(t, last, accounts.ErrInvalid, c)
		var fault *accounts.CSVError
		require.ErrorAs(t, last, &fault)
		require.Equal(t, c.line, fault.LineNumber, fault)
		require.Equal(t, c.column, fault.Column, fault)
	}
	cut := good[:strings.Index(good, row)+len(row)+1]
	var last error
	for _, last = range accounts.ReadCSV(strings.NewReader(cut), usd) {
	}
	require.ErrorContains(t, last, "line 5 is missing")
	for _, last = range accounts.ReadCSV(strings.NewReader(good+row+"\n"), usd) {
	}
	require.ErrorContains(t, last, "line 6 follows the closing balance")
}

func FuzzReadCSV(f *testing.F) {
	f.Add([]byte("time,kind,asset\n"))
	header := "time,kind,asset,amount,held,position,credit_line,counterparty,packet,condition,order,late,reason,transfer,code\n"
	valid := header + ",opening,USD/9,,,0,0,,,,,,,,\n" +
		"2026-01-01T00:00:00Z,credit line,USD/9,0,,0,7,line,,,,,,9,40\n" +
		"2026-01-01T00:00:01Z,hold,USD/9,0,5,0,7,peer bob,1,c0ffee0000000000,,,,2,1\n" +
		"2026-01-01T00:00:02Z,packet,USD/9,5,,5,7,peer bob,1,c0ffee0000000000,,,,3,1\n" +
		"2026-01-01T00:00:03Z,correction,USD/9,-2.5,,2.5,7,suspense,1,c0ffee0000000000,,late,,4,5\n,closing,USD/9,,,2.5,7,,,,,,,,\n"
	require.NoError(f, lastError(strings.NewReader(valid)))
	f.Add([]byte(valid))
	f.Add([]byte("\ufeff" + strings.ReplaceAll(valid, "\n", ",,,\n")))
	f.Fuzz(func(t *testing.T, text []byte) {
		sum := new(big.Int)
		var opening *big.Int
		var all []accounts.Entry
		for e, err := range accounts.ReadCSV(bytes.NewReader(text), usd) {
			if err != nil {
				return
			}
			if opening == nil {
				opening = new(big.Int).Sub(e.Position, e.Amount)
			}
			sum.Add(sum, e.Amount)
			require.Zero(t, new(big.Int).Add(opening, sum).Cmp(e.Position))
			all = append(all, e)
		}
		got, err := accounts.Compare(entriesOf(all...), entriesOf(mirrorEntries(all)...))
		require.NoError(t, err)
		require.Zero(t, sum.Cmp(got.Ours), "Compare takes in all that the positions moved by")
		require.Empty(t, got.Differences)
	})
}
