package settlement_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
)

// A credit by an operator is payable, but not earned by packets.
func TestAdjustmentsAreNotPaidOut(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t, "bob"), newRail()
	adjust := func(key string, n uint64) {
		_, err := w.book.Adjust(t.Context(), accounts.Adjustment{Account: w.alice, Key: key, Credit: units(n), ReasonCode: 1})
		require.NoError(t, err)
	}
	e := w.engine(manualConfig(r, at100))
	check := func() []uint64 {
		paid, err := e.Settle(t.Context(), w.peers...)
		require.NoError(t, err)
		return paidAmounts(paid)
	}
	adjust("one", 500)
	require.Empty(t, check())
	w.earn(w.alice, 99)
	require.Empty(t, check(), "the 500 count as prepaid")
	w.earn(w.alice, 1)
	require.Equal(t, []uint64{80}, check())
	adjust("two", 50)
	w.earn(w.alice, 79)
	require.Empty(t, check())
	w.earn(w.alice, 1)
	require.Equal(t, []uint64{80}, check())
	require.Equal(t, units(570), w.balance(w.alice).Payable, "550 adjusted, 20 stay owed")
	w.earn(w.peers[1], 100)
	require.Equal(t, []uint64{80}, check(), "alice's credits do not count for bob")
	e = w.engine(manualConfig(r, at100))
	w.earn(w.alice, 80)
	require.Equal(t, []uint64{80}, check(), "a new engine reads the credits too")
	w.requireConserved(r)
}
