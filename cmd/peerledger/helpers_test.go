package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

// No command leaves a goroutine behind. With runAsEnv the test binary is another program.
func TestMain(m *testing.M) {
	if program := os.Getenv(runAsEnv); program != "" {
		runAs(program)
		return
	}
	goleak.VerifyTestMain(m)
}

// configuration has a peer of each kind. A dollar is 100 units.
const configuration = `
namespace: test
assets:
  - {code: USD, scale: 2, ledger: 1}
  - {code: EUR, scale: 2, ledger: 2}
peers:
  - {id: alice, asset: USD, credit_line: "100", settle_at: "50", settle_to: "10"}
  - {id: bob, asset: USD, settle_at: "20"}
  - {id: alice, asset: EUR}
`

// testLedger is a folder with a configuration and an embedded ledger.
type testLedger struct {
	config string
	folder string
}

// newTestLedger makes a ledger and provisions the configured peers.
func newTestLedger(t *testing.T) testLedger {
	t.Helper()
	dir := t.TempDir()
	s := testLedger{config: filepath.Join(dir, "peerledger.yaml"), folder: filepath.Join(dir, "ledger")}
	require.NoError(t, os.WriteFile(s.config, []byte(configuration), 0o600))
	s.runOK(t, "peers", "provision", "--yes")
	return s
}

// outcome is the result of a command.
type outcome struct {
	status      int
	out, errors string
}

// runCommand runs a command on the ledger.
func (s testLedger) runCommand(t *testing.T, args ...string) outcome {
	t.Helper()
	return runApp(t, append([]string{"--config", s.config, "--folder", s.folder}, args...)...)
}

// runApp runs a command without configuration and environment.
func runApp(t *testing.T, args ...string) outcome {
	t.Helper()
	return runAppWith(t.Context(), func(*app) {}, args...)
}

// runAppWith runs a command of a changed app.
func runAppWith(ctx context.Context, change func(*app), args ...string) outcome {
	var out, complaints bytes.Buffer
	a := &app{stdin: strings.NewReader(""), stdout: &out, stderr: &complaints, getenv: func(string) string { return "" }}
	change(a)
	status := a.runCommand(ctx, args)
	return outcome{status, out.String(), complaints.String()}
}

// runOK runs a command that must succeed, and returns the output.
func (s testLedger) runOK(t *testing.T, args ...string) string {
	t.Helper()
	got := s.runCommand(t, args...)
	require.Equal(t, statusDone, got.status, "%v: %s", args, got.errors)
	require.Empty(t, got.errors)
	return got.out
}

// readRows runs a command with --json and decodes its lines.
func readRows[T any](t *testing.T, s testLedger, args ...string) (list []T) {
	t.Helper()
	return parseRows[T](t, s.runOK(t, append(args, "--json")...))
}

// parseRows decodes the lines of a command with --json.
func parseRows[T any](t *testing.T, out string) (list []T) {
	t.Helper()
	for line := range strings.Lines(out) {
		fields, numbered := strings.CutPrefix(line, `{"json":1,`)
		require.True(t, numbered, "it says which format it has: %s", line)
		decoder := json.NewDecoder(strings.NewReader("{" + fields))
		decoder.DisallowUnknownFields()
		var row T
		require.NoError(t, decoder.Decode(&row), line)
		list = append(list, row)
	}
	return list
}

// openAsConnector opens the ledger as a connector does, while work runs.
func (s testLedger) openAsConnector(t *testing.T, work func(*peerledger.Client, accounts.PeerAccount, accounts.PeerAccount)) {
	t.Helper()
	cfg, err := parseConfig([]byte(configuration))
	require.NoError(t, err)
	l, err := embedded.Open(s.folder)
	require.NoError(t, err)
	pending := func(context.Context, settlement.Order) (ledger.Amount, error) {
		return ledger.Amount{}, settlement.ErrPending
	}
	client, err := peerledger.New(l, peerledger.Config{
		Accounts: cfg.toBookConfig(),
		Settlement: settlement.Config{
			Manual: true, Instance: "connector",
			Rails:    settlement.Rails{Default: &settlement.Rail{Settler: settlement.SettlerFunc(pending)}},
			Policies: settlement.Policies{Default: settlement.Threshold{SettleThreshold: ledger.NewAmount(2000)}},
		},
	})
	require.NoError(t, err)
	usd := cfg.toBookConfig().Assets[0]
	alice, err := client.Book.PeerAccount("alice", usd)
	require.NoError(t, err)
	bob, err := client.Book.PeerAccount("bob", usd)
	require.NoError(t, err)
	work(client, alice, bob)
	if err := client.Close(t.Context()); err != nil {
		require.ErrorIs(t, err, settlement.ErrOrdersOpen)
	}
}

// forwardPacket sends so many cents from alice to bob, of which the connector keeps one.
func (s testLedger) forwardPacket(t *testing.T, cents uint64) {
	t.Helper()
	s.openAsConnector(t, func(c *peerledger.Client, alice, bob accounts.PeerAccount) {
		held, err := c.Recorder.Prepare(t.Context(), transfers.Packet{From: alice, To: bob, In: cents, Out: cents - 1, Expiry: time.Now().Add(time.Minute)})
		require.NoError(t, err)
		_, err = c.Recorder.Fulfill(t.Context(), held.Packet)
		require.NoError(t, err)
	})
}

// replaceOnce replaces a part that the text must contain.
func replaceOnce(t *testing.T, text, old, now string) string {
	t.Helper()
	require.Contains(t, text, old)
	return strings.Replace(text, old, now, 1)
}

// freeAddress returns an address of this machine without a listener. Other tests use 127.0.0.1, so
// none will listen there.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.88:0")
	if err != nil {
		t.Skipf("needs a second loopback address: add 127.0.0.88 to the loopback interface (%v)", err)
	}
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}
