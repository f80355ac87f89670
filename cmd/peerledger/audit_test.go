package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/effects"
	"github.com/peerledger/peerledger/internal/operatorlog"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// journal returns the path of the operator's journal of a test ledger.
func (s testLedger) journal() string {
	return filepath.Join(filepath.Dir(s.config), defaultOperatorJournal)
}

// readActs reads the operator's journal, the newest act first.
func (s testLedger) readActs(t *testing.T) []operatorlog.Entry {
	t.Helper()
	entries, err := operatorlog.Read(t.Context(), s.journal(), operatorlog.Filter{})
	require.NoError(t, err)
	return entries
}

// Each command that writes has one act in the journal for each change, with its outcome, and none without --yes.
func TestEachWriteIsInTheJournal(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.addToConfig(t, "reasons: {fraud: 7}\n")
	require.Equal(t, []any{1, "provision 3 peers", operatorlog.Written}, []any{len(s.readActs(t)), s.readActs(t)[0].Action, s.readActs(t)[0].Outcome})
	s.forwardPacket(t, 3001)
	for _, test := range []struct {
		line    string
		outcome operatorlog.Outcome
		want    string // action, peer, asset, amount, before, after, reason, key, note
	}{
		{"credit set alice@USD 200 --reason fraud", operatorlog.Written, "set the credit line|alice|USD/2||100.00|200.00|7 (fraud)||"},
		{"credit set alice@USD 200", operatorlog.Already, "set the credit line|alice|USD/2||200.00|200.00|||"},
		{"credit revoke alice@USD 500", operatorlog.Refused, "revoke the credit line|alice|USD/2||200.00|0.00|||"},
		{"settle received alice@USD 5 --key w", operatorlog.Written, "book a payment received|alice|USD/2|5.00||||w|"},
		{"settle received alice@USD 5 --key w", operatorlog.Already, "book a payment received|alice|USD/2|5.00||||w|"},
		{"settle received alice@USD 6 --key w", operatorlog.Refused, "book a payment received|alice|USD/2|6.00||||w|"},
		{"settle paid bob@USD 1 --key w", operatorlog.Written, "book a payment made|bob|USD/2|1.00||||w|"},
		{"settle returned alice@USD 1 --key r --payment w", operatorlog.Written, "book a returned payment|alice|USD/2|1.00||||r|payment w"},
		{"settle announce alice@USD 1 --key a", operatorlog.Written, "announce a payment|alice|USD/2|1.00||||a|"},
		{"settle failed alice@USD --key a", operatorlog.Written, "note that a payment has failed|alice|USD/2|1.00|||||payment a"},
		{"settle pause bank", operatorlog.Written, "pause payments||||||||rail \"bank\""},
		{"settle resume bank", operatorlog.Written, "resume payments||||||||rail \"bank\""},
		{"settle stop", operatorlog.Written, "stop all payments||||||||"},
		{"settle stop", operatorlog.Already, "stop all payments||||||||"},
		{"settle start", operatorlog.Written, "let payments go on||||||||"},
		{"settle resolve bob@USD abc 1", operatorlog.Refused, "close an order as paid|bob|USD/2|1.00|||||"},
		{"settle cancel bob@USD abc", operatorlog.Refused, "give an order back|bob|USD/2||||||"},
		{"settle approve bob@USD abc", operatorlog.Refused, "approve an order|bob|USD/2||||||"},
		{"settle now bob@USD --pay-with ./pay", operatorlog.Written, "order and pay|bob|USD/2|29.00|||||"},
		{"settle now bob@USD --pay-with ./pay", operatorlog.Refused, "order nothing|bob|USD/2||||||"},
		{"settle refund bob@USD --pay-with ./pay", operatorlog.Refused, "order nothing|bob|USD/2||||||"},
		{"settle release alice@USD", operatorlog.Written, "give back what waits in suspense|alice|USD/2|0.00|||||"},
		{"adjust credit alice@USD 1 --key k --reason 1", operatorlog.Written, "book a credit by hand|alice|USD/2|1.00|||1|k|"},
		{"adjust debit bob@USD 500 --key k --reason 1", operatorlog.Refused, "book a debit by hand|bob|USD/2|500.00|||1|k|"},
		{"adjust debit bob@USD 1 --key k --reason 1 --beyond-headroom", operatorlog.Written, "book a debit by hand|bob|USD/2|1.00|||1|k|"},
		{"adjust write-off bob@USD 1 --key l --reason 1", operatorlog.Written, "write off the arrears|bob|USD/2|1.00|||1|l|"},
		{"fund 10 --asset USD --key k --reason 1", operatorlog.Written, "fund our liquidity||USD/2|10.00|0.00|10.00|1|k|"},
		{"withdraw 4 --asset USD --key k --reason 1", operatorlog.Written, "withdraw from our liquidity||USD/2|4.00|10.00|6.00|1|k|"},
		{"withdraw 400 --asset USD --key m --reason 1", operatorlog.Refused, "withdraw from our liquidity||USD/2|400.00|6.00||1|m|"},
		{"peers suspend alice@USD --reason fraud --revoke-free", operatorlog.Written, "suspend|alice|USD/2||active|suspended|7 (fraud)||--revoke-free"},
		{"peers resume alice@USD", operatorlog.Written, "resume|alice|USD/2||suspended|active|||"},
		{"peers close alice@EUR", operatorlog.Written, "close|alice|EUR/2||active|closed|||"},
		{"peers reopen alice@EUR", operatorlog.Written, "reopen|alice|EUR/2||closed|suspended|||"},
		{"peers add carol --asset USD", operatorlog.Written, "provision|carol|USD/2|||0.00|||"},
		{"peers provision", operatorlog.Failed, "provision 4 peers||||||||"},                                                 // the line differs from the configuration
		{"migrate --to-folder " + filepath.Join(t.TempDir(), "target"), operatorlog.Failed, "copy the whole ledger||||||||"}, // its newest row is too young
	} {
		args := strings.Fields(strings.ReplaceAll(test.line, "./pay", s.writeProgram(t)))
		before := len(s.readActs(t))
		s.runCommand(t, args...)
		require.Len(t, s.readActs(t), before, "%s: without --yes", test.line)
		got := s.runCommand(t, append(args, "--yes")...)
		acts := s.readActs(t)
		require.Len(t, acts, before+1, "%s: %s", test.line, got.errors)
		e := acts[0]
		require.Equal(t, test.outcome, e.Outcome, "%s: %s", test.line, got.errors)
		require.Equal(t, test.want, strings.Join([]string{e.Action, e.Peer, e.Asset, e.Amount, e.Before, e.After, effects.DescribeReason(e.Reason, e.ReasonName), e.Key, e.Note}, "|"), test.line)
		require.Equal(t, e.Outcome == operatorlog.Written || e.Outcome == operatorlog.Already, e.Error == "", test.line)
		require.Equal(t, []any{"command", (&app{getenv: func(string) string { return "" }}).findOperator()}, []any{e.Via, e.Who})
		require.False(t, e.EndedAt.Before(e.Time))
	}
	for _, row := range readRows[auditRow](t, s, "audit", "--limit", "0") {
		if row.Transfer != "" && row.Outcome != string(operatorlog.Refused) {
			require.Equal(t, bookedYes, row.Booked, "%+v", row)
		}
	}
	require.Empty(t, readRows[auditRow](t, s, "audit", "--ledger", "--who", notInJournal), "every change has its act")
}

// writeProgram writes a program that pays each order.
func (s testLedger) writeProgram(t *testing.T) string {
	t.Helper()
	path := filepath.Join(filepath.Dir(s.config), "pay")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\nsed 's/.*\"amount\":\"\\([^\"]*\\)\".*/\\1/'\n"), 0o700))
	return path
}

// A journal that cannot be written keeps each command from its act, before a ledger is created.
func TestJournalThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	before := s.runOK(t, "balances", "--json")
	require.NoError(t, os.Remove(s.journal()))
	require.NoError(t, os.Mkdir(s.journal(), 0o700))
	for _, line := range []string{
		"credit set alice@USD 5", "peers suspend alice@USD", "settle now bob@USD --pay-with true", "settle stop", "migrate --to-folder " + filepath.Join(t.TempDir(), "to"), "fund 5 --asset USD --key k --reason 1", "peers provision",
	} {
		got := s.runCommand(t, append(strings.Fields(line), "--yes")...)
		require.Equal(t, statusFailed, got.status, "%s: %s", line, got.errors)
		for _, part := range []string{"nothing was changed", s.journal(), "operator_journal in " + s.config} {
			require.Contains(t, got.errors, part, line)
		}
	}
	got := runApp(t, "--config", s.config, "engines", "add", "bank", "http://127.0.0.1:1", "--asset", "USD", "--yes")
	require.Contains(t, got.errors, "nothing was changed")
	require.Equal(t, before, s.runOK(t, "balances", "--json"))
	s.folder = filepath.Join(t.TempDir(), "new")
	require.Equal(t, statusFailed, s.runCommand(t, "peers", "provision", "--yes").status)
	require.NoDirExists(t, s.folder)
	require.Contains(t, s.runCommand(t, "peers", "provision").out, "Would provision", "a preview needs no journal")

	s.addToConfig(t, "operator_journal: none\n")
	s.runOK(t, "peers", "provision", "--yes")
	got = s.runCommand(t, "audit")
	require.Equal(t, statusUsage, got.status)
	require.Contains(t, got.errors, "operator_journal in "+s.config)
}

// The disk is full when the outcome is to be written: the change is done, and the command warns.
func TestOutcomeThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	var complaints strings.Builder
	a := &app{config: s.config, yes: true, stdout: &complaints, stderr: &complaints, getenv: func(string) string { return "" }}
	require.NoError(t, a.previewOrWrite(change{Action: "do"}, func(*change) error {
		require.NoError(t, os.Remove(s.journal()))
		return os.Mkdir(s.journal(), 0o700)
	}))
	require.Contains(t, complaints.String(), `peerledger: warning: operatorlog: the outcome "written" is not in the journal`)
	require.Contains(t, complaints.String(), "Done: do.")
}

// The operator is the one that the environment names, or the user with the one who used sudo.
func TestOperatorsName(t *testing.T) {
	t.Parallel()
	find := func(env map[string]string) string {
		return (&app{getenv: func(name string) string { return env[name] }}).findOperator()
	}
	self := find(nil)
	require.NotEmpty(t, self)
	require.Equal(t, self+" (sudo by ann)", find(map[string]string{"SUDO_USER": "ann"}))
	require.Equal(t, self, find(map[string]string{"SUDO_USER": self}))
	require.Equal(t, "bea", find(map[string]string{"SUDO_USER": "ann", operatorEnv: "bea"}))
}

// The fields are those that are promised, and the list can be narrowed.
func TestAudit(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	who := s.readActs(t)[0].Who
	s.runOK(t, "credit", "set", "alice@USD", "200", "--reason", "7", "--yes")
	s.runOK(t, "settle", "received", "alice@EUR", "5", "--key", "w", "--yes")
	s.runCommand(t, "settle", "paid", "bob@USD", "5", "--key", "w", "--yes")
	out := blankOut(s.runOK(t, "audit", "--json"))
	rest := `,"id":"ID"}` + "\n"
	require.Equal(t, `{"json":1,"time":"TIME","who":"`+who+`","via":"command","action":"book a payment made","peer":"bob","asset":"USD/2","amount":"5.00","key":"w","outcome":"refused","booked":"no","error"`, out[:strings.Index(out, `"error"`)+len(`"error"`)])
	require.Contains(t, out, `{"json":1,"time":"TIME","who":"`+who+`","via":"command","action":"book a payment received","peer":"alice","asset":"EUR/2","amount":"5.00","key":"w","outcome":"written","booked":"yes","transfer":"ID","ended":"TIME"`+rest+
		`{"json":1,"time":"TIME","who":"`+who+`","via":"command","action":"set the credit line","peer":"alice","asset":"USD/2","before":"100.00","after":"200.00","reason":7,"outcome":"written","booked":"yes","transfer":"ID","ended":"TIME"`+rest+
		`{"json":1,"time":"TIME","who":"`+who+`","via":"command","action":"provision 3 peers","outcome":"written","booked":"unknown","ended":"TIME"`+rest)
	for line, want := range map[string]int{
		"audit": 4, "audit alice": 2, "audit alice@EUR": 1, "audit alice --asset USD": 1, "audit nobody": 0, "audit --action PAYMENT": 2, "audit --who x" + who: 0,
		"audit --filter outcome=refused": 1, "audit --filter outcome=written --filter peer=alice": 2, "audit --limit 2": 2, "audit --limit 0": 4, "audit --from 1d": 4, "audit --to 1d": 0,
		"audit --from 2030-01-01 --ledger": 0,
	} {
		require.Len(t, readRows[auditRow](t, s, strings.Fields(line)...), want, line)
	}
	require.Equal(t, "bob", readRows[auditRow](t, s, "audit", "--sort", "peer:desc", "--limit", "1")[0].Peer)
	require.Equal(t, "No such act is in the operator's journal.\n", s.runOK(t, "audit", "nobody"))
	for _, line := range []string{"audit --filter x", "audit --filter x=y", "audit --from soon", "audit --asset GBP", "audit --limit -1"} {
		require.Equal(t, statusUsage, s.runCommand(t, strings.Fields(line)...).status, line)
	}

	l, err := embedded.Open(s.folder)
	require.NoError(t, err)
	got := s.runCommand(t, "audit", "alice@EUR", "--json")
	require.Equal(t, statusDone, got.status)
	require.Contains(t, got.errors, "warning: the column booked is unknown")
	require.Equal(t, bookedUnknown, parseRows[auditRow](t, got.out)[0].Booked)
	require.Equal(t, statusNoAnswer, s.runCommand(t, "audit", "--ledger").status)
	require.NoError(t, l.Close())

	require.NoError(t, os.WriteFile(s.journal(), []byte("{torn"), 0o600))
	got = s.runCommand(t, "audit")
	require.Equal(t, []any{statusDone, "No such act is in the operator's journal.\n"}, []any{got.status, got.out})
	require.Contains(t, got.errors, "the file ends in a line that a crash has torn")
	require.NoError(t, os.Remove(s.journal()))
	require.Equal(t, "No such act is in the operator's journal.\n", s.runOK(t, "audit"))
}

// An act whose outcome is unknown is looked up by its key.
func TestAuditOfUnknownOutcomes(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	for _, line := range []string{
		"settle received alice@USD 5 --key w", "settle received alice@USD 6 --key other", "adjust credit alice@USD 5 --key k --reason 1",
	} {
		s.runOK(t, append(strings.Fields(line), "--yes")...)
	}
	require.NoError(t, os.Remove(s.journal()))
	log, err := operatorlog.Open(s.journal())
	require.NoError(t, err)
	for i, test := range []struct{ action, amount, key, booked string }{
		{"book a payment received", "5.00", "w", bookedYes},
		{"book a payment received", "5.00", "other", bookedUnknown},
		{"book a payment received", "5.00", "none", bookedNo},
		{"book a payment made", "5.00", "none", bookedNo},
		{"book a credit by hand", "5.00", "k", bookedYes},
		{"book a payment received", "5.00", "k", bookedNo},
		{"announce a payment", "5.00", "w", bookedUnknown},
		{"set the credit line", "", "", bookedUnknown},
	} {
		act, err := log.Begin(operatorlog.Entry{Who: "ann", Via: "console", Action: test.action, Peer: "alice", Asset: "USD/2", Amount: test.amount, Key: test.key})
		require.NoError(t, err)
		if i%2 == 0 {
			require.NoError(t, act.End(operatorlog.Unknown, "", ledger.ErrOutcomeUnknown))
		}
		row := readRows[auditRow](t, s, "audit", "--limit", "1")[0]
		require.Equal(t, []any{act.ID(), "unknown", test.booked}, []any{row.ID, row.Outcome, row.Booked}, test)
		require.Equal(t, i%2 == 1, row.Error == operatorlog.MissingEnd)
	}
	act, err := log.Begin(operatorlog.Entry{Who: "ann", Via: "console", Action: "book a payment received", Peer: "alice", Asset: "USD/2", Amount: "5.00", Key: "w"})
	require.NoError(t, err)
	require.NoError(t, act.End(operatorlog.Refused, "", accounts.ErrKeyReused))
	require.Equal(t, bookedNo, readRows[auditRow](t, s, "audit", "--limit", "1")[0].Booked, "an earlier act booked under the key")
	require.NoError(t, log.Close())
}

// Changes in the ledger that no act made are listed with --ledger, and only those.
func TestAuditOfTheLedger(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	require.NoError(t, os.Remove(s.journal()))
	s.runOK(t, "credit", "set", "alice@USD", "150", "--yes")
	s.moveActs(t, -time.Hour) // the act names its transfer: its time does not matter
	s.openAsConnector(t, func(c *peerledger.Client, alice, bob accounts.PeerAccount) {
		ctx := context.WithoutCancel(t.Context())
		usd, _ := c.Book.Asset(1)
		_, err := c.Book.ExtendCredit(ctx, alice, ledger.NewAmount(50), accounts.WithReasonCode(9))
		require.NoError(t, err)
		_, err = c.Book.RevokeCredit(ctx, alice, ledger.NewAmount(20))
		require.NoError(t, err)
		require.NoError(t, c.Book.SuspendPeer(ctx, bob, accounts.WithReasonCode(7)))
		require.NoError(t, c.Book.ResumePeer(ctx, bob))
		require.NoError(t, c.Book.ClosePeer(ctx, bob))
		require.NoError(t, c.Book.ReopenPeer(ctx, bob))
		_, err = c.Book.Fund(ctx, accounts.Capital{Asset: usd, Key: "k", Amount: ledger.NewAmount(300), ReasonCode: 1})
		require.NoError(t, err)
		_, err = c.Book.Withdraw(ctx, accounts.Capital{Asset: usd, Key: "k", Amount: ledger.NewAmount(100), ReasonCode: 2})
		require.NoError(t, err)
		_, err = c.Book.Adjust(ctx, accounts.Adjustment{Account: alice, Key: "a", Credit: ledger.NewAmount(5), ReasonCode: 3})
		require.NoError(t, err)
		_, err = c.Book.Adjust(ctx, accounts.Adjustment{Account: alice, Key: "b", Debit: ledger.NewAmount(2), ReasonCode: 4})
		require.NoError(t, err)
	})
	s.addToConfig(t, "reasons: {fraud: 7}\n")
	var got []string
	for _, r := range readRows[auditRow](t, s, "audit", "--ledger", "--who", notInJournal) {
		got = append(got, fmt.Sprint(r.Action, "|", r.Peer, "|", r.Amount, "|", effects.DescribeReason(r.Reason, r.ReasonName)))
		require.Equal(t, []string{"USD/2", "written", "yes", ""}, []string{r.Asset, r.Outcome, r.Booked, r.Via})
	}
	require.Equal(t, []string{
		"book a debit by hand|alice|0.02|4", "book a credit by hand|alice|0.05|3", "withdraw from our liquidity||1.00|2", "fund our liquidity||3.00|1",
		"reopen|bob||", "suspend|bob||", "resume|bob||", "close|bob||", "suspend|bob||", "resume|bob||", "suspend|bob||7 (fraud)",
		"lower the credit line|alice|0.20|", "raise the credit line|alice|0.50|9", "raise the credit line|alice|100.00|",
	}, got)
	all := readRows[auditRow](t, s, "audit", "--ledger")
	require.Len(t, all, len(got)+1, "and the act of the journal")
	require.Len(t, readRows[auditRow](t, s, "audit", "bob", "--ledger"), 7)
	require.Len(t, readRows[auditRow](t, s, "audit", "--ledger", "--action", "credit line", "--limit", "2"), 2)

	require.NoError(t, os.WriteFile(s.config, []byte(replaceOnce(t, configuration, `  - {id: bob, asset: USD, settle_at: "20"}`+"\n", "")), 0o600))
	left := s.runCommand(t, "audit", "--ledger", "--json")
	require.Len(t, parseRows[auditRow](t, left.out), len(all)-7)
	require.Contains(t, left.errors, "7 changes in the ledger left out: of peers that the configuration does not list")

	s.runOK(t, "peers", "suspend", "alice@USD", "--yes")
	got = nil
	for _, row := range parseRows[auditRow](t, s.runCommand(t, "audit", "--ledger", "alice", "--action", "suspend", "--json").out) {
		got = append(got, row.Via+" "+row.Action)
	}
	require.Equal(t, []string{"command suspend"}, got, "the row of the suspension is the act's")
}

// moveActs moves the times of all acts in the journal.
func (s testLedger) moveActs(t *testing.T, by time.Duration) {
	t.Helper()
	content, err := os.ReadFile(s.journal())
	require.NoError(t, err)
	moved := goldenTimes.ReplaceAllStringFunc(string(content), func(text string) string {
		at, err := time.Parse(time.RFC3339Nano, text)
		require.NoError(t, err)
		return at.Add(by).Format(time.RFC3339Nano)
	})
	require.NoError(t, os.WriteFile(s.journal(), []byte(moved), 0o600))
}

// An act on the peer that was at work at the time of a change made it, within the tolerance of the clocks.
func TestActAtWork(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)
	ended := operatorlog.Entry{ID: "a", Time: start, EndedAt: start.Add(time.Second), Peer: "alice", Asset: "USD/2", Outcome: operatorlog.Written}
	endless := ended
	endless.EndedAt = time.Time{}
	refused := ended
	refused.Outcome = operatorlog.Refused
	all := ended
	all.Peer, all.Asset, all.Action = "", "", "provision 3 peers"
	pause := all
	pause.Action = "pause payments"
	capital := ended
	capital.Peer = ""
	for _, test := range []struct {
		act   operatorlog.Entry
		peer  string
		asset string
		after time.Duration
		want  bool
	}{
		{ended, "alice", "USD/2", 0, true},
		{ended, "alice", "USD/2", -clockTolerance, true},
		{ended, "alice", "USD/2", -clockTolerance - 1, false},
		{ended, "alice", "USD/2", time.Second + clockTolerance, true},
		{ended, "alice", "USD/2", time.Second + clockTolerance + 1, false},
		{ended, "bob", "USD/2", 0, false},
		{ended, "alice", "EUR/2", 0, false},
		{endless, "alice", "USD/2", endlessAct + clockTolerance, true},
		{endless, "alice", "USD/2", endlessAct + clockTolerance + 1, false},
		{refused, "alice", "USD/2", 0, false},
		{all, "alice", "USD/2", 0, true},
		{pause, "alice", "USD/2", 0, false},
		{pause, "", "USD/2", 0, false},
		{capital, "alice", "USD/2", 0, false},
		{capital, "", "USD/2", 0, true},
	} {
		c := operatorlog.Entry{Peer: test.peer, Asset: test.asset, Time: start.Add(test.after)}
		require.Equal(t, test.want, newActIndex([]operatorlog.Entry{test.act}).hasChange(&c), "%+v", test)
	}
}

// Commands that open no ledger have their acts too.
func TestActsWithoutALedger(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	offline := func(args ...string) outcome { return runApp(t, append([]string{"--config", s.config}, args...)...) }
	got := offline("engines", "add", "bank", "http://127.0.0.1:1", "--asset", "USD", "--yes")
	require.Contains(t, got.errors, "was not changed")
	e := s.readActs(t)[0]
	require.Equal(t, []any{"add an engine", "engine bank, http://127.0.0.1:1"}, []any{e.Action, e.Note})
	require.NotEqual(t, operatorlog.Written, e.Outcome)

	backups, target := t.TempDir(), filepath.Join(t.TempDir(), "restored")
	got = runApp(t, "backup", "--folder", s.folder, "--to", backups)
	require.Equal(t, statusDone, got.status, got.errors)
	got = offline("restore", backups, target)
	require.Equal(t, statusDone, got.status, got.errors)
	e = s.readActs(t)[0]
	require.Equal(t, []any{"restore a backup", operatorlog.Written}, []any{e.Action, e.Outcome})
	require.Contains(t, e.Note, " to "+target)
	offline("restore", backups, target)
	require.Equal(t, operatorlog.Failed, s.readActs(t)[0].Outcome)
}

// A command that pays several peers has an act for each. An order that stays open is unknown.
func TestActsOfPayments(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	got := s.runCommand(t, "settle", "now", "bob@USD", "alice@USD", "--pay-with", "false", "--yes")
	require.Equal(t, statusUnknown, got.status, got.errors)
	acts := s.readActs(t)
	require.Equal(t, []any{"alice", operatorlog.Unknown, "bob", operatorlog.Unknown}, []any{acts[0].Peer, acts[0].Outcome, acts[1].Peer, acts[1].Outcome})
	require.NotEmpty(t, acts[1].Error)

	s.runOK(t, "settle", "now", "bob@USD", "alice@USD", "--pay-with", s.writeProgram(t), "--yes")
	acts = s.readActs(t)
	require.Len(t, acts, 5)
	require.Equal(t, []any{"alice", operatorlog.Refused, "bob", operatorlog.Written, "30.00"}, []any{acts[0].Peer, acts[0].Outcome, acts[1].Peer, acts[1].Outcome, acts[1].Amount})
	require.Contains(t, acts[0].Error, "nothing was ordered: The peer owes us")
	require.Equal(t, acts[1].Order, acts[1].Transfer)
	require.Equal(t, bookedYes, readRows[auditRow](t, s, "audit", "bob", "--limit", "1")[0].Booked)

	got = s.runCommand(t, "settle", "refund", "bob@USD", "alice@USD", "--pay-with", "false", "--yes")
	require.Equal(t, statusFailed, got.status)
	require.Equal(t, operatorlog.Failed, s.readActs(t)[0].Outcome, "the error may be of the other peer")
}
