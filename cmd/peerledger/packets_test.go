package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/packetlog"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// recordWhile sends packets from alice to bob through a recorder of rounds, the first rejected. work gets the
// journal's folder while the recorder runs.
func (s testLedger) recordWhile(t *testing.T, packets int, work func(folder string)) {
	t.Helper()
	cfg, err := parseConfig([]byte(configuration))
	require.NoError(t, err)
	l, err := embedded.Open(s.folder)
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	book, err := accounts.NewBook(l, cfg.toBookConfig())
	require.NoError(t, err)
	usd := cfg.toBookConfig().Assets[0]
	alice, err := book.PeerAccount("alice", usd)
	require.NoError(t, err)
	bob, err := book.PeerAccount("bob", usd)
	require.NoError(t, err)
	folder := filepath.Join(t.TempDir(), "journal")
	r, err := aggregate.NewRecorder(t.Context(), l, book, aggregate.Config{JournalFolder: folder})
	require.NoError(t, err)
	for n := range packets {
		p := transfers.Packet{ID: packetID(n), From: alice, To: bob, In: 150, Out: 140, Expiry: time.Now().Add(30 * time.Second)}
		binary.BigEndian.PutUint64(p.Condition[:], 0xc0ffee0000000000+uint64(n))
		held, err := r.Prepare(t.Context(), p)
		require.NoError(t, err)
		if n == 0 {
			_, err = r.Reject(t.Context(), held.Packet)
		} else {
			_, err = r.Fulfill(t.Context(), held.Packet)
		}
		require.NoError(t, err)
	}
	work(folder)
	require.NoError(t, r.Close(t.Context()))
}

func packetID(n int) ledger.ID { return ledger.NewID(uint64(n+1)<<8, 7) }

// The command finds packets by each flag, while the recorder runs.
func TestPackets(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.recordWhile(t, 10, func(folder string) {
		run := func(args ...string) outcome {
			t.Helper()
			return runApp(t, append([]string{"packets", "--config", s.config, "--journal", folder}, args...)...)
		}
		count := func(args ...string) int {
			t.Helper()
			got := run(append(args, "--json")...)
			require.Equal(t, statusDone, got.status, got.errors)
			return strings.Count(got.out, "\n")
		}
		for want, lines := range map[int][]string{
			10: {"", "--peer alice", "--peer bob --asset USD", "--since 1h", "--limit 0"},
			0:  {"--peer carol", "--asset EUR", "--until 2020-01-01", "--id ff", "--condition 00000000000000aa"},
			1:  {"--id " + packetID(2).String(), "--condition c0ffee0000000002", "--condition c0ffee0000000002" + strings.Repeat("0", 48)},
		} {
			for _, line := range lines {
				require.Equal(t, want, count(strings.Fields(line)...), line)
			}
		}
		table := run().out
		require.Contains(t, table, "rejected")
		require.Regexp(t, `fulfilled │ alice +│ 1.50 │ USD/2 │ bob │ 1.40 │ USD/2 │ 0+70+200 │ c0ffee0000000001`, table)
		got := run("--limit", "3", "--newest", "--json")
		require.Equal(t, 3, strings.Count(got.out, "\n"))
		require.Contains(t, got.errors, "more packets than the 3 shown")
		require.Contains(t, got.out, `"condition":"c0ffee0000000009`)

		require.Equal(t, packetID(1).String()+"\n"+packetID(2).String()+"\n", strings.Join(strings.SplitAfter(run("-o", "name").out, "\n")[1:3], ""))
		require.Regexp(t, `^\[\{"json":1,.*"packet":"`+packetID(9).String()+`.*\}\]\n$`, run("-o", "json", "--id", packetID(9).String()).out)
		require.Equal(t, "[]\n", run("-o", "json", "--peer", "carol").out)
		require.Contains(t, run("--json", "--sort", "outcome:desc", "--limit", "2").out, `"outcome":"rejected"`, "sorted, and not streamed")

		for text, line := range map[string]string{
			"--until must be after": "--since 2026-01-02 --until 2026-01-01", "--since": "--since soon", "--id": "--id xyz", "--condition must be": "--condition c0ff",
			"--limit must be": "--limit -1", "there is no asset": "--asset GBP",
		} {
			got := run(strings.Fields(line)...)
			require.Equal(t, statusUsage, got.status, line)
			require.Contains(t, got.errors, text)
			require.Empty(t, got.out)
		}
		require.Equal(t, statusFailed, run("--round", "1000").status)
	})
	got := runApp(t, "packets", "--config", s.config, "--journal", t.TempDir())
	require.Equal(t, statusUsage, got.status)
	got = runApp(t, "packets", "--journal", t.TempDir())
	require.Equal(t, statusUsage, got.status)
	require.Contains(t, got.errors, "no assets are configured")
}

// A statement shows rounds, and with --packets the packets. The packets of a round are found by its number.
func TestStatementOfRounds(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	journal := ""
	s.recordWhile(t, 5, func(folder string) { journal = folder })
	rounds := s.runOK(t, "statement", "alice@USD")
	require.Regexp(t, `│ round \d+ +│ +-[0-9.]+ │ `, rounds)
	require.Regexp(t, `closing +│ +│ +-6.00 │`, rounds)
	table := s.runOK(t, "statement", "alice@USD", "--packets", "--journal", journal)
	require.Equal(t, 4, strings.Count(table, "│ packet      │"), table)
	require.NotContains(t, table, "round")
	require.Contains(t, table, packetID(1).String())

	found := 0
	for round := 1; found < 4; round++ {
		got := runApp(t, "packets", "--config", s.config, "--journal", journal, "--round", fmt.Sprint(round), "--json")
		require.Equal(t, statusDone, got.status, got.errors)
		require.Empty(t, got.errors)
		found += strings.Count(got.out, "\n")
		require.NotContains(t, got.out, "rejected")
		require.Less(t, round, 50)
	}

	require.NoError(t, os.Rename(journal, journal+".away"))
	w, err := packetlog.CreateArchive(mkdir(t, journal, packetlog.ArchiveFolder), 1, 1)
	require.NoError(t, err)
	require.NoError(t, w.Commit())
	table = s.runOK(t, "statement", "alice@USD", "--packets", "--journal", journal)
	require.Contains(t, table, "packets are gone")
	for _, args := range [][]string{{"--packets"}, {"--journal", journal}, {"--packets", "--journal", t.TempDir()}} {
		got := s.runCommand(t, append([]string{"statement", "alice@USD"}, args...)...)
		require.Equal(t, statusUsage, got.status, "%v: %s", args, got.errors)
	}
}

func mkdir(t *testing.T, path ...string) string {
	t.Helper()
	folder := filepath.Join(path...)
	require.NoError(t, os.MkdirAll(folder, 0o700))
	return folder
}
