//go:build unix

package settlement_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/remotetest"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
)

// folderRail is a rail of several processes, which outlives them: a folder with a file for
// each key that was paid.
type folderRail struct {
	folder        string
	before, after func() // what happens before and after it acts
}

// Settle writes the payment into a file of its own, and gives that the name of the key. Only
// one of those that do so at once can; the others find what was paid.
func (r folderRail) Settle(_ context.Context, o settlement.Order) (ledger.Amount, error) {
	r.before()
	mine, err := os.CreateTemp(r.folder, "tmp-")
	if err != nil {
		return ledger.Amount{}, err
	}
	_, err = fmt.Fprintf(mine, "%s %s", o.Account.Peer(), o.Amount)
	if err := errors.Join(err, mine.Close()); err != nil {
		return ledger.Amount{}, err
	}
	key := filepath.Join(r.folder, o.ID.String())
	if err := os.Link(mine.Name(), key); err != nil && !errors.Is(err, fs.ErrExist) {
		return ledger.Amount{}, err
	}
	r.after()
	_, paid, err := readPayment(key)
	return paid, errors.Join(err, os.Remove(mine.Name()))
}

func readPayment(file string) (peer string, paid ledger.Amount, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", ledger.Amount{}, err
	}
	peer, amount, _ := strings.Cut(string(text), " ")
	paid, err = ledger.ParseAmount(amount)
	return peer, paid, err
}

// payments are what the rail paid, by peer.
func (r folderRail) payments(t *testing.T) map[string][]ledger.Amount {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(r.folder, "*"))
	require.NoError(t, err)
	all := map[string][]ledger.Amount{}
	for _, file := range files {
		if strings.HasPrefix(filepath.Base(file), "tmp-") {
			continue // of a process that was killed
		}
		peer, paid, err := readPayment(file)
		require.NoError(t, err)
		all[peer] = append(all[peer], paid)
	}
	return all
}

// job is what a child process does, in its environment.
type job struct{ kind, folder, instance, number string }

const jobEnv = "PEERLEDGER_SETTLEMENT_TEST"

func (j job) command(t *testing.T) *exec.Cmd {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^TestChildProcess$", "-test.timeout=5m")
	c.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", jobEnv+"="+strings.Join([]string{j.kind, j.folder, j.instance, j.number}, "\n"))
	return c
}

// TestChildProcess is what the tests of this file run in other processes.
func TestChildProcess(t *testing.T) { //nolint:paralleltest // it is alone in its process
	fields := strings.Split(os.Getenv(jobEnv), "\n")
	if len(fields) != 4 {
		t.Skip("it is a part of other tests")
	}
	j := job{fields[0], fields[1], fields[2], fields[3]}
	switch j.kind {
	case "settle":
		settleUntilKilled(t, j)
	case "traffic":
		engineWithTraffic(t, j)
	}
}

// killer kills the process at one of the points that it passes, and writes down the names of
// all that it gets to.
type killer struct {
	t      *testing.T
	at     int
	points *os.File
	passed int
}

func (k *killer) point(name string) {
	_, err := fmt.Fprintln(k.points, name)
	require.NoError(k.t, err)
	if k.passed == k.at {
		require.NoError(k.t, syscall.Kill(os.Getpid(), syscall.SIGKILL))
		select {} // until it arrives
	}
	k.passed++
}

// killing is a ledger that is between a process and its killer.
type killing struct {
	ledger.Ledger
	killer *killer
}

func (l killing) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	name := "order"
	switch {
	case rows[0].Code == chart.CodeClaim:
		name = "claim"
	case !rows[0].PendingID.IsZero():
		name = "resolve"
	}
	l.killer.point("before " + name)
	results, err := l.Ledger.CreateTransfers(ctx, rows)
	l.killer.point("after " + name)
	return results, err
}

func (l killing) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	defer l.killer.point("after a look at balances")
	return l.Ledger.LookupAccounts(ctx, ids)
}

func (l killing) LookupTransfers(ctx context.Context, ids []ledger.ID) ([]ledger.Transfer, error) {
	defer l.killer.point("after the look at the order")
	return l.Ledger.LookupTransfers(ctx, ids)
}

func (l killing) GetAccountTransfers(ctx context.Context, filter ledger.AccountFilter) ([]ledger.Transfer, error) {
	defer l.killer.point("after a query")
	return l.Ledger.GetAccountTransfers(ctx, filter)
}

// settleUntilKilled settles on the ledger in a folder, and is killed at the point with the
// job's number, if it gets there.
func settleUntilKilled(t *testing.T, j job) {
	t.Helper()
	at, err := strconv.Atoi(j.number)
	require.NoError(t, err)
	points, err := os.OpenFile(filepath.Join(j.folder, "points "+j.instance), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	k := &killer{t: t, at: at, points: points}
	l, err := embedded.Open(filepath.Join(j.folder, "ledger"))
	require.NoError(t, err)
	r := folderRail{
		folder: filepath.Join(j.folder, "rail"),
		before: func() { k.point("in the hook, before the rail acted") },
		after:  func() { k.point("in the hook, after the rail acted") },
	}
	cfg := manualConfig(r, at100)
	cfg.Instance = j.instance
	if j.instance != "first" {
		cfg.Clock = func() time.Time { return time.Now().Add(time.Hour) } // long after
	}
	book := newBook(t, killing{l, k})
	e, err := settlement.NewEngine(killing{l, k}, book, cfg)
	require.NoError(t, err)
	alice, err := book.PeerAccount("alice", usd)
	require.NoError(t, err)
	_, err = e.Settle(t.Context(), alice)
	require.NoError(t, err)
	require.NoError(t, e.Close(t.Context()))
	require.NoError(t, l.Close())
}

// folderWorld makes a folder with a ledger, in which alice is owed 100, and an empty rail.
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

// TestKilledAtEveryStep kills a process, with SIGKILL, between every two steps of an order:
// all points are enumerated by letting a process pass them all first. Then another process
// goes on, of the same instance or, a lease later, of another; and that one is killed at
// each of its points too, when the first was killed after the rail had acted. The rail has
// paid once, and the books say so.
func TestKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	folder := folderWorld(t)
	require.NoError(t, job{"settle", folder, "first", "-1"}.command(t).Run())
	points := pointsOf(t, folder, "first")
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
				require.Equal(t, name, killedAt(t, folder, "first", at))
				paidOnce(t, folder, heir)
			})
		}
	}
	folder = folderWorld(t)
	killedAt(t, folder, "first", acted)
	require.NoError(t, job{"settle", folder, "second", "-1"}.command(t).Run())
	heirs := pointsOf(t, folder, "second")
	require.Contains(t, heirs, "before claim")
	require.Contains(t, heirs, "after claim")
	for at, name := range heirs {
		t.Run(fmt.Sprintf("killed %d, %s, when it took over", at, name), func(t *testing.T) {
			t.Parallel()
			folder := folderWorld(t)
			killedAt(t, folder, "first", acted)
			require.Equal(t, name, killedAt(t, folder, "second", at))
			paidOnce(t, folder, "second")
		})
	}
}

func pointsOf(t *testing.T, folder, instance string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "points "+instance))
	require.NoError(t, err)
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// killedAt runs a process until it is killed, and returns the name of the point.
func killedAt(t *testing.T, folder, instance string, at int) (name string) {
	t.Helper()
	err := job{"settle", folder, instance, strconv.Itoa(at)}.command(t).Run()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	status, ok := exit.Sys().(syscall.WaitStatus)
	require.True(t, ok)
	require.Equal(t, syscall.SIGKILL, status.Signal())
	points := pointsOf(t, folder, instance)
	require.Len(t, points, at+1)
	return points[at]
}

// paidOnce lets a process of an instance go on, and checks what came of it all.
func paidOnce(t *testing.T, folder, heir string) {
	t.Helper()
	out, err := job{"settle", folder, heir, "-1"}.command(t).CombinedOutput()
	require.NoError(t, err, "%s", out)
	r := folderRail{folder: filepath.Join(folder, "rail")}
	require.Equal(t, map[string][]ledger.Amount{"alice": {units(80)}}, r.payments(t), "the rail paid once")
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

// What the processes of TestFourEnginesInTwoProcesses do.
const (
	manyPeers = 1000
	bursts    = 60 // of each process
	burst     = 100
)

func peerNames() (peers []accounts.PeerConfig) {
	for i := range manyPeers {
		peers = append(peers, accounts.PeerConfig{ID: fmt.Sprint("peer-", i), Asset: usd, CreditLine: units(1000)})
	}
	return peers
}

// engineWithTraffic is a process with two engines on the ledger at the other end of a pipe,
// and random traffic that both are told of.
func engineWithTraffic(t *testing.T, j job) {
	t.Helper()
	seed, err := strconv.ParseUint(j.number, 10, 64)
	require.NoError(t, err)
	l := remotetest.NewClient(os.NewFile(3, "answers"), os.NewFile(4, "requests"))
	book := newBook(t, l)
	var peers []accounts.PeerAccount
	for _, p := range peerNames() {
		a, err := book.PeerAccount(p.ID, usd)
		require.NoError(t, err)
		peers = append(peers, a)
	}
	var engines []*settlement.Engine
	for i := range 2 {
		cfg := manualConfig(folderRail{folder: filepath.Join(j.folder, "rail"), before: func() {}, after: func() {}}, at100)
		cfg.Manual, cfg.Instance = false, fmt.Sprint(j.instance, " ", i)
		cfg.Lease, cfg.SweepInterval, cfg.CheckCooldown, cfg.RetryInitialInterval = 2*time.Second, 500*time.Millisecond, 10*time.Millisecond, 10*time.Millisecond
		e, err := settlement.NewEngine(l, book, cfg)
		require.NoError(t, err)
		e.Enqueue(peers)
		engines = append(engines, e)
	}
	random := rand.New(rand.NewPCG(seed, 1))
	for n := range bursts {
		var some []accounts.PeerAccount
		var amounts []uint64
		for range burst {
			some, amounts = append(some, peers[random.IntN(len(peers))]), append(amounts, random.Uint64N(60)+1)
		}
		earnAll(t, l, book, ledger.NewID(uint64(n)<<32, seed), some, amounts)
		for _, e := range engines {
			e.NotifyBalances(some)
		}
		<-time.After(5 * time.Millisecond)
	}
	for idle := false; !idle; {
		idle = true
		for _, e := range engines {
			paid, err := e.Settle(t.Context(), peers...)
			require.NoError(t, err)
			idle = idle && len(paid) == 0
		}
		balances, err := book.Balances(t.Context(), peers...)
		require.NoError(t, err)
		for _, b := range balances { // what the other process has open is waited for too
			idle = idle && b.Settling.IsZero() && b.Payable.Less(at100.SettleThreshold)
		}
	}
	for _, e := range engines {
		require.NoError(t, e.Close(t.Context()))
	}
	require.NoError(t, l.Close())
}

// TestFourEnginesInTwoProcesses runs four engines, in two processes, on one ledger with a
// thousand peers, all of them told of the traffic of their process. Nothing is debited but
// settlements, so a peer that was paid must end between SettleTo and At: an order on a stale
// balance would take it below. In the second run one process is killed in the middle, and
// the other takes its orders over.
func TestFourEnginesInTwoProcesses(t *testing.T) {
	t.Parallel()
	for _, kill := range []bool{false, true} {
		t.Run(fmt.Sprintf("one is killed %v", kill), func(t *testing.T) {
			t.Parallel()
			fourEngines(t, kill)
		})
	}
}

func fourEngines(t *testing.T, kill bool) {
	t.Helper()
	seed := ledgertest.Seed(t)
	folder := t.TempDir()
	r := folderRail{folder: filepath.Join(folder, "rail")}
	require.NoError(t, os.Mkdir(r.folder, 0o700))
	l := embedded.New()
	book := newBook(t, l)
	peers, err := book.Provision(t.Context(), peerNames()...)
	require.NoError(t, err)

	var processes sync.WaitGroup
	for i, instance := range []string{"a", "b"} {
		child := job{"traffic", folder, instance, strconv.FormatUint(seed>>1+uint64(i), 10)}
		processes.Go(func() {
			err := serveTo(t, l, child.command(t), kill && i == 0)
			if !kill || i != 0 {
				require.NoError(t, err)
			}
		})
	}
	processes.Wait()

	paid := r.payments(t)
	var payments int
	for _, a := range peers {
		b, err := book.Balance(t.Context(), a)
		require.NoError(t, err)
		var atTheRail ledger.Amount
		for _, amount := range paid[a.Peer()] {
			atTheRail = sum(atTheRail, amount)
			require.False(t, amount.Less(units(80)), "%v was paid %v: each payment is of a crossing", a, amount)
		}
		payments += len(paid[a.Peer()])
		require.Equal(t, atTheRail, b.SettledOut, "paid at the rail and booked for %v", a)
		require.Equal(t, b.Earned, sum(b.Payable, b.SettledOut))
		require.True(t, b.Payable.Less(at100.SettleThreshold), "%v is left with %v", a, b.Payable)
		if len(paid[a.Peer()]) > 0 {
			require.False(t, b.Payable.Less(at100.SettleTo), "%v is left with %v", a, b.Payable)
		}
		require.Len(t, paid[a.Peer()], postedOrders(t, l, book, a))
	}
	require.Greater(t, payments, 300)
	t.Logf("%d payments to %d peers", payments, len(paid))
	ledgertest.RequireNothingHeld(t, l)
}

func postedOrders(t *testing.T, l ledger.Ledger, book *accounts.Book, a accounts.PeerAccount) int {
	t.Helper()
	rows, err := l.GetAccountTransfers(t.Context(), ledger.AccountFilter{
		AccountID: book.PeerIDs(a).Settlement, Code: chart.CodeOrder, Limit: 1000, Flags: ledger.AccountFilterCredits,
	})
	require.NoError(t, err)
	return len(slices.DeleteFunc(rows, func(r ledger.Transfer) bool { return !r.Flags.Has(ledger.TransferPostPending) }))
}

// serveTo runs a process that works on a ledger of this one. With kill it is killed when it
// has orders open.
func serveTo(t *testing.T, l *embedded.Ledger, c *exec.Cmd, kill bool) error {
	t.Helper()
	childAnswers, answers, err := os.Pipe()
	require.NoError(t, err)
	requests, childRequests, err := os.Pipe()
	require.NoError(t, err)
	c.ExtraFiles = []*os.File{childAnswers, childRequests}
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	require.NoError(t, c.Start())
	require.NoError(t, childAnswers.Close())
	require.NoError(t, childRequests.Close())
	var served ledger.Ledger = l
	if kill {
		served = &killsAfter{Ledger: l, orders: 200, kill: func() { _ = c.Process.Kill() }}
	}
	require.NoError(t, remotetest.Serve(t.Context(), served, requests, answers))
	require.NoError(t, answers.Close())
	require.NoError(t, requests.Close())
	return c.Wait()
}

// killsAfter kills the process that it serves when it has placed so many orders.
type killsAfter struct {
	ledger.Ledger
	kill func()

	mu     sync.Mutex
	orders int
}

func (l *killsAfter) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	results, err := l.Ledger.CreateTransfers(ctx, rows)
	l.mu.Lock()
	defer l.mu.Unlock()
	if rows[0].Code == chart.CodeOrder && rows[0].PendingID.IsZero() && results[0].Status == ledger.TransferCreated {
		if l.orders--; l.orders == 0 {
			l.kill()
		}
	}
	return results, err
}
