package embedded

import (
	"testing"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// A query reads only the rows of its rarest field.
func TestIndexLists(t *testing.T) {
	t.Parallel()
	values := []queryFields{
		{userData128: uint128.From64(1), userData64: 1, userData32: 1, ledger: 1, code: 1},
		{ledger: 1, code: 1},
		{userData128: uint128.From64(2), userData64: 1, ledger: 2, code: 3},
	}
	at := func(p place) queryFields { return values[p] }
	var x fieldIndex
	lists := func(want queryFields) [][]place { return x.rowsByField(want, place(len(values)), at) }

	require.Empty(t, lists(queryFields{}))
	require.Equal(t, [][]place{{0}}, lists(queryFields{userData128: uint128.From64(1)}))
	require.Equal(t, [][]place{{0, 2}}, lists(queryFields{userData64: 1}))
	require.Equal(t, [][]place{{0}}, lists(queryFields{userData32: 1}))
	require.Equal(t, [][]place{{0, 1}}, lists(queryFields{ledger: 1}))
	require.Equal(t, [][]place{{2}}, lists(queryFields{code: 3}))
	require.Equal(t, [][]place{nil}, lists(queryFields{code: 9}))

	values = append(values, queryFields{userData64: 1, ledger: 1})
	require.Equal(t, [][]place{{0, 2, 3}, {0, 1, 3}}, lists(queryFields{userData64: 1, ledger: 1}), "it reads on")
}

func TestSmallestSource(t *testing.T) {
	t.Parallel()
	few, many := mergeLists(false, []place{4, 7}), mergeLists(false, []place{1, 2, 3})
	require.Equal(t, 2, smallestSource(rowSpan{0, 9}.toSource(false), many, few).size)
	require.Equal(t, 1, smallestSource(rowSpan{3, 4}.toSource(false), many, few).size)
}

// An index reads every row once, in any order of queries.
func TestIndexSkipsZero(t *testing.T) {
	t.Parallel()
	keys := []ledger.ID{ledger.NewID(1, 0), {}, ledger.NewID(1, 0)}
	reads := 0
	keyAt := func(p place) ledger.ID { reads++; return keys[p] }
	var x rowIndex[ledger.ID]
	require.Equal(t, []place{0, 2}, x.findRows(ledger.NewID(1, 0), 3, keyAt))
	require.Empty(t, x.findRows(ledger.NewID(2, 0), 3, keyAt))
	require.Empty(t, x.findRows(ledger.ID{}, 3, keyAt))
	require.Equal(t, 3, reads)
}
