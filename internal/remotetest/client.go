package remotetest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/peerledger/peerledger/ledger"
)

// Client is the ledger served by a server process. Its calls return [ledger.ErrOutcomeUnknown] when
// the server process has gone, and for every error of the ledger except [ledger.ErrTooMuchData] and
// [ledger.ErrClosed].
type Client struct {
	out      *frameWriter
	closeOut func() error
	ended    chan struct{} // closed after the last answer

	closed atomic.Bool // by Close

	mu         sync.Mutex
	lastNumber uint64
	waiting    map[uint64]chan<- answer // by request; nil when the server process has ended
}

var _ ledger.Ledger = (*Client)(nil)

type answer struct {
	failed failure
	data   []byte
}

// NewClient connects to a server process until in ends. The [Client] closes out.
func NewClient(in io.Reader, out io.WriteCloser) *Client {
	c := &Client{
		out: newFrameWriter(out), closeOut: sync.OnceValue(out.Close),
		ended: make(chan struct{}), waiting: make(map[uint64]chan<- answer),
	}
	go c.readAnswers(bufio.NewReaderSize(in, 1<<16)) // until the server process ends; see Ended
	return c
}

// Ended is closed when the server process has gone, or has stopped serving.
func (c *Client) Ended() <-chan struct{} { return c.ended }

// Close ends the requests, and waits until the server process has stopped serving.
func (c *Client) Close() error {
	c.closed.Store(true)
	err := c.closeOut()
	<-c.ended
	return err
}

// readAnswers passes answers to their callers until in ends, and then releases the remaining
// callers.
func (c *Client) readAnswers(in io.Reader) {
	defer close(c.ended)
	for {
		h, err := readHead(in)
		if err != nil {
			break
		}
		data, err := readRows[byte](in, h.Length)
		if err != nil {
			break
		}
		if to := c.removeRequest(h.Number); to != nil {
			to <- answer{h.Failed, data} // the channel has space for it
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, to := range c.waiting {
		close(to)
	}
	c.waiting = nil
}

// addRequest registers a request. ok is false if the server process has ended.
func (c *Client) addRequest() (number uint64, answers <-chan answer, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting == nil {
		return 0, nil, false
	}
	to := make(chan answer, 1)
	c.lastNumber++
	c.waiting[c.lastNumber] = to
	return c.lastNumber, to, true
}

// removeRequest unregisters a request and returns the channel for its answer; nil if its caller has
// gone.
func (c *Client) removeRequest(number uint64) chan<- answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	to := c.waiting[number]
	delete(c.waiting, number)
	return to
}

var errEnded = errors.New("the other process has ended")

// sendRequest sends one request and waits for its answer.
func sendRequest[Out, In any](ctx context.Context, c *Client, op operation, rows []In) ([]Out, error) {
	unknown := func(why error) ([]Out, error) { return nil, fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, why) }
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	number, answers, ok := c.addRequest()
	switch {
	case ok:
	case c.closed.Load():
		return nil, ledger.ErrClosed
	default:
		return unknown(errEnded)
	}
	if err := c.out.writeFrame(frameHead{Number: number, Op: op}, bytesOf(rows)); err != nil {
		c.removeRequest(number)
		return unknown(err)
	}
	select {
	case a, ok := <-answers:
		switch {
		case !ok:
			return unknown(errEnded)
		case a.failed != noFailure:
			return nil, a.failed.toError(a.data)
		default:
			return readRows[Out](bytes.NewReader(a.data), uint32(len(a.data)))
		}
	case <-ctx.Done():
		c.removeRequest(number)
		return unknown(ctx.Err())
	}
}

// CreateAccounts creates accounts.
func (c *Client) CreateAccounts(ctx context.Context, accounts []ledger.Account) ([]ledger.CreateAccountResult, error) {
	return sendRequest[ledger.CreateAccountResult](ctx, c, createAccounts, accounts)
}

// CreateTransfers creates transfers.
func (c *Client) CreateTransfers(ctx context.Context, transfers []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	return sendRequest[ledger.CreateTransferResult](ctx, c, createTransfers, transfers)
}

// LookupAccounts returns accounts.
func (c *Client) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	return sendRequest[ledger.Account](ctx, c, lookupAccounts, ids)
}

// LookupTransfers returns transfers.
func (c *Client) LookupTransfers(ctx context.Context, ids []ledger.ID) ([]ledger.Transfer, error) {
	return sendRequest[ledger.Transfer](ctx, c, lookupTransfers, ids)
}

// GetAccountTransfers returns transfers of an account.
func (c *Client) GetAccountTransfers(ctx context.Context, filter ledger.AccountFilter) ([]ledger.Transfer, error) {
	return sendRequest[ledger.Transfer](ctx, c, getAccountTransfers, []ledger.AccountFilter{filter})
}

// GetAccountBalances returns an account's history.
func (c *Client) GetAccountBalances(ctx context.Context, filter ledger.AccountFilter) ([]ledger.AccountBalance, error) {
	return sendRequest[ledger.AccountBalance](ctx, c, getAccountBalances, []ledger.AccountFilter{filter})
}

// QueryAccounts returns the accounts that match.
func (c *Client) QueryAccounts(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Account, error) {
	return sendRequest[ledger.Account](ctx, c, queryAccounts, []ledger.QueryFilter{filter})
}

// QueryTransfers returns the transfers that match.
func (c *Client) QueryTransfers(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Transfer, error) {
	return sendRequest[ledger.Transfer](ctx, c, queryTransfers, []ledger.QueryFilter{filter})
}
