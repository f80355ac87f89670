package timechart

import (
	"context"
	"math/big"
	"slices"
	"time"

	"github.com/peerledger/peerledger/accounts"
)

// Flow is an amount in each direction, in units, at least 0.
type Flow struct {
	In  *big.Int // from the peer to us
	Out *big.Int // from us to the peer
}

func newFlow() Flow { return Flow{new(big.Int), new(big.Int)} }

func (f Flow) add(direction accounts.Direction, amount *big.Int) {
	to := f.In
	if direction == accounts.DirectionOut {
		to = f.Out
	}
	to.Add(to, new(big.Int).Abs(amount))
}

func (f Flow) isZero() bool { return f.In.Sign() == 0 && f.Out.Sign() == 0 }

// Peer has the figures of one peer.
type Peer struct {
	ID        string
	Positions []*big.Int // at each of Figures.Times, in units; above 0 we owe the peer
	Settled   Flow       // over the whole time, returned payments included
	Packets   Flow       // over the whole time: packets, rounds and fees
}

// Figures are what a chart shows. All amounts are exact.
type Figures struct {
	Asset   accounts.Asset
	Times   []time.Time // the ends of the steps, the beginning first: one more than the steps
	Peers   []Peer
	Settled []Flow // of all peers, one for each step
	Packets []Flow
}

// Query selects the time of a chart.
type Query struct {
	From  time.Time // default: when the ledger created the first of the peers' accounts
	To    time.Time // default: now
	Steps int       // 1 to [accounts.MaxHistorySteps]
}

// Read reads the figures of peers of one asset. It reads all bookings of the time once, a page at a time. Read returns the errors
// of [accounts.Book.History] and [accounts.Book.Statement].
func Read(ctx context.Context, book *accounts.Book, peers []accounts.PeerAccount, query Query) (Figures, error) {
	if query.To.IsZero() {
		query.To = time.Now()
	}
	if query.From.IsZero() {
		balances, err := book.LookUpBalances(ctx, peers...)
		if err != nil {
			return Figures{}, err
		}
		first := slices.MinFunc(balances, func(a, b accounts.Balance) int { return a.Opened.Compare(b.Opened) })
		query.From = first.Opened
	}
	var f Figures
	for _, account := range peers {
		if err := f.addPeer(ctx, book, account, query); err != nil {
			return Figures{}, err
		}
	}
	return f, nil
}

func (f *Figures) addPeer(ctx context.Context, book *accounts.Book, account accounts.PeerAccount, query Query) error {
	history, err := book.History(ctx, account, accounts.HistoryQuery{From: query.From, To: query.To, Steps: query.Steps})
	if err != nil {
		return err
	}
	peer := Peer{ID: account.Peer(), Settled: newFlow(), Packets: newFlow()}
	first := f.Times == nil
	for i, p := range history.Points {
		peer.Positions = append(peer.Positions, p.Position)
		if first {
			f.Times = append(f.Times, p.Time)
			if i > 0 {
				f.Settled, f.Packets = append(f.Settled, newFlow()), append(f.Packets, newFlow())
			}
		}
	}
	f.Asset = history.Asset
	if err := f.addFlows(ctx, book, account, &peer); err != nil {
		return err
	}
	f.Peers = append(f.Peers, peer)
	return nil
}

// addFlows adds the movements of a peer to the peer's totals and to the steps. What has no direction moves no value between the
// sides: credit lines, adjustments and write-offs.
func (f *Figures) addFlows(ctx context.Context, book *accounts.Book, account accounts.PeerAccount, peer *Peer) error {
	statement, err := book.Statement(ctx, account, f.Times[0], f.Times[len(f.Times)-1])
	if err != nil {
		return err
	}
	step := 0
	for e, err := range statement.Entries(ctx) {
		if err != nil {
			return err
		}
		if e.Direction == "" {
			continue
		}
		for step < len(f.Settled)-1 && !e.Time.Before(f.Times[step+1]) {
			step++
		}
		total, of := peer.Packets, f.Packets[step]
		switch e.Kind { //nolint:exhaustive // the others are of packets
		case accounts.EntrySettlement, accounts.EntryByHand, accounts.EntryReturned:
			total, of = peer.Settled, f.Settled[step]
		}
		total.add(e.Direction, e.Amount)
		of.add(e.Direction, e.Amount)
	}
	return nil
}

// sumFlows adds flows up.
func sumFlows(flows []Flow) Flow {
	sum := newFlow()
	for _, f := range flows {
		sum.In.Add(sum.In, f.In)
		sum.Out.Add(sum.Out, f.Out)
	}
	return sum
}
