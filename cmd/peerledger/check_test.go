package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/bookcheck"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
)

// pluginLine is a line as the guidelines of monitoring plugins want it: the status, the text, and the
// performance data. The text has no bar.
var pluginLine = regexp.MustCompile(`^PEERLEDGER (OK|WARNING|CRITICAL|UNKNOWN) - [^|\n]+( \|( \w+=-?[0-9.]+(s|%)?(;[0-9.]*){0,2})+)?\n$`)

// check runs the command and returns the result, whose output is one line of a plugin.
func (s testLedger) check(t *testing.T, args ...string) outcome {
	t.Helper()
	got := s.runCommand(t, append([]string{"check"}, args...)...)
	require.Regexp(t, pluginLine, got.out)
	require.Empty(t, got.errors)
	require.Equal(t, got.status, map[string]int{"OK": 0, "WARNING": 1, "CRITICAL": 2, "UNKNOWN": 3}[pluginLine.FindStringSubmatch(got.out)[1]])
	return got
}

func TestCheckOfHealthyBooks(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	got := s.check(t)
	require.Equal(t, "PEERLEDGER OK - no problem | "+
		"peers_USD_2=2 line_used_USD_2=30%;80;95 peers_in_arrears_USD_2=0 arrears_USD_2=0.00;0 suspense_USD_2=0.00;0 "+
		"orders_USD_2=0 orders_stuck_USD_2=0 oldest_order_USD_2=0s;600;3600 unbalanced_USD_2=0;;0 "+
		"peers_EUR_2=1 line_used_EUR_2=0%;80;95 peers_in_arrears_EUR_2=0 arrears_EUR_2=0.00;0 suspense_EUR_2=0.00;0 "+
		"orders_EUR_2=0 orders_stuck_EUR_2=0 oldest_order_EUR_2=0s;600;3600 unbalanced_EUR_2=0;;0\n", got.out)
	require.NotContains(t, s.check(t, "--asset", "EUR", "--no-trial-balance").out, "USD")
	require.NotContains(t, s.check(t, "--no-trial-balance").out, "unbalanced")
}

func TestCheckOfCreditLines(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 5000)
	s.openAsConnector(t, func(c *peerledger.Client, alice, bob accounts.PeerAccount) {
		_, err := c.Recorder.Prepare(t.Context(), transfers.Packet{From: alice, To: bob, In: 3000, Out: 3000, Expiry: time.Now().Add(time.Hour)})
		require.NoError(t, err) // held packets use the line too
	})
	for _, test := range []struct {
		args   []string
		status bookcheck.Status
	}{
		{nil, bookcheck.Warning},
		{[]string{"--line-warning", "81%"}, bookcheck.OK},
		{[]string{"--line-warning", "80"}, bookcheck.Warning},
		{[]string{"--line-critical", "80%"}, bookcheck.Critical},
		{[]string{"--line-critical", "81"}, bookcheck.Warning},
	} {
		got := s.check(t, test.args...)
		require.Equal(t, int(test.status), got.status, "%v: %s", test.args, got.out)
		require.Equal(t, test.status != bookcheck.OK, strings.Contains(got.out, "alice has used 80% of its line in USD/2"), got.out)
	}
	s.runOK(t, "peers", "suspend", "alice@USD", "--yes")
	require.Equal(t, int(bookcheck.OK), s.check(t).status, "a suspended peer needs no line")
}

func TestCheckOfArrearsAndSuspense(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.runOK(t, "adjust", "debit", "bob@USD", "7", "--key", "a", "--reason", "1", "--beyond-headroom", "--yes")
	s.runOK(t, "peers", "close", "alice@EUR", "--yes")
	s.runOK(t, "settle", "received", "alice@EUR", "25", "--key", "wire", "--yes")
	got := s.check(t)
	require.Equal(t, int(bookcheck.Warning), got.status)
	require.Contains(t, got.out, "PEERLEDGER WARNING - bob is in arrears with 7.00 USD; 25.00 EUR waits in suspense for alice |")
	require.Contains(t, got.out, " peers_in_arrears_USD_2=1 arrears_USD_2=7.00;0 ")
	require.Contains(t, got.out, " suspense_EUR_2=25.00;0 ")

	got = s.runCommand(t, "check", "-o", "json", "--asset", "USD")
	require.Equal(t, int(bookcheck.Warning), got.status)
	require.Equal(t, `{"json":1,"status":"warning","code":1,"text":"PEERLEDGER WARNING - bob is in arrears with 7.00 USD",`+
		`"findings":[{"status":"warning","check":"arrears","text":"bob is in arrears with 7.00 USD"}],"perfdata":[`+
		`{"label":"peers_USD_2","value":"2"},{"label":"line_used_USD_2","value":"0","unit":"%","warning":"80","critical":"95"},`+
		`{"label":"peers_in_arrears_USD_2","value":"1"},{"label":"arrears_USD_2","value":"7.00","warning":"0"},`+
		`{"label":"suspense_USD_2","value":"0.00","warning":"0"},{"label":"orders_USD_2","value":"0"},{"label":"orders_stuck_USD_2","value":"0"},`+
		`{"label":"oldest_order_USD_2","value":"0","unit":"s","warning":"600","critical":"3600"},{"label":"unbalanced_USD_2","value":"0","critical":"0"}]}`+"\n", got.out)
	require.Equal(t, got, s.runCommand(t, "check", "--json", "--asset", "USD"))
	require.Contains(t, s.runCommand(t, "check", "--json", "--asset", "EUR").out, `"findings":[{`)
}

// A packet between assets takes the liquidity of an asset below 0.
func TestCheckOfLiquidity(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	require.Equal(t, int(bookcheck.OK), s.check(t).status)
	s.openAsConnector(t, func(c *peerledger.Client, alice, _ accounts.PeerAccount) {
		euros := accounts.Asset{Code: "EUR", Scale: 2, Ledger: 2}
		inEuros, err := c.Book.PeerAccount("alice", euros)
		require.NoError(t, err)
		held, err := c.Recorder.Prepare(t.Context(), transfers.Packet{From: alice, To: inEuros, In: 110, Out: 100, Expiry: time.Now().Add(time.Hour)})
		require.NoError(t, err)
		_, err = c.Recorder.Fulfill(t.Context(), held.Packet)
		require.NoError(t, err)
	})
	got := s.check(t)
	require.Equal(t, int(bookcheck.Warning), got.status)
	require.Contains(t, got.out, "PEERLEDGER WARNING - we are short of EUR/2: the liquidity is -1.00 |")
	require.Equal(t, int(bookcheck.OK), s.check(t, "--asset", "USD").status)
}

// A wrong namespace is not taken for books without a fault.
func TestCheckOfMissingPeers(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	require.NoError(t, os.WriteFile(s.config, []byte(configuration+"  - {id: carol, asset: EUR}\n"), 0o600))
	got := s.check(t)
	require.Equal(t, int(bookcheck.Warning), got.status)
	require.Contains(t, got.out, "WARNING - carol in EUR/2 is configured, and not in the ledger |")
	require.NoError(t, os.WriteFile(s.config, []byte(strings.Replace(configuration, "namespace: test", "namespace: best", 1)), 0o600))
	got = s.check(t)
	require.Equal(t, int(bookcheck.Warning), got.status)
	require.Contains(t, got.out, "alice in USD/2 is configured, and not in the ledger; bob in USD/2 is")
}

func TestCheckOfOrders(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	id := s.leaveOrderOpen(t)
	got := s.check(t)
	require.Equal(t, int(bookcheck.OK), got.status, got.out)
	require.Contains(t, got.out, " orders_USD_2=1 orders_stuck_USD_2=0 ")
	got = s.check(t, "--stuck-warning", "1ns")
	require.Equal(t, int(bookcheck.Warning), got.status)
	require.Contains(t, got.out, "order "+id+" of ")
	require.Contains(t, got.out, " USD to bob is open for ")
	require.Contains(t, got.out, " orders_USD_2=1 orders_stuck_USD_2=1 ")
	require.Equal(t, int(bookcheck.Critical), s.check(t, "--stuck-warning", "1ns", "--stuck-critical", "2ns").status)
}

// Whatever keeps the command from a verdict is unknown, and on standard output.
func TestCheckWithoutVerdict(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	for _, args := range [][]string{
		{"--line-warning", "0"},
		{"--line-warning", "101%"},
		{"--line-critical", "most"},
		{"--line-warning", "90", "--line-critical", "80"},
		{"--stuck-warning", "2h"},
		{"-o", "table"},
		{"--asset", "GBP"},
		{"alice"},
		{"--frob"},
	} {
		require.Equal(t, int(bookcheck.Unknown), s.check(t, args...).status, args)
	}
	l, err := embedded.Open(s.folder)
	require.NoError(t, err)
	got := s.check(t)
	require.Equal(t, int(bookcheck.Unknown), got.status)
	require.Contains(t, got.out, "in use")
	got = s.runCommand(t, "check", "-o", "json")
	require.True(t, json.Valid([]byte(got.out)))
	require.Contains(t, got.out, `"status":"unknown","code":3`)
	require.NoError(t, l.Close())
}

// The trial balance finds a spoilt ledger, and books that move too fast are unknown.
func TestCheckOfTrialBalance(t *testing.T) {
	t.Parallel()
	cfg, err := parseConfig([]byte(configuration))
	require.NoError(t, err)
	for status, disturb := range map[bookcheck.Status]func(ledger.Ledger) ledger.Ledger{
		bookcheck.Critical: func(l ledger.Ledger) ledger.Ledger { return spoilt{l} },
		bookcheck.Unknown:  func(l ledger.Ledger) ledger.Ledger { return moving{l, new(uint64)} },
	} {
		l := embedded.New()
		book, err := accounts.NewBook(l, cfg.toBookConfig())
		require.NoError(t, err)
		_, err = book.Provision(t.Context())
		require.NoError(t, err)
		book, err = accounts.NewBook(disturb(l), cfg.toBookConfig())
		require.NoError(t, err)
		var r bookReport
		require.NoError(t, (&session{cfg: cfg, book: book}).checkTrialBalance(t.Context(), book.Assets()[0], &r))
		require.Equal(t, status, r.Status)
		require.Equal(t, bookcheck.TrialBalance, r.Findings[0].Check)
		require.NoError(t, l.Close())
	}
}

func TestCheckLine(t *testing.T) {
	t.Parallel()
	var r bookReport
	r.add(bookcheck.Finding{Status: bookcheck.Unknown, Check: bookcheck.TrialBalance, Text: "moved | too\nfast"})
	require.Equal(t, bookcheck.Unknown, r.Status)
	for range 3 {
		r.add(bookcheck.Finding{Status: bookcheck.Warning, Check: bookcheck.Arrears, Text: "w"})
	}
	require.Equal(t, bookcheck.Warning, r.Status, "a known problem outweighs an unknown answer")
	r.add(bookcheck.Finding{Status: bookcheck.OK, Check: bookcheck.Arrears, Text: "nothing"})
	for range 3 {
		r.add(bookcheck.Finding{Status: bookcheck.Critical, Check: bookcheck.TrialBalance, Text: "c"})
	}
	r.add(bookcheck.Finding{Status: bookcheck.Warning, Check: bookcheck.Arrears, Text: "w"})
	var out bytes.Buffer
	err := (&app{stdout: &out}).showCheck(r)
	require.Equal(t, int(bookcheck.Critical), (&app{stdout: &out}).endCheck(err))
	require.Equal(t, "PEERLEDGER CRITICAL - c; c; c; w; w; and 3 more\n", out.String())

	out.Reset()
	require.Equal(t, int(bookcheck.Unknown), (&app{stdout: &out}).endCheck(context.DeadlineExceeded))
	require.Equal(t, "PEERLEDGER UNKNOWN - context deadline exceeded\n", out.String())
	require.Equal(t, "PEERLEDGER UNKNOWN - moved / too fast", formatPlugin(bookReport{Text: "PEERLEDGER UNKNOWN - moved | too\nfast"}))
}
