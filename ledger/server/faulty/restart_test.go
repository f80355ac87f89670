package faulty_test

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/server/faulty"
)

// A closed server opens neither ledger nor address.
func TestAfterClose(t *testing.T) {
	t.Parallel()
	opened := 0
	s, err := faulty.Start(faulty.Config{OpenLedger: func() (ledger.Ledger, error) {
		opened++
		return embedded.New(), nil
	}})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Return(0), ledger.ErrClosed)
	for _, keep := range []faulty.Kept{faulty.KeepSessions, faulty.KeepLedger, faulty.KeepFolder} {
		require.ErrorIs(t, s.Restart(keep), ledger.ErrClosed)
	}
	_, err = net.Dial("tcp", s.Addresses()[0])
	require.Error(t, err)
	require.Equal(t, 1, opened)
	require.NoError(t, s.Close())
}

// After a restart that failed, another one and Return bring the server back.
func TestFailedRestart(t *testing.T) {
	t.Parallel()
	var fault error
	s := startFaulty(t, faulty.Config{OpenLedger: func() (ledger.Ledger, error) { return embedded.New(), fault }})
	fault = io.ErrUnexpectedEOF
	require.ErrorIs(t, s.Restart(faulty.KeepFolder), fault)
	_, err := net.Dial("tcp", s.Addresses()[0])
	require.Error(t, err)
	fault = nil
	require.NoError(t, s.Restart(faulty.KeepFolder))
	require.NoError(t, s.Return(0))
	openSession(t, s, 1).RequireReply(accountBody(1))
}
