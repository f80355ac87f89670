package aggregate_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
)

// requestCounter counts the requests to a ledger.
type requestCounter struct {
	ledger.Ledger

	requests atomic.Int64
}

func (c *requestCounter) CreateTransfers(ctx context.Context, events []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	c.requests.Add(1)
	return c.Ledger.CreateTransfers(ctx, events)
}

func (c *requestCounter) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	c.requests.Add(1)
	return c.Ledger.LookupAccounts(ctx, ids)
}

func (c *requestCounter) LookupTransfers(ctx context.Context, ids []ledger.ID) ([]ledger.Transfer, error) {
	c.requests.Add(1)
	return c.Ledger.LookupTransfers(ctx, ids)
}

func (c *requestCounter) GetAccountTransfers(ctx context.Context, f ledger.AccountFilter) ([]ledger.Transfer, error) {
	c.requests.Add(1)
	return c.Ledger.GetAccountTransfers(ctx, f)
}

func (c *requestCounter) GetAccountBalances(ctx context.Context, f ledger.AccountFilter) ([]ledger.AccountBalance, error) {
	c.requests.Add(1)
	return c.Ledger.GetAccountBalances(ctx, f)
}

// A thousand peers trade in each round, and the engine looks at all of them: at most 60 requests a second while
// nothing is due, however many packets a round has, and some ten for each order beside.
func TestRequestsWithAnEngine(t *testing.T) {
	t.Parallel()
	for _, ordered := range []bool{false, true} {
		t.Run(fmt.Sprint("ordered ", ordered), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				counter := &requestCounter{Ledger: embedded.New()}
				f, pays := newFixture(t, counter, 1_000_000), newPayer()
				var configs []accounts.PeerConfig
				for i := range 1000 {
					configs = append(configs, accounts.PeerConfig{ID: fmt.Sprint("peer ", i), Asset: usd, CreditLine: units(1_000_000)})
				}
				var err error
				f.peers, err = f.book.Provision(t.Context(), configs...)
				require.NoError(t, err)
				due := uint64(1_000_000)
				if ordered {
					due = 1000
				}
				cfg := settledBy(pays, inFull(due))
				cfg.CheckCooldown = 0 // the default
				n := f.connect(t, cfg, false)
				const warmUp, seconds, roundsPerSecond = 2, 3, 20
				var began int64
				for round := range (warmUp + seconds) * roundsPerSecond {
					if round == warmUp*roundsPerSecond {
						began = counter.requests.Load()
					}
					for i := range f.peers { // the first ten earn what the others send
						if _, err := n.recorder.Submit(t.Context(), transfers.ForwardOp(f.packet(i, (i+round)%10, 1, 1))); err != nil {
							require.NoError(t, err)
						}
					}
					pass()
				}
				requests := counter.requests.Load() - began
				orders := int64(pays.countPaid())
				t.Logf("%d requests a second, %d orders", requests/seconds, orders)
				require.LessOrEqual(t, requests-12*orders, int64(60*seconds))
				require.Equal(t, ordered, orders > 0)
				sleepVirtual(time.Second)
				n.close(t)
			})
		})
	}
}
