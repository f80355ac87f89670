package server_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/internal/vsr/vsrtest"
	"github.com/peerledger/peerledger/ledger/server"
)

// OnAnswer knows repeats, of registers too, and a change of its answer does not reach the repeat.
func TestAnswersThatAreChanged(t *testing.T) {
	t.Parallel()
	repeats := make(chan bool, 4)
	_, address := serveCluster(t, server.Config{
		OnAnswer: func(_ context.Context, m server.Message, answer []byte, send func([]byte) error) error {
			repeats <- m.Repeat
			if m.Repeat {
				return send(answer)
			}
			clear(answer)
			return nil
		},
	})
	s := &vsrtest.Session{Client: vsrtest.Dial(t, address), Next: vsr.Request{Release: release, Client: uint128.From64(5), Operation: vsr.OperationRegister}}
	s.SendNext(make([]byte, 256))
	h, _ := s.Ask(make([]byte, 256))
	reply := vsr.DecodeReply(&h)
	s.Next = vsr.Request{
		Release: release, Client: s.Next.Client, Session: reply.Op, Parent: reply.Context, Number: 1, Operation: uint8(server.LookupAccounts),
	}
	s.SendNext(emptyLookup())
	s.RequireReply(emptyLookup())
	for _, want := range []bool{false, true, false, true} {
		require.Equal(t, want, <-repeats)
	}
}
