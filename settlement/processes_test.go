//go:build unix

package settlement_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
)

// childJob is the task of a child process, passed in its environment.
type childJob struct{ kind, folder, instance, number string }

const jobEnv = "PEERLEDGER_SETTLEMENT_TEST"

func (j childJob) newCommand(t *testing.T) *exec.Cmd {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^TestChildProcess$", "-test.timeout=5m")
	c.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", jobEnv+"="+strings.Join([]string{j.kind, j.folder, j.instance, j.number}, "\n"))
	return c
}

// TestChildProcess is run in other processes, by the tests of processes. The test does nothing in
// any other process.
func TestChildProcess(t *testing.T) { //nolint:paralleltest // it is alone in its process
	fields := strings.Split(os.Getenv(jobEnv), "\n")
	if len(fields) != 4 {
		return
	}
	j := childJob{fields[0], fields[1], fields[2], fields[3]}
	switch j.kind {
	case "settle":
		settleUntilKilled(t, j)
	case "traffic":
		engineWithTraffic(t, j)
	}
}

// processKiller kills the process at one point, and writes down the names of all points passed.
type processKiller struct {
	t      *testing.T
	at     int
	points *os.File
	passed int
}

func (k *processKiller) passPoint(name string) {
	_, err := fmt.Fprintln(k.points, name)
	require.NoError(k.t, err)
	if k.passed == k.at {
		require.NoError(k.t, syscall.Kill(os.Getpid(), syscall.SIGKILL))
		select {} // until it arrives
	}
	k.passed++
}

// killingLedger passes a point of the processKiller before and after each request.
type killingLedger struct {
	ledger.Ledger
	killer *processKiller
}

func (l killingLedger) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	name := "order"
	switch {
	case rows[0].Code == chart.CodeClaim:
		name = "claim"
	case !rows[0].PendingID.IsZero():
		name = "resolve"
	}
	l.killer.passPoint("before " + name)
	results, err := l.Ledger.CreateTransfers(ctx, rows)
	l.killer.passPoint("after " + name)
	return results, err
}

func (l killingLedger) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	defer l.killer.passPoint("after a look at balances")
	return l.Ledger.LookupAccounts(ctx, ids)
}

func (l killingLedger) LookupTransfers(ctx context.Context, ids []ledger.ID) ([]ledger.Transfer, error) {
	defer l.killer.passPoint("after the look at the order")
	return l.Ledger.LookupTransfers(ctx, ids)
}

func (l killingLedger) GetAccountTransfers(ctx context.Context, filter ledger.AccountFilter) ([]ledger.Transfer, error) {
	defer l.killer.passPoint("after a query")
	return l.Ledger.GetAccountTransfers(ctx, filter)
}

// settleUntilKilled settles on the ledger in a folder, and is killed at the point with the job's
// number, if there are so many points.
func settleUntilKilled(t *testing.T, j childJob) {
	t.Helper()
	at, err := strconv.Atoi(j.number)
	require.NoError(t, err)
	points, err := os.OpenFile(filepath.Join(j.folder, "points "+j.instance), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	k := &processKiller{t: t, at: at, points: points}
	l, err := embedded.Open(filepath.Join(j.folder, "ledger"))
	require.NoError(t, err)
	r := folderRail{
		folder: filepath.Join(j.folder, "rail"),
		before: func() { k.passPoint("in the hook, before the rail acted") },
		after:  func() { k.passPoint("in the hook, after the rail acted") },
	}
	cfg := manualConfig(r, at100)
	cfg.Instance = j.instance
	if j.instance != "first" {
		cfg.Clock = func() time.Time { return time.Now().Add(time.Hour) } // long after
	}
	book := newBook(t, killingLedger{l, k})
	e, err := settlement.NewEngine(killingLedger{l, k}, book, cfg)
	require.NoError(t, err)
	alice, err := book.PeerAccount("alice", usd)
	require.NoError(t, err)
	_, err = e.Settle(t.Context(), alice)
	require.NoError(t, err)
	require.NoError(t, e.Close(t.Context()))
	require.NoError(t, l.Close())
}

// folderWorld makes a folder with a ledger, where we owe alice 100, and an empty rail.
func folderWorld(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(folder, "rail"), 0o700))
	l, err := embedded.Open(filepath.Join(folder, "ledger"))
	require.NoError(t, err)
	book := newBook(t, l)
	_, err = book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(1000)})
	require.NoError(t, err)
	alice, err := book.PeerAccount("alice", usd)
	require.NoError(t, err)
	earnAll(t, l, book, ledger.NewID(1, 7), []accounts.PeerAccount{alice}, []uint64{100})
	require.NoError(t, l.Close())
	return folder
}

// earnAll credits peers as packets do, in one request.
func earnAll(t *testing.T, l ledger.Ledger, book *accounts.Book, id ledger.ID, peers []accounts.PeerAccount, amounts []uint64) {
	t.Helper()
	own, _ := book.AssetIDs(usd.Ledger)
	var rows []ledger.Transfer
	for i, a := range peers {
		id.Lo++
		rows = append(rows, ledger.Transfer{
			ID: id, DebitAccountID: own.Liquidity, CreditAccountID: a.ID(), Amount: units(amounts[i]),
			Ledger: usd.Ledger, Code: chart.CodePacket,
		})
	}
	results, err := l.CreateTransfers(t.Context(), rows)
	require.NoError(t, err)
	for _, r := range results {
		require.Equal(t, ledger.TransferCreated, r.Status)
	}
}

// TestKilledAtEveryStep kills a process, with SIGKILL, between every two steps of an order: a first
// process passes all points, which lists the points. Then a second process goes on, of the same
// instance or, a lease later, of another instance. If the first process was killed after the rail had
// acted, the second is killed at each of its points too. The rail has paid once, and the books agree.
func TestKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	folder := folderWorld(t)
	require.NoError(t, childJob{"settle", folder, "first", "-1"}.newCommand(t).Run())
	points := listPoints(t, folder, "first")
	for _, name := range []string{
		"before order", "after order", "after the look at the order",
		"in the hook, before the rail acted", "in the hook, after the rail acted",
		"before resolve", "after resolve",
	} {
		require.Contains(t, points, name)
	}
	acted := slices.Index(points, "in the hook, after the rail acted")
	for _, heir := range []string{"first", "second"} {
		for at, name := range points {
			t.Run(fmt.Sprintf("killed %d, %s, followed by the %s", at, name, heir), func(t *testing.T) {
				t.Parallel()
				folder := folderWorld(t)
				require.Equal(t, name, runUntilKilled(t, folder, "first", at))
				requirePaidOnce(t, folder, heir)
			})
		}
	}
	folder = folderWorld(t)
	runUntilKilled(t, folder, "first", acted)
	require.NoError(t, childJob{"settle", folder, "second", "-1"}.newCommand(t).Run())
	heirs := listPoints(t, folder, "second")
	require.Contains(t, heirs, "before claim")
	require.Contains(t, heirs, "after claim")
	for at, name := range heirs {
		t.Run(fmt.Sprintf("killed %d, %s, when it took over", at, name), func(t *testing.T) {
			t.Parallel()
			folder := folderWorld(t)
			runUntilKilled(t, folder, "first", acted)
			require.Equal(t, name, runUntilKilled(t, folder, "second", at))
			requirePaidOnce(t, folder, "second")
		})
	}
}

func listPoints(t *testing.T, folder, instance string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "points "+instance))
	require.NoError(t, err)
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// runUntilKilled runs a process until the kill, and returns the name of the point.
func runUntilKilled(t *testing.T, folder, instance string, at int) (name string) {
	t.Helper()
	err := childJob{"settle", folder, instance, strconv.Itoa(at)}.newCommand(t).Run()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	status, ok := exit.Sys().(syscall.WaitStatus)
	require.True(t, ok)
	require.Equal(t, syscall.SIGKILL, status.Signal())
	points := listPoints(t, folder, instance)
	require.Len(t, points, at+1)
	return points[at]
}

// requirePaidOnce lets a process of an instance go on, and checks rail and books.
func requirePaidOnce(t *testing.T, folder, heir string) {
	t.Helper()
	out, err := childJob{"settle", folder, heir, "-1"}.newCommand(t).CombinedOutput()
	require.NoError(t, err, "%s", out)
	r := folderRail{folder: filepath.Join(folder, "rail")}
	require.Equal(t, map[string][]ledger.Amount{"alice": {units(80)}}, r.readPayments(t), "the rail paid once")
	l, err := embedded.Open(filepath.Join(folder, "ledger"))
	require.NoError(t, err)
	book := newBook(t, l)
	alice, err := book.PeerAccount("alice", usd)
	require.NoError(t, err)
	b, err := book.Balance(t.Context(), alice)
	require.NoError(t, err)
	require.Equal(t, units(80), b.SettledOut)
	require.Equal(t, units(20), b.Payable)
	ledgertest.RequireNothingHeld(t, l)
	require.NoError(t, l.Close())
}
