package main

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/peerledger/peerledger/accounts"
)

// errBooks is returned when the books do not add up.
var errBooks = errors.New("the books do not add up")

// summary is the final state of the books. Amounts are in whole units.
type summary struct {
	Peers       map[string]string `json:"peers"` // positions
	Revenue     string            `json:"revenue"`
	Held        string            `json:"held"`        // by reservations of rounds, by packets of other connectors, or of a killed process
	Settlements int               `json:"settlements"` // by this process
}

func (s summary) String() string {
	var text strings.Builder
	for _, name := range peerNames {
		fmt.Fprintf(&text, "%-6s position %s USD\n", name, s.Peers[name])
	}
	fmt.Fprintf(&text, "revenue %s USD, held %s USD, %d settlements; the books add up\n", s.Revenue, s.Held, s.Settlements)
	return text.String()
}

// summarizeBooks reads the books. The earnings of the peers, our fees and the suspense account must
// equal the amounts sent by the peers.
func (c *connector) summarizeBooks(ctx context.Context) (summary, error) {
	if err := c.client.Recorder.Flush(ctx); err != nil {
		return summary{}, err
	}
	s, excess, err := c.readBooks(ctx)
	if err == nil && excess.Sign() != 0 {
		// readBooks reads twice. Between the reads a second connector may have booked packets.
		var secondExcess *big.Int
		if s, secondExcess, err = c.readBooks(ctx); err == nil && secondExcess.Cmp(excess) == 0 {
			err = fmt.Errorf("%w: %v units more went out than came in", errBooks, excess)
		}
	}
	return s, err
}

// readBooks reads the books. excess is the amount sent out beyond the amount received.
func (c *connector) readBooks(ctx context.Context) (s summary, excess *big.Int, err error) {
	balances, err := c.client.Book.Balances(ctx, c.peers...)
	if err != nil {
		return s, nil, err
	}
	own, err := c.client.Book.OwnPositions(ctx)
	if err != nil {
		return s, nil, err
	}
	s.Peers = map[string]string{}
	excess = new(big.Int).Add(own[0].Revenue, own[0].Suspense)
	held := new(big.Int)
	for _, b := range balances {
		s.Peers[b.Account.Peer()] = formatUnits(b.Position(), usd)
		excess.Add(excess, b.Earned.Big())
		excess.Sub(excess, b.Sent.Big())
		held.Add(held, b.HeldIn.Big())
	}
	s.Revenue, s.Held = formatUnits(own[0].Revenue, usd), formatUnits(held, usd)
	c.mu.Lock()
	s.Settlements = c.settlements
	c.mu.Unlock()
	return s, excess, nil
}

// formatUnits formats units in whole units of an asset.
func formatUnits(units *big.Int, asset accounts.Asset) string {
	return decimal.NewFromBigInt(units, -int32(asset.Scale)).StringFixed(int32(asset.Scale))
}
