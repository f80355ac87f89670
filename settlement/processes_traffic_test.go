//go:build unix

package settlement_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
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

// The traffic of TestFourEnginesInTwoProcesses.
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

// engineWithTraffic is a process with two engines on the ledger at the other end of a pipe, and random
// traffic that both engines are notified of.
func engineWithTraffic(t *testing.T, j childJob) {
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

// TestFourEnginesInTwoProcesses runs four engines, in two processes, on one ledger with a thousand
// peers. Each engine is notified of the traffic of its process. Only settlements debit accounts, so a
// paid peer must end between SettleTo and SettleThreshold: an order on a stale balance would take the
// peer below SettleTo. In the second run one process is killed in the middle, and the other process
// takes its orders over.
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
		child := childJob{"traffic", folder, instance, strconv.FormatUint(seed>>1+uint64(i), 10)}
		processes.Go(func() {
			err := serveProcess(t, l, child.newCommand(t), kill && i == 0)
			if !kill || i != 0 {
				require.NoError(t, err)
			}
		})
	}
	processes.Wait()

	paid := r.readPayments(t)
	var payments int
	for _, a := range peers {
		b, err := book.Balance(t.Context(), a)
		require.NoError(t, err)
		var atTheRail ledger.Amount
		for _, amount := range paid[a.Peer()] {
			atTheRail = addAmounts(atTheRail, amount)
			require.False(t, amount.Less(units(80)), "%v was paid %v: each payment is of a crossing", a, amount)
		}
		payments += len(paid[a.Peer()])
		require.Equal(t, atTheRail, b.SettledOut, "paid at the rail and booked for %v", a)
		require.Equal(t, b.Earned, addAmounts(b.Payable, b.SettledOut))
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

// serveProcess runs a process that works on a ledger of this process. With kill the process is killed
// while it has open orders.
func serveProcess(t *testing.T, l *embedded.Ledger, c *exec.Cmd, kill bool) error {
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
		served = &killAfterOrders{Ledger: l, orders: 200, kill: func() { _ = c.Process.Kill() }}
	}
	require.NoError(t, remotetest.Serve(t.Context(), served, requests, answers))
	require.NoError(t, answers.Close())
	require.NoError(t, requests.Close())
	return c.Wait()
}

// killAfterOrders kills the served process after so many orders.
type killAfterOrders struct {
	ledger.Ledger
	kill func()

	mu     sync.Mutex
	orders int
}

func (l *killAfterOrders) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
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
