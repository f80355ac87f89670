package remotetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/peerledger/peerledger/ledger"
)

// Serve answers the requests of a [Client] in another process, read from in until in ends. Each is
// answered as soon as the ledger has answered. Serve returns after the last answer. The error is
// nil if the client process has closed its side or has gone.
func Serve(ctx context.Context, l ledger.Ledger, in io.Reader, out io.Writer) error {
	s := server{ctx: ctx, ledger: l, in: bufio.NewReaderSize(in, 1<<16), out: newFrameWriter(out)}
	defer s.requests.Wait()
	for {
		h, err := readHead(s.in)
		if err == nil {
			err = s.serveRequest(h)
		}
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return fmt.Errorf("serve a ledger: %w", err)
		}
	}
}

type server struct {
	ctx      context.Context
	ledger   ledger.Ledger
	in       io.Reader
	out      *frameWriter
	requests sync.WaitGroup // requests
}

// serveRequest reads the rest of one request and starts to answer it.
func (s *server) serveRequest(h frameHead) error {
	l := s.ledger
	switch h.Op {
	case createAccounts:
		return answerRequest(s, h, l.CreateAccounts)
	case createTransfers:
		return answerRequest(s, h, l.CreateTransfers)
	case lookupAccounts:
		return answerRequest(s, h, l.LookupAccounts)
	case lookupTransfers:
		return answerRequest(s, h, l.LookupTransfers)
	case getAccountTransfers:
		return answerRequest(s, h, queryOfOneRow(l.GetAccountTransfers))
	case getAccountBalances:
		return answerRequest(s, h, queryOfOneRow(l.GetAccountBalances))
	case queryAccounts:
		return answerRequest(s, h, queryOfOneRow(l.QueryAccounts))
	case queryTransfers:
		return answerRequest(s, h, queryOfOneRow(l.QueryTransfers))
	default:
		return fmt.Errorf("unknown operation %d", h.Op)
	}
}

// queryOfOneRow turns a query into a request of one row.
func queryOfOneRow[F, Out any](query func(context.Context, F) ([]Out, error)) func(context.Context, []F) ([]Out, error) {
	return func(ctx context.Context, filters []F) ([]Out, error) { return query(ctx, filters[0]) }
}

func answerRequest[In, Out any](s *server, h frameHead, ask func(context.Context, []In) ([]Out, error)) error {
	events, err := readRows[In](s.in, h.Length)
	if err != nil {
		return err
	}
	s.requests.Go(func() { // concurrently, since requests wait for the disk together
		answer := frameHead{Number: h.Number}
		var data []byte
		if results, err := ask(s.ctx, events); err != nil {
			answer.Failed, data = failureOf(err), []byte(err.Error())
		} else {
			data = bytesOf(results)
		}
		_ = s.out.writeFrame(answer, data) // fails only if the client process has gone
	})
	return nil
}
