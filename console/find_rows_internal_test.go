package console

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// findRows names the variable with the number of rows of TestFindInManyRows. Default 2,000.
const findRows = "PEERLEDGER_FIND_ROWS"

// findLimit is the time in which the page has to find anything, also right after the ledger was opened and with none
// of its files in memory. docs/console.md has the figures.
const findLimit = 100 * time.Millisecond

// The page finds packets, conditions, orders, transfers and keys in a folder; in a large one each within findLimit.
// PEERLEDGER_FIND_ROWS=10000000 takes some minutes and 3 GB below the folder for temporary files.
func TestFindInManyRows(t *testing.T) {
	t.Parallel()
	rows, peers, parts, limit := 2000, 50, 10, time.Minute
	if text := os.Getenv(findRows); text != "" {
		var err error
		rows, err = strconv.Atoi(text)
		require.NoError(t, err)
		peers, parts, limit = 1000, 200, findLimit
	}
	folder := t.TempDir()
	things := writeManyRows(t, folder, peers, rows, parts)
	t.Logf("%d rows in the folder", rows)
	var worst time.Duration
	for _, kind := range []string{"packet", "condition", "order", "transfer", "key"} {
		var first, cold, again []time.Duration
		for some := range slices.Chunk(things[kind], parts/5) { // each opens the folder anew, with none of its files in memory
			dropFiles(t, folder)
			took := findAll(t, folder, peers, some)
			first, cold, again = append(first, took[0]), append(cold, took[:len(some)]...), append(again, took[len(some):]...)
		}
		t.Logf("%-9s first after opening: at most %v; read for the first time: %s; again: %s", kind, slices.Max(first), describeTimes(cold), describeTimes(again))
		worst = max(worst, percentile(cold, 99))
	}
	require.LessOrEqual(t, worst, limit)
}

func percentile(list []time.Duration, part int) time.Duration {
	slices.Sort(list)
	return list[(len(list)-1)*part/100]
}

func describeTimes(list []time.Duration) string {
	return fmt.Sprintf("p50 %v, p99 %v", percentile(list, 50), percentile(list, 99))
}

var manyRowsUSD = accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}

// openManyRows opens the books in a folder.
func openManyRows(t *testing.T, folder string, count int) (*embedded.Ledger, *accounts.Book, []accounts.PeerAccount, []string) {
	t.Helper()
	l, err := embedded.Open(folder)
	require.NoError(t, err)
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{manyRowsUSD}})
	require.NoError(t, err)
	var handles []accounts.PeerAccount
	var names []string
	for i := range count {
		names = append(names, fmt.Sprintf("peer-%d.example", i))
		handle, err := book.PeerAccount(names[i], manyRowsUSD)
		require.NoError(t, err)
		handles = append(handles, handle)
	}
	return l, book, handles, names
}

// writeManyRows writes packets, held and fulfilled, and among them orders and corrections by hand. It returns a thing
// of each kind from each part of the rows, in any order.
func writeManyRows(t *testing.T, folder string, count, rows, parts int) map[string][]string {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	l, book, peers, names := openManyRows(t, folder, count)
	defer func() { require.NoError(t, l.Close()) }()
	var configs []accounts.PeerConfig
	for _, name := range names {
		configs = append(configs, accounts.PeerConfig{ID: name, Asset: manyRowsUSD, CreditLine: accounts.Unlimited})
	}
	_, err := book.Provision(t.Context(), configs...)
	require.NoError(t, err)
	things := map[string][]string{}
	var ids chart.PacketIDs
	const packetsPerBatch = 4000
	batches := max(parts, rows/2/packetsPerBatch)
	for batch := range batches {
		var holds, posts []ledger.Transfer
		for range min(packetsPerBatch, rows/2/batches) {
			id := ids.NextID(time.Now())
			from := random.IntN(count)
			to := (from + 1 + random.IntN(count-1)) % count
			hold := ledger.Transfer{
				ID: id, DebitAccountID: peers[from].ID(), CreditAccountID: peers[to].ID(), Amount: ledger.NewAmount(uint64(1 + random.IntN(1000))),
				UserData128: uint128.Uint128(id), UserData64: random.Uint64() | 1, Ledger: manyRowsUSD.Ledger, Code: chart.CodePacket, Flags: ledger.TransferPending, Timeout: 60,
			}
			post := ledger.Transfer{ID: id, PendingID: id, Flags: ledger.TransferPostPending, Amount: ledger.AmountMax}
			post.ID.Lo++
			holds, posts = append(holds, hold), append(posts, post)
		}
		createRows(t, l, holds)
		createRows(t, l, posts)
		if batch%(batches/parts) != 0 || len(things["key"]) == parts {
			continue
		}
		pick := holds[random.IntN(len(holds))]
		things["packet"] = append(things["packet"], pick.ID.String())
		things["transfer"] = append(things["transfer"], posts[random.IntN(len(posts))].ID.String())
		var tag [8]byte
		binary.BigEndian.PutUint64(tag[:], pick.UserData64)
		things["condition"] = append(things["condition"], hex.EncodeToString(tag[:]))
		key := fmt.Sprintf("wire %d", batch)
		_, err := book.Adjust(t.Context(), accounts.Adjustment{Account: peers[random.IntN(len(peers))], Key: key, Credit: ledger.NewAmount(1), ReasonCode: 1})
		require.NoError(t, err)
		things["key"] = append(things["key"], key)
		things["order"] = append(things["order"], writeOrder(t, l, book, peers[random.IntN(len(peers))]).String())
	}
	for kind := range things {
		random.Shuffle(len(things[kind]), func(i, j int) { things[kind][i], things[kind][j] = things[kind][j], things[kind][i] })
	}
	return things
}

// writeOrder writes an order and its post, as an engine does.
func writeOrder(t *testing.T, l ledger.Ledger, book *accounts.Book, account accounts.PeerAccount) ledger.ID {
	t.Helper()
	order := ledger.Transfer{
		ID: chart.TimedID(time.Now()), DebitAccountID: account.ID(), CreditAccountID: book.PeerIDs(account).Settlement, Amount: ledger.NewAmount(1),
		UserData128: uint128.Uint128(ledger.NewID(1, 1)), UserData64: 1<<56 + 1, Ledger: manyRowsUSD.Ledger, Code: chart.CodeOrder, Flags: ledger.TransferPending,
	}
	createRows(t, l, []ledger.Transfer{order})
	createRows(t, l, []ledger.Transfer{{ID: chart.TimedID(time.Now()), PendingID: order.ID, Flags: ledger.TransferPostPending, Amount: ledger.AmountMax}})
	return order.ID
}

func createRows(t *testing.T, l ledger.Ledger, rows []ledger.Transfer) {
	t.Helper()
	results, err := l.CreateTransfers(t.Context(), rows)
	require.NoError(t, err)
	for i := range results {
		require.Equal(t, ledger.TransferCreated, results[i].Status)
	}
}

// findAll opens the folder, and asks the console's page for each thing, twice. It returns the times of the answers.
func findAll(t *testing.T, folder string, count int, things []string) []time.Duration {
	t.Helper()
	l, book, _, names := openManyRows(t, folder, count)
	defer func() { require.NoError(t, l.Close()) }()
	c, err := New(Config{Book: book, Peers: func(accounts.Asset) []string { return names }})
	require.NoError(t, err)
	defer c.Close()
	session, _ := c.secrets.beginSession(c.secrets.addLogin())
	var took []time.Duration
	for _, thing := range slices.Concat(things, things) {
		r := httptest.NewRequest("GET", "/find?q="+strings.ReplaceAll(thing, " ", "+"), nil)
		r.Host = "localhost"
		r.AddCookie(c.newCookie(r, session))
		w := httptest.NewRecorder()
		began := time.Now()
		c.ServeHTTP(w, r)
		took = append(took, time.Since(began))
		require.Equal(t, 200, w.Code, w.Body)
		require.Contains(t, w.Body.String(), `<article class="thing">`, thing)
	}
	return took
}

// dropFiles has the system forget the files of a folder, so that they are read from the disk again.
func dropFiles(t *testing.T, folder string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return forgetFile(path)
	}))
}
