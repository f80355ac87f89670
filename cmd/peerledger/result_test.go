package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/transfers"
)

// The result has what we own at both ends, valued, and the gain. Its rows add up as they are printed.
func TestResult(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.runOK(t, "fund", "1000", "--asset", "EUR", "--key", "k", "--reason", "1", "--yes")
	s.forwardPacket(t, 3001) // one cent is ours
	s.openAsConnector(t, func(c *peerledger.Client, alice, _ accounts.PeerAccount) {
		eur := c.Book.Assets()[1]
		to, err := c.Book.PeerAccount("alice", eur)
		require.NoError(t, err)
		_, err = c.Recorder.Forward(t.Context(), transfers.Packet{From: alice, To: to, In: 1100, Out: 1000})
		require.NoError(t, err)
	})
	yesterday, tomorrow := time.Now().Add(-24*time.Hour).UTC().Format(time.RFC3339), time.Now().Add(24*time.Hour).UTC().Format(time.RFC3339)
	rates := writeFile(t, "from,asset,rate\n2020-01-01,USD,0.92\n"+tomorrow+",USD,0.955\n")
	period := []string{"result", "--from", yesterday, "--to", tomorrow, "--rates", rates, "--currency", "EUR"}
	rows := readRows[resultRow](t, s, period...)
	require.Len(t, rows, 3)
	usd, eur, total := rows[0], rows[1], rows[2]
	require.Equal(t, []string{"0.00", "11.00", "10.12", "0.01", "0.01", "0.38", "11.01", "0.955", "10.51"},
		[]string{usd.OpeningValue, usd.PacketsIn, usd.PacketsInValue, usd.Fees, usd.FeesValue, usd.Revaluation, usd.Closing, usd.ClosingRate, usd.ClosingValue})
	require.Equal(t, []string{"1000.00", "-10.00", "990.00", "1", "990.00"}, []string{eur.CapitalValue, eur.PacketsOut, eur.Closing, eur.ClosingRate, eur.ClosingValue})
	require.Equal(t, []string{"1000.00", "0.13", "0.38", "0.51", "1000.51"}, []string{total.CapitalValue, total.Trading, total.Revaluation, total.Gain, total.ClosingValue})
	exact := readRows[resultRow](t, s, append(period, "--exact")...)
	require.Equal(t, []string{"0.38535", "10.51455"}, []string{exact[0].Revaluation, exact[0].ClosingValue})

	packets := readRows[conversionRow](t, s, append(period, "--conversions")...)
	require.Len(t, packets, 1)
	require.Equal(t, []string{"USD/2", "11.00", "EUR/2", "10.00", "0.909090909090909091", "0.12"},
		[]string{packets[0].From, packets[0].In, packets[0].To, packets[0].Out, packets[0].Rate, packets[0].Margin})
	require.Contains(t, s.runOK(t, period...), "│ total │")
	require.Len(t, readRows[resultRow](t, s, append(period, "--asset", "EUR")...), 2)
}

// Wrong command lines end with status 2, and a missing rate names asset and moment.
func TestResultUsage(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.runOK(t, "fund", "1", "--asset", "EUR", "--key", "k", "--reason", "1", "--yes")
	for want, args := range map[string][]string{
		"give --month, or both":                 {},
		"--month stands in place":               {"--month", "2026-11", "--from", "2026-11-01"},
		"--prices needs --currency":             {"--month", "2026-11", "--prices"},
		"prints directives, and no -o":          {"--month", "2026-11", "--prices", "--currency", "EUR", "-o", "csv"},
		"counts for a whole day":                {"--month", "2026-11", "--prices", "--currency", "EUR", "--rates", writeFile(t, "from,asset,rate\n2026-11-02T12:00:00Z,USD,1\n")},
		"--prices and --conversions contradict": {"--month", "2026-11", "--prices", "--conversions"},
		"needs all assets":                      {"--month", "2026-11", "--conversions", "--asset", "EUR"},
		"is no month":                           {"--month", "11/2026"},
		"there is no such asset":                {"--month", "2026-11", "--rate", "GBP=1"},
		"must be above 0":                       {"--month", "2026-11", "--rate", "USD"},
		"no such file":                          {"--month", "2026-11", "--rates", "/nonexistent/rates.csv"},
		"the columns must be from,asset,rate":   {"--month", "2026-11", "--rates", writeFile(t, "a,b,c\n")},
		"--decimals must be 0 to 40":            {"--month", "2026-11", "--decimals", "41"},
		"there is no rate of EUR/2 at 20":       {"--from", "2020-01-01", "--to", "2040-01-01", "--rate", "USD=1"},
		"must be after From":                    {"--from", "2020-01-02", "--to", "2020-01-01"},
	} {
		got := s.runCommand(t, append([]string{"result"}, args...)...)
		require.Equal(t, statusUsage, got.status, "%v: %s", args, got.errors)
		require.Contains(t, got.errors, want)
	}
}

// Hledger values an export with the prices of the same period as the result does.
func TestPricesInHledger(t *testing.T) {
	t.Parallel()
	hledger, err := exec.LookPath("hledger")
	if err != nil {
		t.Skip("needs hledger: .ci/install debian")
	}
	version, err := exec.CommandContext(t.Context(), hledger, "--version").Output()
	require.NoError(t, err)
	t.Logf("took part: %s", strings.TrimSpace(string(version)))
	s := newTestLedger(t)
	for _, line := range []string{"fund 1000.07 --asset EUR --key k", "fund 123.45 --asset USD --key k", "withdraw 23.40 --asset USD --key w"} {
		s.runOK(t, append(strings.Fields(line), "--reason", "1", "--yes")...)
	}
	s.forwardPacket(t, 3001)
	dir := t.TempDir()
	day := time.Now().UTC().Truncate(24 * time.Hour)
	from, to := day.AddDate(0, 0, -1).Format(time.DateOnly), day.AddDate(0, 0, 2).Format(time.DateOnly)
	rates := writeFile(t, "from,asset,rate\n2020-01-01,USD,0.92\n"+to+",USD,0.955\n")
	period := []string{"--from", from, "--to", to}
	s.runOK(t, append([]string{"export", filepath.Join(dir, "books.journal"), "--format", "hledger"}, period...)...)
	result := append([]string{"result", "--rates", rates, "--currency", "EUR"}, period...)
	prices := s.runOK(t, append(result, "--prices")...)
	require.Equal(t, "P "+from+" \"USD.2\" 0.92 \"EUR\"\nP "+to+" \"USD.2\" 0.955 \"EUR\"\nP "+from+" \"EUR.2\" 1 \"EUR\"\n", prices)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "prices.journal"), []byte(prices), 0o600))
	rows := readRows[resultRow](t, s, append(result, "--exact")...)
	output, err := exec.CommandContext(t.Context(), hledger, "-f", filepath.Join(dir, "books.journal"), "-f", filepath.Join(dir, "prices.journal"),
		"balance", "Liquidity", "Revenue", "Dust", "--value="+to+",EUR", "--commodity-style=1.0000 \"EUR\"", "--invert", "--output-format", "csv", "--layout=bare").CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.Contains(t, string(output), "\"EUR\",\""+rows[len(rows)-1].ClosingValue+"\"\n", "%s", output)
}
