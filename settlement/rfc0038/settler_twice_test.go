package rfc0038_test

import (
	"fmt"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement/rfc0038/enginetest"
)

// An engine that answers twice must not have another order count as paid.
func TestAnswersTwiceOfOtherOrders(t *testing.T) {
	t.Parallel()
	const workers, orders = 16, 60
	rail := enginetest.NewRail()
	peers := map[string]enginetest.Address{}
	var names []string
	for i := range workers {
		name := fmt.Sprint("p", i)
		names = append(names, name)
		peers["1-"+name] = enginetest.Address{Engine: "x", Account: name}
	}
	e, err := enginetest.NewEngine(enginetest.Config{Scale: 9, Rail: rail, Peers: peers})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	url, err := e.Start("127.0.0.1:0")
	require.NoError(t, err)
	settler, templates := newSettlerOf(t, url, 4, names...)
	for i := range templates {
		require.NoError(t, settler.CreateAccount(t.Context(), templates[i].Account))
	}
	require.NoError(t, e.Inject(enginetest.Fault{Kind: enginetest.Twice, Request: enginetest.Settle, Times: -1}))
	taken := make([]uint64, workers)
	var work sync.WaitGroup
	for i := range workers {
		work.Go(func() {
			for n := range orders {
				order := templates[i]
				order.ID = ledger.NewID(uint64(n+1), uint64(i+1))
				order.Amount = ledger.NewAmount(1)
				for range 100 {
					if _, err := settler.Settle(t.Context(), order); err == nil {
						taken[i]++
						break
					}
				}
			}
		})
	}
	work.Wait()
	require.Eventually(t, func() bool { open, _, err := e.CountOpen(); return err == nil && open == 0 }, 10*time.Second, time.Millisecond)
	payments, err := rail.Payments()
	require.NoError(t, err)
	paid := map[string]*big.Int{}
	for _, p := range payments {
		if paid[p.To.Account] == nil {
			paid[p.To.Account] = new(big.Int)
		}
		paid[p.To.Account].Add(paid[p.To.Account], p.Amount.Amount)
	}
	for i, name := range names {
		require.NotNil(t, paid[name])
		require.Equal(t, fmt.Sprint(taken[i]), paid[name].String(), "counted as paid to %s, and paid", name)
	}
}
