package accounts_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// The default poll interval is a second.
func TestRoundIsASecond(t *testing.T) {
	t.Parallel()
	book, err := accounts.NewBook(embedded.New(), accounts.Config{Assets: []accounts.Asset{cents}})
	require.NoError(t, err)
	require.Equal(t, time.Second, book.SuspensionPollInterval())
}
