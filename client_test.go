package peerledger_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

var (
	usd = accounts.Asset{Code: "USD", Scale: 9, Ledger: 1}
	eur = accounts.Asset{Code: "EUR", Scale: 6, Ledger: 2}
)

func units(n uint64) ledger.Amount { return ledger.NewAmount(n) }

// rail pays every order, once for each key.
type rail struct {
	mu   sync.Mutex
	paid map[ledger.ID]settlement.Order
}

func (r *rail) Settle(_ context.Context, order settlement.Order) (ledger.Amount, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.paid == nil {
		r.paid = map[ledger.ID]settlement.Order{}
	}
	r.paid[order.ID] = order
	return order.Amount, nil
}

// totals returns the sums paid by the rail, by account.
func (r *rail) totals() map[accounts.PeerAccount]ledger.Amount {
	r.mu.Lock()
	defer r.mu.Unlock()
	sums := map[accounts.PeerAccount]ledger.Amount{}
	for _, order := range r.paid {
		sums[order.Account], _ = sums[order.Account].Add(order.Amount)
	}
	return sums
}

// The whole client under load: many callers, cross-asset packets, rejects, and a settlement engine
// in the background. No receivable exceeds its line, the books have the payments of the rail, and
// debits equal credits.
func TestPacketsAndSettlementsUnderLoad(t *testing.T) {
	t.Parallel()
	testUnderLoad(t, embedded.New())
}

func testUnderLoad(t *testing.T, l ledger.Ledger) {
	t.Helper()
	ctx := t.Context()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var pays rail
	policy := settlement.Threshold{SettleThreshold: units(500), SettleTo: units(100)}
	client, err := peerledger.New(keepOpen{l}, peerledger.Config{
		Accounts: accounts.Config{Assets: []accounts.Asset{usd, eur}},
		Settlement: settlement.Config{
			Rails: paidBy(&pays), Policies: settlement.Policies{Default: policy},
		},
	})
	require.NoError(t, err)
	const line = 300
	var peers []accounts.PeerConfig
	for i := range 8 {
		asset := []accounts.Asset{usd, eur}[i%2]
		peers = append(peers, accounts.PeerConfig{ID: fmt.Sprint("peer ", i), Asset: asset, CreditLine: units(line)})
	}
	handles, err := client.Provision(ctx, peers...)
	require.NoError(t, err)

	var group sync.WaitGroup
	for i := range 16 {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		group.Go(func() {
			for range 100 {
				if err := forward(ctx, client, handles, random); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	_, err = client.Settlement.Settle(ctx)
	require.NoError(t, err)
	balances, err := client.Book.Balances(ctx, handles...)
	require.NoError(t, err)
	paid := pays.totals()
	for _, b := range balances {
		require.Equal(t, paid[b.Account], b.SettledOut)
		require.False(t, units(line).Less(b.Receivable))
		owed := b.Payable.SubFloor(b.Prepaid)
		require.True(t, owed.Less(policy.SettleThreshold), "%v is still owed %v", b.Account, owed)
	}
	require.NoError(t, client.Close(ctx))
	require.NoError(t, client.Close(ctx), "twice is safe")
	ledgertest.RequireNothingHeld(t, l)
	require.NoError(t, l.Close())
}

// forward prepares a packet, and fulfills or rejects it. A credit line may refuse the packet.
func forward(ctx context.Context, client *peerledger.Client, peers []accounts.PeerAccount, random *rand.Rand) error {
	amount := random.Uint64N(60)
	p := transfers.Packet{
		From: peers[random.IntN(len(peers))], To: peers[random.IntN(len(peers))],
		In: amount + random.Uint64N(3), Out: amount, Expiry: time.Now().Add(time.Minute),
	}
	held, err := client.Recorder.Prepare(ctx, p)
	if errors.Is(err, transfers.ErrCreditLine) {
		return nil
	}
	if err != nil {
		return err
	}
	resolve := client.Recorder.Fulfill
	if random.IntN(4) == 0 {
		resolve = client.Recorder.Reject
	}
	_, err = resolve(ctx, held.Packet)
	return err
}

// keepOpen is a ledger that outlives its client.
type keepOpen struct{ ledger.Ledger }

func (keepOpen) Close() error { return nil }

func paidBy(s settlement.Settler) settlement.Rails {
	return settlement.Rails{Default: &settlement.Rail{Settler: s}}
}

func TestOpenReportsAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := peerledger.OpenEmbedded(peerledger.Config{
		Accounts:   accounts.Config{Assets: []accounts.Asset{{Code: "USD"}}},
		Recorder:   transfers.Config{Lanes: -1},
		Settlement: settlement.Config{SweepInterval: -1},
	})
	require.ErrorIs(t, err, accounts.ErrInvalid)
	for _, field := range []string{"Ledger", "Lanes", "Sweep"} {
		require.ErrorContains(t, err, field)
	}
}

// The caller's BalancesChanged is called, and the settlement engine is notified too.
func TestBalancesChangedIsShared(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	touched := make(chan accounts.PeerAccount, 10)
	var pays rail
	client, err := peerledger.OpenEmbedded(peerledger.Config{
		Accounts: accounts.Config{Assets: []accounts.Asset{usd}},
		Recorder: transfers.Config{Events: transfers.Events{BalancesChanged: func(all []accounts.PeerAccount) {
			for _, a := range all {
				touched <- a
			}
		}}},
		Settlement: settlement.Config{
			Rails: paidBy(&pays), Policies: settlement.Policies{Default: settlement.Threshold{SettleThreshold: units(1)}},
		},
	})
	require.NoError(t, err)
	peers, err := client.Provision(ctx, accounts.PeerConfig{ID: "alice", Asset: usd})
	require.NoError(t, err)
	own, err := client.Book.OwnAccount(usd)
	require.NoError(t, err)
	_, err = client.Recorder.Forward(ctx, transfers.Packet{From: own, To: peers[0], In: 5, Out: 5})
	require.NoError(t, err)
	require.Equal(t, peers[0], <-touched)
	require.Empty(t, touched, "we do not settle with ourselves")
	_, err = client.Settlement.Settle(ctx)
	require.NoError(t, err)
	require.Equal(t, units(5), pays.totals()[peers[0]])
	ledgertest.RequireNothingHeld(t, client.Ledger)
	require.NoError(t, client.Close(ctx))
}

// The journal cannot be opened. New leaves no goroutine behind, and does not close the ledger.
func TestNewWithoutItsJournal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // synctest fails if a goroutine is left
		l, pays := embedded.New(), rail{}
		cfg := peerledger.Config{
			Accounts: accounts.Config{Assets: []accounts.Asset{usd}},
			Recorder: transfers.Config{
				JournalFolder: filepath.Join(t.TempDir(), "no", "folder"),
				Events:        transfers.Events{Replayed: func([]transfers.Result) {}},
			},
			Settlement: settlement.Config{Rails: paidBy(&pays)},
		}
		_, err := peerledger.New(l, cfg)
		require.ErrorIs(t, err, transfers.ErrJournal)
		_, err = l.LookupAccounts(t.Context(), nil)
		require.NoError(t, err, "the ledger is open")
		require.NoError(t, l.Close())

		_, err = peerledger.OpenEmbedded(cfg)
		require.ErrorIs(t, err, accounts.ErrInvalid)
		require.ErrorContains(t, err, "Journal")
	})
}
