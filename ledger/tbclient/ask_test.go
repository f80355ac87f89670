//go:build cgo

package tbclient

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	tb "github.com/tigerbeetle/tigerbeetle-go"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// TigerBeetle's client never returns nil rows; package ledger does not promise it for every answer.
func TestNoNilAnswer(t *testing.T) {
	t.Parallel()
	c := New(embedded.New()).(*client)
	defer c.Close()
	answer, err := askLedger[tb.Account](c, func(context.Context, []ledger.ID) ([]ledger.Account, error) {
		return nil, nil
	}, nil)
	require.NoError(t, err)
	require.Equal(t, []tb.Account{}, answer)
}

// However the ledger fails, the caller sees no error before Close.
func TestFailuresAreSilence(t *testing.T) {
	t.Parallel()
	for _, failure := range []error{ledger.ErrClosed, ledger.ErrOutcomeUnknown, errors.New("no space left")} {
		synctest.Test(t, func(t *testing.T) {
			c := New(embedded.New()).(*client)
			var caller sync.WaitGroup
			returned := false
			caller.Go(func() {
				answer, err := askLedger[tb.Account](c, func(context.Context, []ledger.ID) ([]ledger.Account, error) {
					return nil, failure
				}, nil)
				returned = true
				assert.Equal(t, tb.ErrClientClosed, err)
				assert.Nil(t, answer)
			})
			synctest.Wait()
			require.False(t, returned, "%v", failure)
			c.Close()
			caller.Wait()
		})
	}
}
