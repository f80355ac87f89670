package ledgertest

import (
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// testConcurrentChains sends chains of two concurrently; every second chain is left open.
func (r *requestTest) testConcurrentChains() {
	const senders = 64
	chains := make([][]ledger.Transfer, senders)
	results := make([][]ledger.CreateTransferResult, senders)
	template := r.createPair()
	for i := range chains {
		chains[i] = copyTransfers(template, 2)
		chains[i][0].Flags = ledger.TransferLinked
		if i%2 == 1 {
			chains[i][1].Flags = ledger.TransferLinked
		}
	}
	r.runConcurrently(senders, func(i int) error {
		var err error
		results[i], err = r.CreateTransfers(r.t.Context(), chains[i])
		return err
	})
	for i, chain := range results {
		want := []ledger.CreateTransferStatus{ledger.TransferCreated, ledger.TransferCreated}
		if i%2 == 1 {
			want = []ledger.CreateTransferStatus{ledger.TransferLinkedEventFailed, ledger.TransferLinkedEventChainOpen}
		}
		require.Equal(r.t, want, []ledger.CreateTransferStatus{chain[0].Status, chain[1].Status})
		require.Equal(r.t, chain[0].Timestamp+1, chain[1].Timestamp, "a request has its timestamps to itself")
	}
	found, err := r.LookupAccounts(r.t.Context(), []ledger.ID{template.DebitAccountID})
	require.NoError(r.t, err)
	require.Equal(r.t, ledger.NewAmount(senders), found[0].DebitsPosted)
}

// testConcurrentCreates sends one transfer from many goroutines.
func (r *requestTest) testConcurrentCreates() {
	const senders = 16
	transfer := r.createPair()
	results := make([]ledger.CreateTransferResult, senders)
	r.runConcurrently(senders, func(i int) error {
		answer, err := r.CreateTransfers(r.t.Context(), []ledger.Transfer{transfer})
		if err == nil {
			results[i] = answer[0]
		}
		return err
	})
	created := 0
	for _, result := range results {
		require.True(r.t, result.Status.Outcome().Done(), "%v", result.Status)
		require.Equal(r.t, results[0].Timestamp, result.Timestamp)
		if result.Status == ledger.TransferCreated {
			created++
		}
	}
	require.Equal(r.t, 1, created)
}

// runConcurrently calls send for 0 to n-1 concurrently, and waits.
func (r *requestTest) runConcurrently(n int, send func(i int) error) {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = send(i) })
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(r.t, err)
	}
}
