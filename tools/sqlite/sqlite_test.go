package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// Both sides write the packets, and their books add up.
func TestCompare(t *testing.T) {
	t.Parallel()
	for _, way := range []string{wayC, wayGo} {
		for _, legs := range []string{"1", "2"} {
			testCompare(t, "-way", way, "-legs", legs)
		}
	}
	require.ErrorIs(t, compare(t.Context(), []string{"-window", "1"}, io.Discard, io.Discard), errUsage)
}

func testCompare(t *testing.T, args ...string) {
	t.Helper()
	var out bytes.Buffer
	args = append(args, "-packets", "500", "-window", "64", "-peers", "3", "-count", "2", "-all-cores", "-dir", t.TempDir())
	require.NoError(t, compare(t.Context(), append(args, "-json", "-indexes"), &out, io.Discard))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 4)
	for _, line := range lines[1:] {
		var r round
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		for _, f := range []figures{r.Folder, r.SQLite} {
			require.Equal(t, int64(500), f.Packets)
			require.Positive(t, f.Rate)
			require.Positive(t, f.P50)
			require.LessOrEqual(t, f.P50, f.P99)
			require.LessOrEqual(t, f.P99, f.P100)
			require.Positive(t, f.Requests)
			require.Greater(t, f.Disk, int64(500*2*100))
		}
		require.InEpsilon(t, r.Folder.Rate/r.SQLite.Rate, r.Ratio, 1e-9)
	}
	out.Reset()
	require.NoError(t, compare(t.Context(), args, &out, io.Discard))
	require.Contains(t, out.String(), "ratio of packets/s")
}

// A limit, an unknown hold and an unknown account refuse the whole chain, and nothing is left of it.
func TestRefusals(t *testing.T) {
	t.Parallel()
	l := embedded.New()
	tr, _, err := newTraffic(t.Context(), l, 2, 2, 1)
	require.NoError(t, err)
	b, err := openSQLite(filepath.Join(t.TempDir(), "books"), []string{"PRAGMA synchronous=OFF"}, false)
	require.NoError(t, err)
	for _, p := range tr.peers {
		require.NoError(t, b.addAccount(p.ID(), true, amountOut+fee))
	}
	require.NoError(t, b.addAccount(tr.revenue, false, 0))
	from, _ := tr.choose(0)

	require.ErrorContains(t, b.apply(tr.appendPost(nil, 0)), "answer 3", "there is no hold")
	require.NoError(t, b.apply(tr.appendHold(nil, 0)))
	got, err := b.read(from.ID())
	require.NoError(t, err)
	require.Equal(t, balances{amountOut + fee, 0, 0, amountOut + fee}, got)
	again := int64(1)
	for first, _ := tr.choose(again); first != from; first, _ = tr.choose(again) {
		again++
	}
	require.ErrorContains(t, b.apply(tr.appendHold(nil, again)), "answer 2", "the line is used up")
	require.ErrorContains(t, b.apply(tr.appendHold(nil, 0)[:1]), "answer 2")
	unknown := tr.appendHold(nil, again)
	unknown[1].CreditAccountID = ledger.NewID(5, 5)
	unknown[0].DebitAccountID, unknown[1].DebitAccountID = tr.revenue, tr.revenue
	require.ErrorContains(t, b.apply(unknown), "answer 1", "the other leg has no account")
	require.NoError(t, b.apply(tr.appendPost(nil, 0)))
	require.ErrorContains(t, b.apply(tr.appendPost(nil, 0)), "answer 3", "a hold is posted once")
	got, err = b.read(from.ID())
	require.NoError(t, err)
	require.Equal(t, balances{0, 0, amountOut + fee, amountOut + fee}, got)
	rows, holds, err := b.count()
	require.NoError(t, err)
	require.Equal(t, []int64{4, 0}, []int64{rows, holds})
	require.NoError(t, b.close())
	require.NoError(t, l.Close())
}

// The way of Go refuses too, and then ends.
func TestRefusalsInGo(t *testing.T) {
	t.Parallel()
	l := embedded.New()
	tr, _, err := newTraffic(t.Context(), l, 2, 2, 1)
	require.NoError(t, err)
	for _, c := range []struct {
		events []ledger.Transfer
		want   error
	}{{tr.appendPost(nil, 0), sql.ErrNoRows}, {tr.appendHold(nil, 0), errRefused}} {
		b, err := openGoBooks(t.Context(), filepath.Join(t.TempDir(), "books"), nil, false)
		require.NoError(t, err)
		for _, p := range tr.peers {
			require.NoError(t, b.addAccount(p.ID(), true, amountOut)) // less than the packet with its fee
		}
		require.NoError(t, b.addAccount(tr.revenue, false, 0))
		require.ErrorIs(t, b.apply(c.events), c.want)
		require.NoError(t, b.close())
	}
	require.NoError(t, l.Close())
}
