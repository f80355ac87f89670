package rfc0038_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/settlement/rfc0038"
	"github.com/peerledger/peerledger/settlement/rfc0038/enginetest"
)

// newDroppingEngine is an engine for alice with a rail, which drops the answer to the first settlement after it
// has taken the settlement over.
func newDroppingEngine(t *testing.T) (e *enginetest.Engine, rail *enginetest.Rail, url string) {
	t.Helper()
	rail = enginetest.NewRail()
	e = newTestEngine(t, enginetest.Config{
		Name: "ours", Scale: 6, Rail: rail, Peers: map[string]enginetest.Address{"1-alice": {Engine: "x", Account: "us"}},
	})
	url, err := e.Start("127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, e.Inject(enginetest.Fault{Kind: enginetest.DropAfter, Request: enginetest.Settle}))
	return e, rail, url
}

// An order without a final answer is in the ledger, so a process that has not seen the order yet must not delete the account
// either: an engine that forgets keys with its accounts pays the order again.
func TestDeleteAccountAfterRestartRefuses(t *testing.T) {
	t.Parallel()
	_, _, url := newDroppingEngine(t)
	c := newConnector(t, url, "alice")
	c.earn(c.peers[0], 7000)
	_, err := c.engine.Settle(t.Context(), c.peers...)
	require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
	require.ErrorIs(t, c.settler.DeleteAccount(t.Context(), c.peers[0]), rfc0038.ErrKeyOpen)
	c.restart()
	require.ErrorIs(t, c.settler.DeleteAccount(t.Context(), c.peers[0]), rfc0038.ErrKeyOpen, "the order is open all the same")
	_, err = c.engine.Settle(t.Context(), c.peers...)
	require.NoError(t, err)
	require.NoError(t, c.settler.DeleteAccount(t.Context(), c.peers[0]))
}

// No account is deleted of which the ledger does not tell whether an order is open.
func TestDeleteAccountOfUnknownPeerRefuses(t *testing.T) {
	t.Parallel()
	b := newBench(t, []http.HandlerFunc{status(204)})
	require.ErrorIs(t, b.DeleteAccount(t.Context(), b.alice), accounts.ErrNotProvisioned)
	require.Empty(t, b.paths())
}

// While an account is being deleted, nothing else of it is sent; and no account is deleted during another request.
func TestDeleteAccountExcludesOtherCalls(t *testing.T) {
	t.Parallel()
	var b *bench
	during := func(check func(), then http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			check()
			then(w, r)
		}
	}
	deletes := func(want error) func() {
		return func() {
			if err := b.DeleteAccount(t.Context(), b.alice); !errors.Is(err, want) {
				t.Errorf("delete: %v, want %v", err, want)
			}
		}
	}
	others := func() {
		_, settled := b.Settle(t.Context(), b.order(1000))
		_, woken := b.Wake(t.Context(), b.alice)
		for _, err := range []error{settled, woken, b.CreateAccount(t.Context(), b.alice)} {
			if !errors.Is(err, rfc0038.ErrDeleting) || errors.Is(err, settlement.ErrDeclined) || errors.Is(err, settlement.ErrPending) {
				t.Errorf("during the deletion: %v", err)
			}
		}
		deletes(rfc0038.ErrDeleting)()
	}
	b = newBench(t, []http.HandlerFunc{
		during(deletes(rfc0038.ErrKeyOpen), created), during(deletes(rfc0038.ErrKeyOpen), status(201)), during(others, status(204)), created, status(201),
	})
	_, err := b.book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd9})
	require.NoError(t, err)
	require.NoError(t, b.CreateAccount(t.Context(), b.alice))
	_, err = b.Settle(t.Context(), b.order(1000))
	require.NoError(t, err)
	require.NoError(t, b.DeleteAccount(t.Context(), b.alice))
	require.Len(t, b.paths(), 3)
	_, err = b.Settle(t.Context(), b.order(1000))
	require.NoError(t, err)
	require.Len(t, b.paths(), 2, "the account is created again")
}
