package main

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"

	"github.com/peerledger/peerledger/accounts"
)

// networkSummary is the state of the books at the end. Positions are in whole units.
type networkSummary struct {
	Fulfilled int                           `json:"fulfilled"` // packets of the customer
	Rejected  int                           `json:"rejected"`
	Positions map[string]string             `json:"positions"`
	Compared  map[string][]figureDifference `json:"compared"` // by peer; empty lists agree
}

func (s networkSummary) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d packets fulfilled, %d rejected\n", s.Fulfilled, s.Rejected)
	for _, name := range sortedKeys(s.Positions) {
		fmt.Fprintf(&text, "%-8s position %s USD\n", name, s.Positions[name])
	}
	for _, name := range sortedKeys(s.Compared) {
		fmt.Fprintf(&text, "the figures of %s: %d differences\n", name, len(s.Compared[name]))
		for _, d := range s.Compared[name] {
			fmt.Fprintln(&text, " ", d)
		}
	}
	return text.String()
}

func sortedKeys[V any](m map[string]V) (keys []string) {
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// tally counts the packets between us and a neighbour.
type tally struct {
	atStart accounts.Balance // the figures count from here

	mu         sync.Mutex
	packetsIn  uint64 // fulfilled
	packetsOut uint64
	failedOut  big.Int // sent with an unknown outcome, in units
}

// countFulfilled counts a packet that the neighbour fulfilled, or that we fulfilled to it.
func (t *tally) countFulfilled(in bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if in {
		t.packetsIn++
	} else {
		t.packetsOut++
	}
}

func (t *tally) countUnknown(amount uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failedOut.Add(&t.failedOut, new(big.Int).SetUint64(amount))
}

// startTallies reads the balances from which figures count.
func (n *network) startTallies(ctx context.Context) (err error) {
	for _, to := range n.neighbours {
		if to.tally.atStart, err = n.c.client.Book.Balance(ctx, to.account); err != nil {
			return err
		}
	}
	return nil
}

// ownFigures returns our figures about a neighbour. Nothing may be in flight.
func (n *network) ownFigures(ctx context.Context, to *neighbour) (figures, error) {
	b, err := n.c.client.Book.Balance(ctx, to.account)
	if err != nil {
		return figures{}, err
	}
	t := &to.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	since := func(now, start *big.Int) *big.Int { return new(big.Int).Sub(now, start) }
	return figures{
		FromPeer: since(b.Sent.Big(), t.atStart.Sent.Big()), ToPeer: since(b.Earned.Big(), t.atStart.Earned.Big()),
		PacketsFromPeer: new(big.Int).SetUint64(t.packetsIn), PacketsToPeer: new(big.Int).SetUint64(t.packetsOut),
		FailedToPeer: new(big.Int).Set(&t.failedOut), Debt: since(b.Position(), t.atStart.Position()),
	}, nil
}

// compareWith compares our figures with those of a peer that is an ilp-connector.
func (n *network) compareWith(ctx context.Context, to *neighbour) ([]figureDifference, error) {
	theirs, err := readIlpConnector(ctx, to.cfg.Admin, to.cfg.Account)
	if err != nil {
		return nil, err
	}
	ours, err := n.ownFigures(ctx, to)
	if err != nil {
		return nil, err
	}
	return compareFigures(ours, theirs), nil
}

// summarizePositions reads the positions. Debits must equal credits in each asset.
func (n *network) summarizePositions(ctx context.Context) (map[string]string, error) {
	for _, asset := range n.c.client.Book.Assets() {
		if _, err := n.c.client.Book.TrialBalance(ctx, asset); err != nil {
			return nil, err
		}
	}
	positions := map[string]string{}
	for _, to := range n.neighbours {
		b, err := n.c.client.Book.Balance(ctx, to.account)
		if err != nil {
			return nil, err
		}
		positions[to.cfg.ID] = formatUnits(b.Position(), to.asset)
	}
	return positions, nil
}

// summarizeNetwork reads the books when no packet is in flight.
func (n *network) summarizeNetwork(ctx context.Context) (s networkSummary, err error) {
	if err := n.c.client.Recorder.Flush(ctx); err != nil {
		return s, err
	}
	if s.Positions, err = n.summarizePositions(ctx); err != nil {
		return s, err
	}
	s.Compared = map[string][]figureDifference{}
	for _, to := range n.neighbours {
		if to.cfg.Admin == "" {
			continue
		}
		if s.Compared[to.cfg.ID], err = n.compareWith(ctx, to); err != nil {
			return s, fmt.Errorf("compare with %s: %w", to.cfg.ID, err)
		}
	}
	return s, nil
}

// runNetwork forwards packets, sends the customer's, and reads the books.
func (c *connector) runNetwork(ctx context.Context, opts options) (s networkSummary, err error) {
	third := opts.grace / 3
	n, err := c.openNetwork(ctx, opts.network)
	if err != nil {
		return s, errors.Join(err, c.closeConnector(third))
	}
	var fulfilled, rejected int
	if opts.to != "" {
		if err = n.waitLinked(ctx); err == nil {
			fulfilled, rejected, err = n.sendPackets(ctx, opts)
		}
	} else {
		<-ctx.Done()
	}
	if ctx.Err() != nil {
		err = nil // interrupted
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), third)
	n.closeNetwork(closing)
	cancel()
	reading, cancel := context.WithTimeout(context.WithoutCancel(ctx), third)
	defer cancel()
	s, sumErr := n.summarizeNetwork(reading)
	s.Fulfilled, s.Rejected = fulfilled, rejected
	return s, errors.Join(err, sumErr, c.closeConnector(third))
}
