package enginetest_test

import (
	"math/big"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/settlement/rfc0038"
	"github.com/peerledger/peerledger/settlement/rfc0038/enginetest"
)

// An amount that has too many digits in the rail's unit is refused: a payment of it could be written to the
// file of the rail, and not be read again.
func TestAmountsThatTheRailCannotKeep(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rail")
	_, url := newEngine(t, enginetest.Config{Scale: 6, Rail: openRail(t, path), Peers: toBob})
	require.Equal(t, 201, post(t, url+"/accounts", `{"id":"alice"}`).status)
	require.Equal(t, 400, post(t, url+"/accounts/alice/settlements", `{"amount":"`+strings.Repeat("9", rfc0038.MaxAmountDigits)+`","scale":0}`, "much").status)
	require.Equal(t, 201, post(t, url+"/accounts/alice/settlements", `{"amount":"5","scale":0}`, "little").status)
	other := openRail(t, path)
	require.Len(t, waitForPayments(t, other, 1), 1)
	huge := payment("huge")
	huge.Amount.Amount = new(big.Int).Exp(big.NewInt(10), big.NewInt(rfc0038.MaxAmountDigits), nil)
	require.ErrorIs(t, other.Pay(huge), enginetest.ErrInvalidPayment)
}
