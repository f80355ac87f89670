package retryledger_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/retryledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// The second request waits for the backoff.
func TestResendWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := retryledger.Ledger{Ledger: &firstAnswerLost{Ledger: embedded.New()}}
		began := time.Now()
		_, err := l.CreateTransfers(t.Context(), nil)
		require.NoError(t, err)
		require.GreaterOrEqual(t, time.Since(began), 5*time.Millisecond)
		require.LessOrEqual(t, time.Since(began), 15*time.Millisecond)
	})
}
