package server_test

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"

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

// OnRequest ignores a message, evicts a client, or ends the connection.
func TestRequestsThatAreIntercepted(t *testing.T) {
	t.Parallel()
	next := make(chan error, 1)
	_, address := serveCluster(t, server.Config{OnRequest: func(_ context.Context, m server.Message) error {
		if m.Operation != server.LookupAccounts {
			return nil
		}
		return <-next
	}})
	s := openSession(t, address, 5)
	next <- server.ErrIgnore
	s.SendNext(emptyLookup())
	s.RequireSilence(s.Next.Client)
	next <- &server.EvictError{Reason: server.EvictionSessionTooLow}
	s.SendNext(emptyLookup())
	s.RequireEviction(server.EvictionSessionTooLow)
	s.RequireSilence(s.Next.Client)
	next <- nil
	s.RequireReply(emptyLookup())
	next <- errors.New("any other")
	s.SendNext(emptyLookup())
	s.RequireEnd()
}

// An answer that is sent after the end of its connection returns an error.
func TestAnswerAfterTheEnd(t *testing.T) {
	t.Parallel()
	late := make(chan func([]byte) error, 1)
	_, address := serveCluster(t, server.Config{
		OnAnswer: func(_ context.Context, _ server.Message, _ []byte, send func([]byte) error) error {
			late <- send
			return errors.New("end the connection")
		},
	})
	c := vsrtest.Dial(t, address)
	ping := vsr.Ping{Release: release, Client: uint128.From64(1)}.Encode(cluster)
	c.Write(ping[:])
	c.RequireEnd()
	require.ErrorIs(t, (<-late)(ping[:]), net.ErrClosed)
}

// A late answer that its client does not read ends the connection: a part may have been written.
func TestLateAnswerIsNotRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		failed := make(chan error, 1)
		_, p := servePipes(t, server.Config{
			OnAnswer: func(_ context.Context, _ server.Message, answer []byte, send func([]byte) error) error {
				go func() { failed <- send(answer) }()
				return nil
			},
		})
		c := p.dial(t)
		ping := vsr.Ping{Release: release, Client: uint128.From64(1)}.Encode(cluster)
		c.Write(ping[:])
		require.ErrorIs(t, <-failed, os.ErrDeadlineExceeded)
		c.RequireEnd()
	})
}
