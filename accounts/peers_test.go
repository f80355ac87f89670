package accounts_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

var directoryScenarios = []scenario{
	{"directory of claimed and unclaimed peers", testDirectory},
	{"directory while others provision", testDirectoryWhileProvisioning},
	{"assets checked", testCheckAssets},
	{"peers in streams", testStreams},
}

// listPeers collects Book.Peers.
func listPeers(t *testing.T, book *accounts.Book, asset accounts.Asset, names ...string) []accounts.PeerEntry {
	t.Helper()
	var all []accounts.PeerEntry
	for l, err := range book.Peers(t.Context(), asset, names...) {
		require.NoError(t, err)
		all = append(all, l)
	}
	return all
}

func testDirectory(t *testing.T, l ledger.Ledger) {
	ctx, book := t.Context(), newBook(t, l)
	peers := provision(t, book, 100, "alice", "bob", "carol")
	_, err := book.Provision(ctx, accounts.PeerConfig{ID: "alice", Asset: xrp})
	require.NoError(t, err)
	other, err := accounts.NewBook(l, accounts.Config{Namespace: t.Name() + " other", Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	provision(t, other, 5, "alice", "stranger")
	movePacket(t, l, peers[0].ID(), peers[1].ID(), 30, 0)

	got := listPeers(t, book, usd, "carol", "alice", "dave")
	require.Len(t, got, 3, "ours in USD")
	for i, listing := range got {
		want := balance(t, book, peers[i])
		require.Equal(t, peers[i].ID(), listing.ID)
		require.Equal(t, i != 1, listing.Known())
		if i == 1 { // bob is no known name, but his entry is complete
			require.True(t, listing.Account.IsZero())
			want.Account = accounts.PeerAccount{}
		} else {
			require.Equal(t, peers[i], listing.Account)
		}
		require.Equal(t, want, listing.Balance)
	}
	require.Len(t, listPeers(t, book, xrp), 1)
	missing, err := book.MissingPeers(ctx, usd, "dave", "alice", "erin")
	require.NoError(t, err)
	require.Equal(t, []string{"dave", "erin"}, missing)

	// An interrupted provisioning.
	records, err := l.LookupAccounts(ctx, []ledger.ID{peers[0].ID()})
	require.NoError(t, err)
	half := mustAccount(t, book, "half")
	record := records[0]
	record.ID, record.Timestamp, record.DebitsPosted, record.CreditsPosted = half.ID(), 0, units(0), units(0)
	record.UserData128 = chart.Namespace(t.Name()).PeerTag("half")
	created, err := l.CreateAccounts(ctx, []ledger.Account{record})
	require.NoError(t, err)
	require.Equal(t, ledger.AccountCreated, created[0].Status)
	for _, names := range [][]string{{"half"}, nil} {
		all := listPeers(t, book, usd, names...)
		require.Len(t, all, 4)
		require.True(t, all[3].Incomplete)
		require.Equal(t, len(names) > 0, all[3].Known())
	}
	provision(t, book, 100, "half")
	require.False(t, listPeers(t, book, usd)[3].Incomplete)
}

func TestDirectoryOfNothing(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	book := newBook(t, l)
	require.Empty(t, listPeers(t, book, usd, "alice"))
	first := func(asset accounts.Asset, names ...string) error {
		for _, err := range book.Peers(t.Context(), asset, names...) {
			return err
		}
		return nil
	}
	euro := accounts.Asset{Code: "EUR", Scale: 2, Ledger: 1}
	require.ErrorIs(t, first(euro), accounts.ErrUnknownAsset)
	requireField(t, first(usd, ""), "ID")
	_, err := book.MissingPeers(t.Context(), euro, "alice")
	require.ErrorIs(t, err, accounts.ErrUnknownAsset)
	_, err = book.MissingPeers(t.Context(), usd, "\xff")
	requireField(t, err, "ID")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range book.Peers(ctx, usd) {
		require.ErrorIs(t, err, context.Canceled)
	}
}

func testDirectoryWhileProvisioning(t *testing.T, l ledger.Ledger) {
	book := newBook(t, l)
	var names []string
	for n := range 200 {
		names = append(names, fmt.Sprint("first ", n))
	}
	provision(t, book, 1, names...)
	var others sync.WaitGroup
	for n := range 4 {
		others.Go(func() {
			for k := range 10 {
				name := fmt.Sprint("later ", n, " ", k)
				if _, err := newBook(t, l).Provision(t.Context(), accounts.PeerConfig{ID: name, Asset: usd}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 5 {
		seen := map[string]int{}
		for _, listing := range listPeers(t, book, usd, names...) {
			seen[listing.Account.Peer()]++
		}
		for _, name := range names {
			require.Equal(t, 1, seen[name], "each that was there is listed once")
		}
	}
	others.Wait()
	require.Len(t, listPeers(t, book, usd), 240)
}

func testCheckAssets(t *testing.T, l ledger.Ledger) {
	ctx := t.Context()
	bookOf := func(namespace string, assets ...accounts.Asset) *accounts.Book {
		t.Helper()
		book, err := accounts.NewBook(l, accounts.Config{Namespace: t.Name() + namespace, Assets: assets})
		require.NoError(t, err)
		return book
	}
	// Numbers used by no other test.
	gold, silver := accounts.Asset{Code: "GOLD", Scale: 4, Ledger: 901}, accounts.Asset{Code: "SILVER", Scale: 4, Ledger: 902}
	book := bookOf("", gold, silver)
	require.NoError(t, book.CheckAssets(ctx), "nothing is there yet")
	_, err := book.Provision(ctx)
	require.NoError(t, err)
	require.NoError(t, book.CheckAssets(ctx))

	requireDrift := func(err error, fields ...string) {
		t.Helper()
		var drift *accounts.DriftError
		require.ErrorIs(t, err, accounts.ErrDrift)
		require.ErrorAs(t, err, &drift)
		var got []string
		for _, d := range drift.Drifts {
			if !slices.Contains(got, d.Field) {
				got = append(got, d.Field)
			}
		}
		require.ElementsMatch(t, fields, got, err)
	}
	requireDrift(bookOf("", accounts.Asset{Code: "GOLD", Scale: 5, Ledger: 901}).CheckAssets(ctx), "scale")
	requireDrift(bookOf("", accounts.Asset{Code: "SILVER", Scale: 4, Ledger: 901}, gold2(902)).CheckAssets(ctx), "asset", "ledger")
	requireDrift(bookOf(" other", accounts.Asset{Code: "GOLD", Scale: 5, Ledger: 901}).CheckAssets(ctx), "scale")
	require.NoError(t, bookOf(" other", gold).CheckAssets(ctx), "another namespace may share a number with the same scale")

	moved := bookOf("", gold2(903))
	requireDrift(moved.CheckAssets(ctx), "ledger")
	handles, err := moved.Provision(ctx, accounts.PeerConfig{ID: "alice", Asset: gold2(903)})
	requireDrift(err, "ledger")
	require.Nil(t, handles)
	for _, err := range moved.ProvisionAll(ctx, slices.Values([]accounts.PeerConfig{{ID: "alice", Asset: gold2(903)}})) {
		requireDrift(err, "ledger")
	}
	rows, err := l.QueryAccounts(ctx, ledger.QueryFilter{Ledger: 903, Limit: 1})
	require.NoError(t, err)
	require.Empty(t, rows, "nothing was written")
	require.NoError(t, bookOf("", gold, gold2(903)).CheckAssets(ctx), "a code may have several numbers")

	registered, err := book.RegisteredAssets(ctx)
	require.NoError(t, err)
	require.Contains(t, registered, accounts.RegisteredAsset{Ledger: 901, Scale: 4, Asset: gold})
	registered, err = bookOf("", gold).RegisteredAssets(ctx)
	require.NoError(t, err)
	require.Contains(t, registered, accounts.RegisteredAsset{Ledger: 902, Scale: 4}, "one that is not configured")
}

func gold2(number uint32) accounts.Asset {
	return accounts.Asset{Code: "GOLD", Scale: 4, Ledger: number}
}

func testStreams(t *testing.T, l ledger.Ledger) {
	ctx := t.Context()
	var progress []accounts.Progress
	book, err := accounts.NewBook(l, accounts.Config{
		Namespace: t.Name(), Assets: []accounts.Asset{usd, xrp}, Progress: func(p accounts.Progress) { progress = append(progress, p) },
	})
	require.NoError(t, err)
	const n = 3000 // more than one request takes
	peers := manyPeers(n)
	var handles []accounts.PeerAccount
	for a, err := range book.ProvisionAll(ctx, slices.Values(peers)) {
		require.NoError(t, err)
		handles = append(handles, a)
	}
	require.Len(t, handles, n)
	i := 0
	for b, err := range book.AllBalances(ctx, slices.Values(handles)) {
		require.NoError(t, err)
		require.Equal(t, handles[i], b.Account)
		require.Equal(t, peers[i].CreditLine, b.CreditLine)
		i++
	}
	require.Equal(t, n, i)
	require.Len(t, listPeers(t, book, usd), n)
	last := map[string]accounts.Progress{}
	for _, p := range progress {
		require.Greater(t, p.Done, last[p.Phase].Done)
		last[p.Phase] = p
	}
	for _, phases := range []string{"provision peers", "read balances", "list peers"} {
		require.Equal(t, n, last[phases].Done, phases)
	}

	// A fault of a single peer does not keep the others from being provisioned; an invalid
	// argument ends the stream.
	peers[5].CreditLine = units(9999)
	var faults []error
	count := 0
	for a, err := range book.ProvisionAll(ctx, slices.Values(peers)) {
		if err != nil {
			faults = append(faults, err)
			require.True(t, a.IsZero())
		} else {
			count++
		}
	}
	require.Len(t, faults, 1)
	require.ErrorIs(t, faults[0], accounts.ErrDrift)
	require.Equal(t, n, count)
	peers[2990].ID = strings.Repeat("x", 1024)
	count = 0
	for _, err := range book.ProvisionAll(ctx, slices.Values(peers[2000:])) {
		if err != nil {
			requireField(t, err, "ID")
		} else {
			count++
		}
	}
	require.Zero(t, count, "nothing of the chunk was written")
	for _, err := range book.AllBalances(ctx, slices.Values([]accounts.PeerAccount{mustAccount(t, book, "nobody")})) {
		require.ErrorIs(t, err, accounts.ErrNotProvisioned)
	}
}

// A caller that ends an iteration early causes no further requests.
func TestListsThatAreLeft(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	ctx, seen := t.Context(), 0
	for _, err := range w.book.Peers(ctx, usd) {
		require.NoError(t, err)
		if seen++; seen == 2 {
			break
		}
	}
	require.Equal(t, 2, seen)
	for b, err := range w.book.AllBalances(ctx, slices.Values(w.allPeers())) {
		require.NoError(t, err)
		require.Equal(t, w.peers["carol"], b.Account)
		break
	}
	for a, err := range w.book.ProvisionAll(ctx, slices.Values([]accounts.PeerConfig{{ID: "hans", Asset: usd}, {ID: "ida", Asset: usd}})) {
		require.NoError(t, err)
		require.Equal(t, mustAccount(t, w.book, "hans"), a)
		break
	}
	s, err := w.book.Statement(ctx, w.peers["carol"], time.Time{}, time.Time{})
	require.NoError(t, err)
	for _, err := range s.Entries(ctx) {
		require.NoError(t, err)
		break
	}
}
