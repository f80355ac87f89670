package main

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/shopspring/decimal"
)

// errBooks says that the books do not add up.
var errBooks = errors.New("the books do not add up")

// summary is what the books say at the end. Amounts are in whole units.
type summary struct {
	Peers       map[string]string `json:"peers"` // positions
	Revenue     string            `json:"revenue"`
	Held        string            `json:"held"`        // by packets of others, or of a process that was killed
	Settlements int               `json:"settlements"` // of this process
}

func (s summary) String() string {
	var text strings.Builder
	for _, name := range names {
		fmt.Fprintf(&text, "%-6s position %s USD\n", name, s.Peers[name])
	}
	fmt.Fprintf(&text, "revenue %s USD, held %s USD, %d settlements; the books add up\n", s.Revenue, s.Held, s.Settlements)
	return text.String()
}

// summarizeBooks reads the books: what peers earned and our fees must be what peers sent, but for
// what an operator has booked in suspense.
func (c *connector) summarizeBooks(ctx context.Context) (summary, error) {
	if err := c.client.Recorder.Flush(ctx); err != nil {
		return summary{}, err
	}
	s, missing, err := c.readBooks(ctx)
	if err == nil && missing.Sign() != 0 {
		// The two reads are not of one moment, and another connector may be at work.
		var again *big.Int
		if s, again, err = c.readBooks(ctx); err == nil && again.Cmp(missing) == 0 {
			err = fmt.Errorf("%w: %v units more went out than came in", errBooks, missing)
		}
	}
	return s, err
}

// readBooks reads the books, and how much more went out than came in.
func (c *connector) readBooks(ctx context.Context) (s summary, missing *big.Int, err error) {
	balances, err := c.client.Book.Balances(ctx, c.peers...)
	if err != nil {
		return s, nil, err
	}
	own, err := c.client.Book.OwnPositions(ctx)
	if err != nil {
		return s, nil, err
	}
	s.Peers = map[string]string{}
	missing = new(big.Int).Add(own[0].Revenue, own[0].Suspense)
	held := new(big.Int)
	for _, b := range balances {
		s.Peers[b.Account.Peer()] = wholeDollars(b.Position())
		missing.Add(missing, b.Earned.Big())
		missing.Sub(missing, b.Sent.Big())
		held.Add(held, b.HeldIn.Big())
	}
	s.Revenue, s.Held = wholeDollars(own[0].Revenue), wholeDollars(held)
	c.mu.Lock()
	s.Settlements = c.paid
	c.mu.Unlock()
	return s, missing, nil
}

// wholeDollars is units in whole dollars.
func wholeDollars(units *big.Int) string {
	return decimal.NewFromBigInt(units, -int32(usd.Scale)).StringFixed(int32(usd.Scale))
}
