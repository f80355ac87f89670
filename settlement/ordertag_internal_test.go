package settlement

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

func TestOrderTag(t *testing.T) {
	t.Parallel()
	tag := newOrderTag(1<<56-1, 63, false, true)
	require.Equal(t, uint64(1<<56-1), tag.number())
	require.Equal(t, uint8(63), tag.version())
	require.False(t, tag.isRefund())
	require.True(t, tag.isAhead())
	require.Equal(t, uint64(7|1<<56|1<<62), uint64(newOrderTag(7, checkedVersion, true, false)))
	require.Equal(t, orderTag(7), newOrderTag(7, uncheckedVersion, false, false), "as older versions wrote it")
}

// The amount of a prefunding order's limit is kept in 32 bits: exactly up to 25 bits, and beyond that
// rounded up by less than one part in 2^24.
func TestAheadIsRoundedUp(t *testing.T) {
	t.Parallel()
	for _, exact := range []uint64{0, 1, 50, 1<<25 - 1, 1 << 25, 1 << 40, 3 << 60} {
		require.Equal(t, ledger.NewAmount(exact), unpackAhead(packAhead(ledger.NewAmount(exact))))
	}
	require.Equal(t, ledger.AmountMax, unpackAhead(packAhead(ledger.AmountMax)))
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 100_000 {
		n := uint128.New(random.Uint64(), random.Uint64()).Rsh(uint(random.IntN(128)) + 1)
		got := uint128.Uint128(unpackAhead(packAhead(ledger.Amount(n))))
		require.LessOrEqual(t, got.Cmp(n.Add(n.Rsh(24)).Add64(1)), 0, "%v became %v", n, got)
		require.GreaterOrEqual(t, got.Cmp(n), 0, "%v became %v", n, got)
	}
}
