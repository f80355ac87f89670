//go:build cgo

package cluster

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	tb "github.com/tigerbeetle/tigerbeetle-go"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// The request of a dropped session is sent again. Except for chains, its answers equal the answers of the
// second attempt.
func TestDroppedSession(t *testing.T) {
	t.Parallel()
	chain := []ledger.Transfer{
		newPayment(10, 0),
		newPayment(11, ledger.TransferLinked), newPayment(12, ledger.TransferLinked), newPayment(13, 0),
		newPayment(14, ledger.TransferPending),
		{ID: ledger.NewID(15, 0), PendingID: ledger.NewID(14, 0), Amount: ledger.AmountMax, Flags: ledger.TransferPostPending | ledger.TransferLinked},
		newPayment(16, 0),
	}
	for _, test := range []struct {
		name  string
		apply bool
		want  ledger.CreateTransferStatus
	}{
		{"before the request", false, ledger.TransferCreated},
		{"before the reply", true, ledger.TransferExists},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newServers()
				var told []SessionReopened
				l := openFake(t, s, Config{Events: Events{Reopened: func(r SessionReopened) { told = append(told, r) }}})
				openAccounts(t, l)
				s.setNextFate(fate{lost: tb.ErrClientEvicted, apply: test.apply})
				results, err := l.CreateTransfers(t.Context(), chain)
				require.NoError(t, err)
				require.Len(t, results, len(chain))
				stored, err := l.LookupTransfers(t.Context(), idsOf(chain))
				require.NoError(t, err)
				require.Len(t, stored, len(chain))
				for i, r := range results {
					require.Equal(t, test.want, r.Status, "event %d", i)
					require.Equal(t, stored[i].Timestamp, r.Timestamp, "event %d", i)
				}
				require.Equal(t, uint64(1), l.Stats().Resent)
				require.NoError(t, awaitSessions(t, l, 2))
				synctest.Wait()
				require.Len(t, told, 1)
				require.ErrorIs(t, told[0].Cause, ErrEvicted)
				require.Equal(t, 1, told[0].Attempts)
				require.Equal(t, uint64(1), l.Stats().Reopened)
				ledgertest.RequireNothingHeld(t, l)
			})
		})
	}
}

func idsOf(transfers []ledger.Transfer) (all []ledger.ID) {
	for i := range transfers {
		all = append(all, transfers[i].ID)
	}
	return all
}

// A chain whose first member is in the ledger alone, or with other members, was not applied, and is
// not answered as applied.
func TestChainOfAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		l := openFake(t, s, Config{})
		openAccounts(t, l)
		stored := []ledger.Transfer{newPayment(10, ledger.TransferLinked), newPayment(11, 0), newPayment(20, ledger.TransferLinked), newPayment(21, 0)}
		_, err := l.CreateTransfers(t.Context(), stored)
		require.NoError(t, err)

		sent := []ledger.Transfer{newPayment(10, ledger.TransferLinked), newPayment(12, 0), newPayment(20, ledger.TransferLinked), newPayment(21, 0)}
		sent[3].Amount = ledger.NewAmount(2)
		s.setNextFate(fate{lost: tb.ErrClientEvicted})
		results, err := l.CreateTransfers(t.Context(), sent)
		require.NoError(t, err)
		require.Equal(t, []ledger.CreateTransferStatus{
			ledger.TransferExists, ledger.TransferLinkedEventFailed,
			ledger.TransferExists, ledger.TransferLinkedEventFailed,
		}, statusesOf(results))
	})
}

// A chain sent once that is in the ledger has TigerBeetle's own answer.
func TestChainSentByItsCaller(t *testing.T) {
	t.Parallel()
	l := openFake(t, newServers(), Config{})
	openAccounts(t, l)
	chain := []ledger.Transfer{newPayment(10, ledger.TransferLinked), newPayment(11, 0)}
	for _, want := range [][]ledger.CreateTransferStatus{
		{ledger.TransferCreated, ledger.TransferCreated},
		{ledger.TransferExists, ledger.TransferLinkedEventFailed},
	} {
		results, err := l.CreateTransfers(t.Context(), chain)
		require.NoError(t, err)
		require.Equal(t, want, statusesOf(results))
	}
}

func TestDroppedSessionWithAccounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		l := openFake(t, s, Config{})
		linked := alice
		linked.Flags = ledger.AccountLinked
		s.setNextFate(fate{lost: tb.ErrClientEvicted, apply: true})
		results, err := l.CreateAccounts(t.Context(), []ledger.Account{linked, bob, {}})
		require.NoError(t, err)
		require.Equal(t, ledger.AccountExists, results[0].Status)
		require.Equal(t, ledger.AccountExists, results[1].Status)
		require.Equal(t, results[0].Timestamp+1, results[1].Timestamp)
		require.Equal(t, ledger.AccountIDMustNotBeZero, results[2].Status)

		other := bob
		other.Code++
		s.setNextFate(fate{lost: tb.ErrClientEvicted})
		results, err = l.CreateAccounts(t.Context(), []ledger.Account{linked, other})
		require.NoError(t, err)
		require.Equal(t, ledger.AccountExists, results[0].Status)
		require.Equal(t, ledger.AccountLinkedEventFailed, results[1].Status, "the second is stored with another code")
	})
}

// A transient refusal of the first attempt is a refusal for ever in the second.
func TestDroppedSessionAfterARefusal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		l := openFake(t, s, Config{})
		openAccounts(t, l)
		lost := newPayment(10, 0)
		lost.CreditAccountID = ledger.NewID(99, 0)
		s.setNextFate(fate{lost: tb.ErrClientEvicted, apply: true})
		results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{lost})
		require.NoError(t, err)
		require.Equal(t, ledger.TransferIDAlreadyFailed, results[0].Status)
		require.Equal(t, ledger.OutcomeIDBurnt, results[0].Status.Outcome())
	})
}

// If the look-up of a chain is not answered, the outcome is unknown.
func TestChainThatCannotBeLookedUp(t *testing.T) {
	t.Parallel()
	s := newServers()
	l := openFake(t, s, Config{})
	openAccounts(t, l)
	linked := alice
	linked.ID, linked.Flags = ledger.NewID(3, 0), ledger.AccountLinked
	other := bob
	other.ID = ledger.NewID(4, 0)
	ctx, cancel := cancellableContext(t)
	requests := 0
	s.setFate(func(*fakeClient) fate {
		switch requests++; requests {
		case 1:
			return fate{lost: tb.ErrClientEvicted, apply: true}
		case 2:
			return fate{}
		default:
			cancel()
			return fate{before: make(chan struct{})}
		}
	})
	_, err := l.CreateAccounts(ctx, []ledger.Account{linked, other})
	require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
	s.setFate(nil)
}
