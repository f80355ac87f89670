//go:build cgo

package cluster

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	tb "github.com/tigerbeetle/tigerbeetle-go"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// The answers to a request in letters, one for each event: e exists, f failed with its chain, c was
// created; a capital letter if the event is linked to the next one. The wanted bounds are for
// chains applied by an earlier attempt, as far as answers show.
func TestFindAppliedChains(t *testing.T) {
	t.Parallel()
	for answers, wanted := range map[string][]chainSpan{
		"":       nil,
		"e":      nil, // TigerBeetle's answers to single events are right
		"ee":     nil,
		"Ef":     {{0, 2}},
		"EFf":    {{0, 3}},
		"EF":     {{0, 2}}, // a chain left open by its request
		"E":      nil,
		"Ee":     nil, // in an applied chain only the first member exists
		"EFc":    nil,
		"Ec":     nil,
		"Ff":     nil,
		"Cc":     nil,
		"eEf":    {{1, 3}},
		"EfEf":   {{0, 2}, {2, 4}},
		"EffEFf": {{0, 2}, {3, 6}},
		"FfEfe":  {{2, 4}},
		"EEf":    nil,
	} {
		letter := func(i int) string { return strings.ToLower(answers[i : i+1]) }
		got := findAppliedChains(len(answers),
			func(i int) bool { return answers[i] < 'a' },
			func(i int) bool { return letter(i) == "e" },
			func(i int) bool { return letter(i) == "f" })
		require.Equal(t, wanted, got, answers)
	}
}

// The results of all members of a chain are corrected, or none.
func TestSetExists(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(ledgertest.Seed(t), 0))
	for range 200 {
		missing := map[int]bool{random.IntN(12): true, random.IntN(12): true}
		set := make(map[int]uint64)
		setExists([]chainSpan{{0, 2}, {3, 6}, {6, 8}},
			func(i int) (uint64, bool) { return uint64(100 + i), !missing[i] },
			func(i int, timestamp uint64) { set[i] = timestamp })
		wanted := make(map[int]uint64)
		if !missing[0] && !missing[1] {
			wanted[0], wanted[1] = 100, 101
		}
		if !missing[3] && !missing[4] && !missing[5] {
			wanted[3], wanted[4], wanted[5] = 103, 104, 105
		}
		if !missing[6] && !missing[7] {
			wanted[6], wanted[7] = 106, 107
		}
		require.Equal(t, wanted, set, "missing: %v", missing)
	}
}

func TestBoth(t *testing.T) {
	t.Parallel()
	var called []string
	name := func(text string) func() { return func() { called = append(called, text) } }
	joinFuncs(name("a"), nil)()
	joinFuncs(nil, name("b"))()
	joinFuncs(name("c"), name("d"))()
	require.Nil(t, joinFuncs(nil, nil))
	require.Equal(t, []string{"a", "b", "c", "d"}, called)
}

// A chain with a post of an unknown hold was never applied.
func TestChainThatPostsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		l := openFake(t, s, Config{})
		openAccounts(t, l)
		_, err := l.CreateTransfers(t.Context(), []ledger.Transfer{newPayment(10, ledger.TransferLinked), newPayment(12, 0)})
		require.NoError(t, err)
		post := ledger.Transfer{ID: ledger.NewID(11, 0), PendingID: ledger.NewID(99, 0), Flags: ledger.TransferPostPending}
		s.setNextFate(fate{lost: tb.ErrClientEvicted})
		results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{newPayment(10, ledger.TransferLinked), post})
		require.NoError(t, err)
		require.Equal(t, []ledger.CreateTransferStatus{ledger.TransferExists, ledger.TransferLinkedEventFailed}, statusesOf(results))
	})
}

// A chain of accounts with one missing account was never applied.
func TestChainWithANewAccount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		l := openFake(t, s, Config{})
		linked, carol := alice, alice
		linked.Flags, carol.ID = ledger.AccountLinked, ledger.NewID(3, 0)
		_, err := l.CreateAccounts(t.Context(), []ledger.Account{linked, bob})
		require.NoError(t, err)
		s.setNextFate(fate{lost: tb.ErrClientEvicted})
		results, err := l.CreateAccounts(t.Context(), []ledger.Account{linked, carol})
		require.NoError(t, err)
		require.Equal(t, ledger.AccountExists, results[0].Status)
		require.Equal(t, ledger.AccountLinkedEventFailed, results[1].Status)
		found, err := l.LookupAccounts(t.Context(), []ledger.ID{carol.ID})
		require.NoError(t, err)
		require.Empty(t, found)
	})
}

// addressless resolves every name to nothing.
type addressless struct{}

func (addressless) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return nil, nil
}

func TestNameWithoutAnAddress(t *testing.T) {
	t.Parallel()
	_, err := resolveReplica(t.Context(), addressless{}, address{host: "replica"})
	require.ErrorIs(t, err, errNoAddress)
}
