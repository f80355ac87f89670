package console

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
)

var errNoBalances = errors.New("no balances")

// withoutBalances is a ledger that may lose its histories, or not answer for that of one account.
type withoutBalances struct {
	ledger.Ledger

	lost  bool
	hangs ledger.ID
}

func (l *withoutBalances) GetAccountBalances(ctx context.Context, f ledger.AccountFilter) ([]ledger.AccountBalance, error) {
	if l.lost {
		return nil, errNoBalances
	}
	if f.AccountID == l.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return l.Ledger.GetAccountBalances(ctx, f)
}

func namePeers(names ...string) func(accounts.Asset) []string {
	return func(accounts.Asset) []string { return names }
}

func datesOf(k *look) map[string]time.Time {
	dates := map[string]time.Time{}
	for _, p := range k.peers {
		dates[p.name] = p.arrearsSince
	}
	return dates
}

// Arrears are dated by the ledger, not by the first look. A time that cannot be read is unknown until it can be.
func TestArrearsAreDatedByTheLedger(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	l := &withoutBalances{Ledger: embedded.New(embedded.WithClock(func() time.Time { return now })), lost: true}
	usd := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	peers, err := book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd}, accounts.PeerConfig{ID: "bob", Asset: usd})
	require.NoError(t, err)
	_, err = book.Adjust(t.Context(), accounts.Adjustment{
		Account: peers[0], Key: "damage", Debit: ledger.NewAmount(7), ReasonCode: 1, BeyondHeadroom: true,
	})
	require.NoError(t, err)
	looker := &looker{cfg: Config{Book: book, Peers: namePeers("alice", "bob")}.withDefaults()}
	dateOf := func() map[string]time.Time {
		k, err := looker.takeLook(t.Context())
		require.NoError(t, err)
		return datesOf(k)
	}
	require.Equal(t, map[string]time.Time{"alice": {}, "bob": {}}, dateOf())
	l.lost = false
	dates := dateOf()
	require.WithinDuration(t, now, dates["alice"], time.Second)
	require.Zero(t, dates["bob"])
	l.lost = true
	require.Equal(t, dates, dateOf(), "read once")
}

// newManualClient opens books with an engine that settles only when told to.
func newManualClient(t *testing.T, l ledger.Ledger, asset accounts.Asset) *peerledger.Client {
	t.Helper()
	client, err := peerledger.New(l, peerledger.Config{
		Accounts: accounts.Config{Assets: []accounts.Asset{asset}},
		Settlement: settlement.Config{
			Manual: true, Policies: settlement.Policies{Default: settlement.Threshold{SettleThreshold: ledger.NewAmount(1)}},
			Rails: settlement.Rails{Default: &settlement.Rail{Name: "cash", Settler: settlement.SettlerFunc(payNothing)}},
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close(context.WithoutCancel(t.Context()))) })
	return client
}

func payNothing(context.Context, settlement.Order) (ledger.Amount, error) {
	return ledger.Amount{}, nil
}

// Looks are taken only while pages ask. Arrears that were collected and came back between two looks are dated anew.
func TestArrearsThatCameBackAreDatedAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		usd := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
		client := newManualClient(t, embedded.New(), usd)
		peers, err := client.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd})
		require.NoError(t, err)
		looker := &looker{cfg: Config{Book: client.Book, Peers: namePeers("alice")}.withDefaults()}
		adjust := func(a accounts.Adjustment) {
			a.Account, a.ReasonCode, a.BeyondHeadroom = peers[0], 1, !a.Debit.IsZero()
			_, err := client.Book.Adjust(t.Context(), a)
			require.NoError(t, err)
		}
		dateOf := func() time.Time {
			k, err := looker.takeLook(t.Context())
			require.NoError(t, err)
			return datesOf(k)["alice"]
		}
		adjust(accounts.Adjustment{Key: "Monday", Debit: ledger.NewAmount(7)})
		monday := dateOf()
		require.WithinDuration(t, time.Now(), monday, time.Second)
		time.Sleep(24 * time.Hour) //nolint:forbidigo // virtual time: no page asks
		require.Equal(t, monday, dateOf(), "the same arrears")
		adjust(accounts.Adjustment{Key: "Tuesday", Credit: ledger.NewAmount(7)})
		_, err = client.Settlement.Settle(t.Context(), peers[0]) // collects them
		require.NoError(t, err)
		collected, err := client.Book.Balance(t.Context(), peers[0])
		require.NoError(t, err)
		require.Zero(t, collected.Arrears)
		time.Sleep(48 * time.Hour) //nolint:forbidigo // virtual time: no page asks
		adjust(accounts.Adjustment{Key: "Thursday", Debit: ledger.NewAmount(7)})
		require.WithinDuration(t, time.Now(), dateOf(), time.Second)
	})
}

// A history that does not answer costs its peer the date, and nothing else: orders are read first, other
// peers keep their dates, and the look ends within its time.
func TestUndatedArrearsCostNothingElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		usd := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
		l := &withoutBalances{Ledger: embedded.New()}
		client := newManualClient(t, l, usd)
		names := []string{"alice", "bob", "carol"}
		for _, name := range names {
			peers, err := client.Provision(t.Context(), accounts.PeerConfig{ID: name, Asset: usd})
			require.NoError(t, err)
			_, err = client.Book.Adjust(t.Context(), accounts.Adjustment{
				Account: peers[0], Key: name, Debit: ledger.NewAmount(7), ReasonCode: 1, BeyondHeadroom: true,
			})
			require.NoError(t, err)
			if name == "bob" {
				l.hangs = client.Book.PeerIDs(peers[0]).Arrears
			}
		}
		looker := &looker{cfg: Config{Book: client.Book, Settlement: client.Settlement, Peers: namePeers(names...)}.withDefaults()}
		var k *look
		for range names { // each look begins with another peer
			ctx, cancel := context.WithTimeout(t.Context(), looker.cfg.Timeout)
			var err error
			k, err = looker.takeLook(ctx)
			cancel()
			require.NoError(t, err)
			require.NoError(t, k.ordersErr)
			require.Less(t, k.took, looker.cfg.Timeout/2)
		}
		dates := datesOf(k)
		require.Zero(t, dates["bob"])
		require.NotZero(t, dates["alice"])
		require.NotZero(t, dates["carol"])
	})
}
