package embedded

import (
	"testing"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// A query looks only at the rows of the rarest field that it asks for.
func TestIndexLists(t *testing.T) {
	t.Parallel()
	values := []fields{
		{userData128: uint128.From64(1), userData64: 1, userData32: 1, ledger: 1, code: 1},
		{ledger: 1, code: 1},
		{userData128: uint128.From64(2), userData64: 1, ledger: 2, code: 3},
	}
	at := func(p position) fields { return values[p] }
	var x fieldIndex
	lists := func(want fields) [][]position { return x.lists(want, position(len(values)), at) }

	require.Empty(t, lists(fields{}))
	require.Equal(t, [][]position{{0}}, lists(fields{userData128: uint128.From64(1)}))
	require.Equal(t, [][]position{{0, 2}}, lists(fields{userData64: 1}))
	require.Equal(t, [][]position{{0}}, lists(fields{userData32: 1}))
	require.Equal(t, [][]position{{0, 1}}, lists(fields{ledger: 1}))
	require.Equal(t, [][]position{{2}}, lists(fields{code: 3}))
	require.Equal(t, [][]position{nil}, lists(fields{code: 9}))

	values = append(values, fields{userData64: 1, ledger: 1})
	require.Equal(t, [][]position{{0, 2, 3}, {0, 1, 3}}, lists(fields{userData64: 1, ledger: 1}), "it reads on")
}

func TestSmallestSource(t *testing.T) {
	t.Parallel()
	few, many := merged(false, []position{4, 7}), merged(false, []position{1, 2, 3})
	require.Equal(t, 2, smallest(span{0, 9}.source(false), many, few).size)
	require.Equal(t, 1, smallest(span{3, 4}.source(false), many, few).size)
}

// Whatever a query asks first, an index reads every row once.
func TestIndexSkipsZero(t *testing.T) {
	t.Parallel()
	keys := []ledger.ID{ledger.NewID(1, 0), {}, ledger.NewID(1, 0)}
	reads := 0
	keyAt := func(p position) ledger.ID { reads++; return keys[p] }
	var x index[ledger.ID]
	require.Equal(t, []position{0, 2}, x.find(ledger.NewID(1, 0), 3, keyAt))
	require.Empty(t, x.find(ledger.NewID(2, 0), 3, keyAt))
	require.Empty(t, x.find(ledger.ID{}, 3, keyAt))
	require.Equal(t, 3, reads)
}
