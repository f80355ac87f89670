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

// No command leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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

// shop is a folder with a configuration and an embedded ledger.
type shop struct {
	config string
	folder string
}

// newShop makes a shop whose peers are provisioned.
func newShop(t *testing.T) shop {
	t.Helper()
	dir := t.TempDir()
	s := shop{config: filepath.Join(dir, "peerledger.yaml"), folder: filepath.Join(dir, "ledger")}
	require.NoError(t, os.WriteFile(s.config, []byte(configuration), 0o600))
	s.ok(t, "peers", "provision", "--yes")
	return s
}

// answer is what a command ended with.
type answer struct {
	status      int
	out, errors string
}

// do runs a command.
func (s shop) do(t *testing.T, args ...string) answer {
	t.Helper()
	return runIn(t, append([]string{"--config", s.config, "--folder", s.folder}, args...)...)
}

func runIn(t *testing.T, args ...string) answer {
	t.Helper()
	var out, complaints bytes.Buffer
	a := &app{stdin: strings.NewReader(""), stdout: &out, stderr: &complaints, getenv: func(string) string { return "" }}
	status := a.run(t.Context(), args)
	return answer{status, out.String(), complaints.String()}
}

// ok runs a command that must succeed, and returns what it printed.
func (s shop) ok(t *testing.T, args ...string) string {
	t.Helper()
	got := s.do(t, args...)
	require.Equal(t, statusDone, got.status, "%v: %s", args, got.errors)
	require.Empty(t, got.errors)
	return got.out
}

// rows runs a command with --json and reads its lines.
func rows[T any](t *testing.T, s shop, args ...string) (list []T) {
	t.Helper()
	for line := range strings.Lines(s.ok(t, append(args, "--json")...)) {
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

// open opens the shop's ledger as a connector does, until the function returns.
func (s shop) open(t *testing.T, work func(*peerledger.Client, accounts.PeerAccount, accounts.PeerAccount)) {
	t.Helper()
	cfg, err := parseConfig([]byte(configuration))
	require.NoError(t, err)
	l, err := embedded.Open(s.folder)
	require.NoError(t, err)
	pending := func(context.Context, settlement.Order) (ledger.Amount, error) {
		return ledger.Amount{}, settlement.ErrPending
	}
	client, err := peerledger.New(l, peerledger.Config{
		Accounts: cfg.accounts(),
		Settlement: settlement.Config{
			Manual: true, Instance: "connector",
			Rails:    settlement.Rails{Default: &settlement.Rail{Settler: settlement.SettlerFunc(pending)}},
			Policies: settlement.Policies{Default: settlement.Threshold{SettleThreshold: ledger.NewAmount(2000)}},
		},
	})
	require.NoError(t, err)
	usd := cfg.accounts().Assets[0]
	alice, err := client.Book.PeerAccount("alice", usd)
	require.NoError(t, err)
	bob, err := client.Book.PeerAccount("bob", usd)
	require.NoError(t, err)
	work(client, alice, bob)
	if err := client.Close(t.Context()); err != nil {
		require.ErrorIs(t, err, settlement.ErrOrdersOpen)
	}
}

// send has alice send bob so many cents, of which we keep one.
func (s shop) send(t *testing.T, cents uint64) {
	t.Helper()
	s.open(t, func(c *peerledger.Client, alice, bob accounts.PeerAccount) {
		held, err := c.Recorder.Prepare(t.Context(), transfers.Packet{From: alice, To: bob, In: cents, Out: cents - 1, Expiry: time.Now().Add(time.Minute)})
		require.NoError(t, err)
		_, err = c.Recorder.Fulfill(t.Context(), held.Packet)
		require.NoError(t, err)
	})
}

// replaced is a text with another part, which must be in it.
func replaced(t *testing.T, text, old, now string) string {
	t.Helper()
	require.Contains(t, text, old)
	return strings.Replace(text, old, now, 1)
}

// freeAddress is an address of this machine on which nobody listens, and no other test will:
// they all have 127.0.0.1.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.88:0")
	if err != nil {
		t.Skip("this system has one loopback address alone: ", err)
	}
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}
