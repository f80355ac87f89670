package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// recordRounds fulfills packets of 1.00 from alice to bob in rounds, and returns the journal's folder. The
// recorder is killed at the end, if asked for, and leaves its reservation.
func (s testLedger) recordRounds(t *testing.T, packets int, killed bool) (journal string) {
	t.Helper()
	journal = filepath.Join(filepath.Dir(s.folder), "rounds")
	cfg, err := parseConfig([]byte(configuration))
	require.NoError(t, err)
	l, err := embedded.Open(s.folder)
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	book, err := accounts.NewBook(l, cfg.toBookConfig())
	require.NoError(t, err)
	usd := book.Assets()[0]
	alice, err := book.PeerAccount("alice", usd)
	require.NoError(t, err)
	bob, err := book.PeerAccount("bob", usd)
	require.NoError(t, err)
	r, err := aggregate.NewRecorder(t.Context(), l, book, aggregate.Config{JournalFolder: journal, RoundInterval: time.Millisecond})
	require.NoError(t, err)
	for range packets {
		held, err := r.Prepare(t.Context(), transfers.Packet{From: alice, To: bob, In: 100, Out: 99, Expiry: time.Now().Add(30 * time.Second)})
		require.NoError(t, err)
		_, err = r.Fulfill(t.Context(), held.Packet)
		require.NoError(t, err)
	}
	require.NoError(t, r.Flush(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if killed {
		cancel()
	}
	if err := r.Close(ctx); !killed {
		require.NoError(t, err)
	}
	return journal
}

// An operator sees what a connector has reserved, and that no packet holds it.
func TestReservedAmounts(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.recordRounds(t, 3, true)
	got := readRows[holdRow](t, s, "holds", "alice@USD")
	require.Len(t, got, 1)
	require.Regexp(t, `^[0-9a-f]{32}$`, got[0].Reservation)
	require.Regexp(t, `^[0-9a-f]{16}$`, got[0].Journal)
	require.NotEmpty(t, got[0].Expiry)
	require.Equal(t, []string{"", "", "0.00"}, []string{got[0].Packet, got[0].Condition, got[0].Out})
	balance := readRows[peerRow](t, s, "balances", "alice@USD")[0]
	require.Equal(t, got[0].In, balance.HeldIn, "all that is held is reserved")
	require.NotEqual(t, "0.00", balance.HeldIn)
	require.Contains(t, s.runOK(t, "holds", "alice@USD"), "reserved for rounds of journal "+got[0].Journal)
	require.NotContains(t, s.runOK(t, "holds", "bob@USD"), "reserved")
	require.Contains(t, s.runOK(t, "peers", "close", "alice@USD"), "It will be refused while packets, reservations of connectors (peerledger holds) or an order hold an amount.")
	list := readRows[trialRow](t, s, "trial-balance", "--asset", "USD")
	transit := list[len(list)-2]
	require.Equal(t, []string{"transit", "3.00", "3.00", got[0].In}, []string{transit.Kind, transit.DebitsPosted, transit.CreditsPosted, transit.CreditsPending})
}

// Doctor compares a journal of rounds with the ledger, or looks at the journal alone.
func TestDoctorWithAJournalOfRounds(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	journal := s.recordRounds(t, 3, false)
	out := s.runOK(t, "doctor", "--journal", journal)
	require.Contains(t, out, "no fulfill waits; journal of rounds ")
	copied := filepath.Join(t.TempDir(), "copy")
	require.NoError(t, os.CopyFS(copied, os.DirFS(journal)))
	s.recordRounds(t, 1, true)
	out = s.runOK(t, "doctor", "--journal", journal)
	require.Contains(t, out, " are reserved: ")
	got := s.runCommand(t, "doctor", "--journal", copied)
	require.Equal(t, statusFound, got.status)
	require.Contains(t, got.out, "the ledger has more than round ")
	alone := runApp(t, "doctor", "--journal", journal)
	require.Equal(t, statusDone, alone.status, alone.out)
}

// A journal of rounds is backed up, verified and restored. An old journal is named as such.
func TestBackupOfAJournalOfRounds(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	journal := s.recordRounds(t, 3, false)
	backups, target := filepath.Join(t.TempDir(), "backups"), filepath.Join(t.TempDir(), "rounds")
	got := runApp(t, "backup", "--folder", s.folder, "--journal", journal, "--to", backups)
	require.Equal(t, statusDone, got.status, got.errors)
	require.Regexp(t, `the journal rounds of namespace "test", in which nothing waits, with round \d+ as the newest, and 0 archive files of packets`, got.out)
	require.Contains(t, runApp(t, "backup", "list", backups).out, "0 waiting")
	got = runApp(t, "verify", backups)
	require.Equal(t, statusDone, got.status, got.errors)
	require.Contains(t, got.out, "in it nothing waits.")
	require.Regexp(t, `Its newest round is \d+\. All packets in its 0 archive files have been read\.`, got.out)
	s.recordRounds(t, 1, false)
	got = runApp(t, "restore", backups, "--journal", target)
	require.Equal(t, statusDone, got.status, got.errors)
	require.Regexp(t, `Its newest round is \d+\. If the ledger has later rounds, a connector refuses this journal as old: run peerledger doctor --journal \S+ first`, got.out)
	got = s.runCommand(t, "doctor", "--journal", target)
	require.Equal(t, statusFound, got.status)
	require.Contains(t, got.out, "The journal is an old copy")
}

// The rates of watch count the rounds, and no part of a round as a packet.
func TestWatchCountsRounds(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.recordRounds(t, 3, false)
	got := readRows[snapshot](t, s, "watch", "--once")[0]
	require.Zero(t, got.PacketsPerSecond)
	require.Positive(t, got.RoundsPerSecond)
	require.Regexp(t, `· 0\.0 packets/s and [0-9.]+ rounds/s ·`, s.runOK(t, "watch", "--once"))
}

// An amount that has stayed in transit is found, and shown with the sums.
func TestTrialBalanceWithAnAmountInTransit(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.recordRounds(t, 1, false)
	l, err := embedded.Open(s.folder)
	require.NoError(t, err)
	book, err := accounts.NewBook(l, accounts.Config{Namespace: "test", Assets: []accounts.Asset{{Code: "USD", Scale: 2, Ledger: 1}}})
	require.NoError(t, err)
	own, _ := book.AssetIDs(1)
	results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{{
		ID: ledger.NewID(1, 1), DebitAccountID: own.Suspense, CreditAccountID: own.Transit, Amount: ledger.NewAmount(250), Ledger: 1, Code: chart.CodeAdjust,
	}})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferCreated, results[0].Status)
	require.NoError(t, l.Close())
	got := s.runCommand(t, "trial-balance")
	require.Equal(t, statusFound, got.status)
	require.Regexp(t, `USD/2 │ transit +│ +1 │ +1.00 │ +3.50 `, got.out)
	require.Contains(t, got.errors, "an amount has stayed in transit: 2.50 USD on ledger 1")
}
