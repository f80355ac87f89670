package main

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

// promise is what a command of the books promises beyond commandLines. Lines are run in the ledger of
// newPromiseLedger; ORDER is its open order, APPROVAL an order that waits for approval, and TARGET a new path.
type promise struct {
	refused string // a right command line that the books refuse: status 1; "" if they refuse nothing
	written string // a right command line that writes, with --yes; "" if the command writes nothing
	absent  string // the line of something that is not there, if that is no peer
}

// promises has every command of the books. A new command fails TestEveryCommandIsPromised until it is here.
var promises = map[string]promise{
	"balances": {}, "statement": {}, "orders": {}, "watch": {}, "console": {}, "peers": {}, "holds": {}, "limits": {}, "exposure": {}, "history": {}, "chart": {},
	"check": {}, "trial-balance": {}, "settle announced": {}, "settle pauses": {}, "peers standing": {}, "engines run": {},
	"compare": {absent: "compare alice@USD /nonexistent"},
	"audit":   {},
	"result":  {},
	"find":    {absent: "find 00000000000000000000000000000abc"},

	"peers suspend":         {written: "peers suspend alice@USD"},
	"peers resume":          {written: "peers resume carol@USD"},
	"peers close":           {refused: "peers close alice@USD", written: "peers close fred@EUR"},
	"peers reopen":          {written: "peers reopen dave@USD"},
	"peers add":             {written: "peers add erin --asset EUR --credit-line 5"},
	"peers provision":       {written: "peers provision"},
	"credit set":            {refused: "credit set alice@USD 5 --if-line 6", written: "credit set alice@USD 500"},
	"credit extend":         {refused: "credit extend alice@USD 5 --if-line 6", written: "credit extend alice@USD 5"},
	"credit revoke":         {refused: "credit revoke alice@USD 99", written: "credit revoke alice@USD 5"},
	"settle received":       {refused: "settle received alice@USD 6 --key taken", written: "settle received alice@USD 5 --key k"},
	"settle import":         {written: "settle import testdata/bank_peers.csv"},
	"settle paid":           {refused: "settle paid bob@USD 500 --key k", written: "settle paid alice@USD 1 --key k"},
	"settle returned":       {refused: "settle returned alice@USD 500 --key k --payment taken", written: "settle returned alice@USD 2 --key k --payment taken"},
	"settle resolve":        {refused: "settle resolve bob@USD 00000000000000000000000000000abc 5", written: "settle resolve bob@USD ORDER 5"},
	"settle cancel":         {refused: "settle cancel bob@USD ORDER", written: "settle cancel bob@USD ORDER --force"},
	"settle approve":        {refused: "settle approve bob@USD ORDER", written: "settle approve carol@USD APPROVAL"},
	"settle now":            {},
	"settle refund":         {refused: "settle refund bob@USD --pay-with true"},
	"settle release":        {refused: "settle release dave@USD", written: "settle release gina@USD"},
	"settle announce":       {written: "settle announce alice@USD 5 --key k"},
	"settle failed":         {refused: "settle failed alice@USD --key taken", written: "settle failed alice@USD --key open"},
	"settle pause":          {written: "settle pause chain"},
	"settle resume":         {written: "settle resume bank"},
	"settle stop":           {written: "settle stop"},
	"settle start":          {},
	"adjust credit":         {refused: "adjust credit alice@USD 5 --key taken --reason 1", written: "adjust credit alice@USD 5 --key k --reason 1"},
	"adjust debit":          {refused: "adjust debit alice@USD 500 --key k --reason 1", written: "adjust debit alice@USD 5 --key k --reason 1"},
	"adjust write-off":      {refused: "adjust write-off alice@USD 5 --key k --reason 1", written: "adjust write-off alice@EUR 1 --key k --reason 1"},
	"import rafiki":         {written: "import rafiki testdata/import/rafiki.json --reason 1"},
	"import interledger-rs": {refused: "import interledger-rs testdata/import/interledger-rs-used.json --reason 1", written: "import interledger-rs testdata/import/interledger-rs-accounts.json testdata/import/interledger-rs-balances.json --reason 1"},
	"fund":                  {refused: "fund 5 --asset USD --key taken --reason 1", written: "fund 5 --asset USD --key k --reason 1"},
	"withdraw":              {refused: "withdraw 9999 --asset USD --key k --reason 1", written: "withdraw 1 --asset USD --key k --reason 1"},
}

// promiseConfiguration has each thing that a configuration can have and that needs no engine.
const promiseConfiguration = `
namespace: test
assets:
  - {code: USD, scale: 2, ledger: 1, limit: {day: "1000"}, peer_limit: {order: "500", approve_above: "400"}}
  - {code: EUR, scale: 2, ledger: 2}
peers:
  - {id: alice, asset: USD, credit_line: "100", settle_at: "50", settle_to: "10"}
  - {id: bob, asset: USD, settle_at: "20"}
  - {id: alice, asset: EUR}
  - {id: carol, asset: USD, credit_line: "100"}
  - {id: fred, asset: EUR}
  - {id: gina, asset: USD}
  - {id: dave, asset: USD}
reasons: {refund: 7, capital: 1}
` + bankConfiguration

// promiseLedger is a ledger in which each list has rows.
type promiseLedger struct {
	testLedger
	order, approval string // ids of open orders of bob and carol
}

// newPromiseLedger makes a ledger with holds, orders, announcements, vouchers, pauses, and peers in each state.
func newPromiseLedger(t *testing.T) promiseLedger {
	t.Helper()
	dir := t.TempDir()
	s := promiseLedger{testLedger: testLedger{config: filepath.Join(dir, "peerledger.yaml"), folder: filepath.Join(dir, "ledger")}}
	require.NoError(t, os.WriteFile(s.config, []byte(promiseConfiguration), 0o600))
	s.runOK(t, "peers", "provision", "--yes")
	for _, line := range []string{
		"fund 300 --asset USD --key taken --reason 1", "settle received alice@USD 5 --key taken", "settle announce alice@USD 5 --key open",
		"adjust credit alice@USD 1 --key taken --reason 7", "adjust debit alice@EUR 3 --key arrears --reason 1 --beyond-headroom", "settle pause bank",
	} {
		s.runOK(t, append(strings.Fields(line), "--yes")...)
	}
	s.forwardPacket(t, 3001)
	s.placeOrders(t)
	s.openAsConnector(t, func(c *peerledger.Client, alice, bob accounts.PeerAccount) {
		_, err := c.Recorder.Prepare(t.Context(), transfers.Packet{From: alice, To: bob, In: 310, Out: 300, Hold: time.Hour, Condition: [32]byte{1, 2, 3}})
		require.NoError(t, err)
		_, err = c.Settlement.RecordVoucher(t.Context(), settlement.Voucher{Account: alice, Channel: "channel", Cumulative: ledger.NewAmount(200)})
		require.NoError(t, err)
	})
	s.runOK(t, "peers", "suspend", "carol@USD", "--reason", "refund", "--yes")
	for _, line := range []string{"peers close dave@USD", "peers close gina@USD", "settle received gina@USD 5 --key late", "peers reopen gina@USD"} {
		s.runOK(t, append(strings.Fields(line), "--yes")...)
	}
	return s
}

// placeOrders leaves an order to bob open, one to carol that waits for approval, and one of bob closed.
func (s *promiseLedger) placeOrders(t *testing.T) {
	t.Helper()
	id := s.leaveOrderOpen(t)
	s.runOK(t, "settle", "resolve", "bob@USD", id, "30", "--yes")
	s.forwardPacket(t, 3001)
	s.order = s.leaveOrderOpen(t)
	s.openAsConnector(t, func(c *peerledger.Client, alice, _ accounts.PeerAccount) {
		usd, _ := c.Book.Asset(alice.Ledger())
		carol, err := c.Book.PeerAccount("carol", usd)
		require.NoError(t, err)
		held, err := c.Recorder.Prepare(t.Context(), transfers.Packet{From: alice, To: carol, In: 500, Out: 500, Expiry: time.Now().Add(time.Minute)})
		require.NoError(t, err)
		_, err = c.Recorder.Fulfill(t.Context(), held.Packet)
		require.NoError(t, err)
		engine, err := settlement.NewEngine(c.Ledger, c.Book, settlement.Config{
			Manual: true, Instance: "approved", Policies: settlement.Policies{Default: settlement.Threshold{SettleThreshold: ledger.NewAmount(100)}},
			Rails: settlement.Rails{Default: &settlement.Rail{Settler: settlement.SettlerFunc(func(context.Context, settlement.Order) (ledger.Amount, error) {
				return ledger.Amount{}, settlement.ErrPending
			})}},
			AssetPayoutLimits: map[accounts.Asset]settlement.PayoutLimit{usd: {ApproveAbove: ledger.NewAmount(100)}},
		})
		require.NoError(t, err)
		_, err = engine.Settle(t.Context(), carol)
		require.ErrorIs(t, err, settlement.ErrAwaitsApproval)
		require.ErrorIs(t, engine.Close(t.Context()), settlement.ErrOrdersOpen)
	})
	for _, o := range readRows[orderRow](t, s.testLedger, "orders", "carol@USD") {
		s.approval = o.Order
	}
	require.NotEmpty(t, s.approval)
}

// copyLedger copies the ledger, so that a command cannot disturb another one.
func (s promiseLedger) copyLedger(t *testing.T) promiseLedger {
	t.Helper()
	dir := t.TempDir()
	copied := s
	copied.config, copied.folder = filepath.Join(dir, "peerledger.yaml"), filepath.Join(dir, "ledger")
	require.NoError(t, os.CopyFS(copied.folder, os.DirFS(s.folder)))
	for _, name := range []string{"peerledger.yaml", defaultOperatorJournal} {
		content, err := os.ReadFile(filepath.Join(filepath.Dir(s.config), name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	return copied
}

// fill replaces the placeholders of a line.
func (s promiseLedger) fill(line string) []string {
	return strings.Fields(strings.NewReplacer("ORDER", s.order, "APPROVAL", s.approval, "TARGET", s.folder+"-target").Replace(line))
}

// visitCommands calls visit with each command of the tree that is ours.
func visitCommands(visit func(cmd *cobra.Command)) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Name() == "completion" && cmd.HasParent() { // cobra's
			return
		}
		visit(cmd)
		for _, child := range cmd.Commands() {
			walk(child)
		}
	}
	walk((&app{}).newRootCommand())
}

// Each command of the books is in promises, and says what it writes if it can write.
func TestEveryCommandIsPromised(t *testing.T) {
	t.Parallel()
	require.ElementsMatch(t, slices.Collect(maps.Keys(commandLines.books)), slices.Collect(maps.Keys(promises)))
	unwritable := []string{"settle now", "settle refund", "settle start"} // TestPaysBy... has the payments; nothing is stopped here
	visitCommands(func(cmd *cobra.Command) {
		name := strings.TrimPrefix(cmd.CommandPath(), "peerledger ")
		p, isOfBooks := promises[name]
		if isOfBooks && cmd.Flags().Lookup("yes") != nil && !slices.Contains(unwritable, name) {
			require.NotEmpty(t, p.written, name)
		}
	})
}

// Each command has a help text and an example, and the examples are right command lines.
func TestExamples(t *testing.T) {
	t.Parallel()
	visitCommands(func(cmd *cobra.Command) {
		path := cmd.CommandPath()
		require.NotEmpty(t, cmd.Short, path)
		if !cmd.Runnable() || path == "peerledger" || path == "peerledger config" || path == "peerledger rfc0038" {
			return
		}
		require.NotEmpty(t, cmd.Example, "%s has no example", path)
		paths := []string{}
		for line := range strings.Lines(strings.ReplaceAll(cmd.Example, "\\\n", "")) {
			_, line, found := strings.Cut(strings.TrimSpace(line), "peerledger ")
			require.True(t, found, "%s: %s", path, line)
			if _, piped, isPipe := strings.Cut(line, "| peerledger "); isPipe {
				line = piped
			}
			line, _, _ = strings.Cut(line, " > ")
			a := &app{getenv: func(string) string { return "" }}
			named, rest, err := a.newRootCommand().Find(splitLine(line))
			require.NoError(t, err, "%s: %s", path, line)
			paths = append(paths, named.CommandPath())
			require.NoError(t, named.ParseFlags(rest), "%s: %s", path, line)
			require.NoError(t, named.ValidateArgs(named.Flags().Args()), "%s: %s", path, line)
			require.NoError(t, a.checkFlags(named), "%s: %s", path, line)
		}
		require.True(t, slices.Contains(paths, path) || cmd.HasSubCommands(), "%s has examples of other commands alone", path)
	})
}

// requireErrorObject requires a command with --json to end with a status and an error that is one object.
func requireErrorObject(t *testing.T, got outcome, status int, about any) string {
	t.Helper()
	require.Equal(t, status, got.status, "%v: %s%s", about, got.out, got.errors)
	require.Empty(t, got.out, about)
	lines := strings.Split(strings.TrimSpace(got.errors), "\n")
	requireObjects(t, "error", lines[len(lines)-1]+"\n")
	var object errorObject
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &object), about)
	require.Equal(t, status, object.Status, about)
	require.NotEmpty(t, object.Error, about)
	return object.Error
}

// A peer that is not in the ledger is status 1, also without --yes, and the error names the peer.
func TestStatusOfMissingPeers(t *testing.T) {
	t.Parallel()
	s := newPromiseLedger(t)
	eachLine(t, commandLines.books, func(t *testing.T, name string, _ []string) { //nolint:thelper // it is the test
		cmd, _, err := (&app{}).newRootCommand().Find(strings.Fields(name))
		require.NoError(t, err)
		if !strings.Contains(cmd.Use, "peer") || name == "peers" || strings.HasPrefix(name, "peers add") || name == "peers provision" || name == "console" || name == "audit" { // audit lists acts of peers that are gone
			return
		}
		here := s.copyLedger(t)
		line := strings.ReplaceAll(commandLines.books[name], "alice@USD", "nobody@USD")
		if !strings.Contains(line, "nobody") {
			line = strings.TrimSuffix(line, " --once") + " nobody@USD"
		}
		if name == "watch" {
			line += " --once"
		}
		if name == "compare" {
			line = "compare nobody@USD " + writeFile(t, here.runOK(t, "statement", "bob@USD", "--csv"))
		}
		got := here.runCommand(t, append(strings.Fields(line), "--json")...)
		require.Contains(t, requireErrorObject(t, got, statusFailed, line), "nobody", line)
	})
}

// Something else that is not there is an error too.
func TestStatusOfMissingThings(t *testing.T) {
	t.Parallel()
	s := newPromiseLedger(t)
	for name, p := range promises {
		if p.absent != "" {
			got := s.runCommand(t, append(s.fill(p.absent), "--json")...)
			require.Contains(t, []int{statusFailed, statusUsage}, got.status, name)
			requireErrorObject(t, got, got.status, name)
		}
	}
}

// Writes that the books refuse end with status 1, and change nothing.
func TestStatusOfRefusedWrites(t *testing.T) {
	t.Parallel()
	s := newPromiseLedger(t)
	eachLine(t, commandLines.books, func(t *testing.T, name string, _ []string) { //nolint:thelper // it is the test
		line := promises[name].refused
		if line == "" {
			return
		}
		here := s.copyLedger(t)
		before := here.runOK(t, "balances", "--json")
		got := here.runCommand(t, append(here.fill(line), "--yes", "--json")...)
		requireErrorObject(t, got, statusFailed, line)
		require.Equal(t, before, here.runOK(t, "balances", "--json"), line)
	})
}

// Writes end with status 0, and say so.
func TestStatusOfWrites(t *testing.T) {
	t.Parallel()
	s := newPromiseLedger(t)
	eachLine(t, commandLines.books, func(t *testing.T, name string, _ []string) { //nolint:thelper // it is the test
		line := promises[name].written
		if line == "" {
			return
		}
		here := s.copyLedger(t)
		got := here.runCommand(t, append(here.fill(line), "--yes", "--json")...)
		require.Equal(t, statusDone, got.status, "%s: %s", line, got.errors)
		if name == "settle import" { // its rows are payments
			require.Contains(t, got.out, `"written":true`)
			return
		}
		if strings.HasPrefix(name, "import ") { // its rows are peers and notes
			require.Contains(t, got.out, `"state":"written"`)
			return
		}
		for _, c := range parseRows[change](t, got.out) {
			require.True(t, c.Written, line)
		}
	})
}

// lossyLedger applies a write, loses the answer, and interrupts the command, which would send it again.
type lossyLedger struct {
	ledger.Ledger
	interrupt func()
}

func (l lossyLedger) CreateTransfers(ctx context.Context, list []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if _, err := l.Ledger.CreateTransfers(ctx, list); err != nil {
		return nil, err
	}
	l.interrupt()
	return nil, ledger.ErrOutcomeUnknown
}

// A write with a lost answer ends with status 4 and names the next step; it is never called failed.
func TestStatusOfLostAnswers(t *testing.T) {
	t.Parallel()
	s := newPromiseLedger(t)
	eachLine(t, commandLines.books, func(t *testing.T, name string, _ []string) { //nolint:thelper // it is the test
		line := promises[name].written
		if line == "" || name == "peers provision" { // everything is provisioned here, so nothing is sent
			return
		}
		here := s.copyLedger(t)
		ctx, interrupt := context.WithCancel(t.Context())
		defer interrupt()
		lose := func(l ledger.Ledger) ledger.Ledger { return lossyLedger{l, interrupt} }
		got := runAppWith(ctx, func(a *app) { a.wrapLedger = lose }, append([]string{"--config", here.config, "--folder", here.folder, "--json"}, append(here.fill(line), "--yes")...)...)
		require.Contains(t, requireErrorObject(t, got, statusUnknown, line), "written or not", line)
	})
}
