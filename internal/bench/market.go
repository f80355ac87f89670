package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/ledger"
)

var usd = accounts.Asset{Code: "USD", Scale: 9, Ledger: 1}

// unit is the amount of every packet.
const unit = 1

// workload is the peers, who sends to whom, and what the books must say of it.
type workload struct {
	cfg   accounts.Config
	peers []accounts.PeerAccount
	pairs map[load][]pair

	// Units of each peer so far.
	sent, delivered []uint64
}

// pair is who sends and who receives, as indices into peers.
type pair struct{ from, to int32 }

// pairsMax is after how many packets the traffic begins again.
const pairsMax = 1 << 16

// newMarket provisions n peers whose accounts nobody else has.
func newMarket(ctx context.Context, l ledger.Ledger, namespace string, n int, seed uint64) (*workload, error) {
	m := &workload{
		cfg:  accounts.Config{Namespace: namespace, Assets: []accounts.Asset{usd}},
		sent: make([]uint64, n), delivered: make([]uint64, n),
		pairs: map[load][]pair{loadUniform: drawUniform(n, seed), loadHot: drawHot(n, seed)},
	}
	book, err := accounts.NewBook(l, m.cfg)
	if err != nil {
		return nil, err
	}
	peers := make([]accounts.PeerConfig, n)
	for i := range peers {
		peers[i] = accounts.PeerConfig{ID: fmt.Sprintf("peer-%d", i), Asset: usd, CreditLine: accounts.Unlimited}
	}
	m.peers, err = book.Provision(ctx, peers...)
	return m, err
}

// drawUniform lets any peer send to any other one.
func drawUniform(n int, seed uint64) []pair {
	random := rand.New(rand.NewPCG(seed, 0))
	pairs := make([]pair, pairsMax)
	for i := range pairs {
		from := random.Int32N(int32(n))
		to := (from + 1 + random.Int32N(int32(n-1))) % int32(n)
		pairs[i] = pair{from, to}
	}
	return pairs
}

// drawHot lets one peer send to any other one or receive from it, in turn.
func drawHot(n int, seed uint64) []pair {
	random := rand.New(rand.NewPCG(seed, 1))
	pairs := make([]pair, pairsMax)
	for i := range pairs {
		other := 1 + random.Int32N(int32(n-1))
		if i%2 == 0 {
			pairs[i] = pair{0, other}
		} else {
			pairs[i] = pair{other, 0}
		}
	}
	return pairs
}

// traffic is what a measurement sends.
type traffic struct {
	peers []accounts.PeerAccount
	pairs []pair
}

func (m *workload) newTraffic(l load) traffic { return traffic{m.peers, m.pairs[l]} }

// peersOf are the peers of packet i.
func (t traffic) peersOf(i int64) (from, to accounts.PeerAccount) {
	p := t.pairs[i%pairsMax]
	return t.peers[p.from], t.peers[p.to]
}

// conditionTag stands for the execution condition of packet i: no two are the same.
func conditionTag(i int64) uint64 {
	x := (uint64(i) + 1) * 0x9e3779b97f4a7c15
	return x ^ x>>32
}

// countSent notes that the first n packets of a load were sent.
func (m *workload) countSent(l load, n int64) {
	for i := range n {
		p := m.pairs[l][i%pairsMax]
		m.sent[p.from] += unit
		m.delivered[p.to] += unit
	}
}

// errBooks says that the books are not what was sent.
var errBooks = errors.New("the books are wrong")

// verifyBooks compares the books of the peers with all that was sent so far.
func (m *workload) verifyBooks(ctx context.Context, l ledger.Ledger) error {
	book, err := accounts.NewBook(l, m.cfg)
	if err != nil {
		return err
	}
	balances, err := book.Balances(ctx, m.peers...)
	if err != nil {
		return err
	}
	for i, b := range balances {
		switch {
		case b.Sent != ledger.NewAmount(m.sent[i]):
			return fmt.Errorf("%w: %v sent %v, the ledger says %v", errBooks, m.peers[i], m.sent[i], b.Sent)
		case b.Earned != ledger.NewAmount(m.delivered[i]):
			return fmt.Errorf("%w: %v earned %v, the ledger says %v", errBooks, m.peers[i], m.delivered[i], b.Earned)
		case !b.HeldIn.IsZero() || !b.HeldOut.IsZero():
			return fmt.Errorf("%w: %v still has %v held in and %v out", errBooks, m.peers[i], b.HeldIn, b.HeldOut)
		}
	}
	return checkConserved(ctx, l, book, m.peers)
}

// checkConserved adds up all our accounts: nothing leaves them, so debits are credits.
func checkConserved(ctx context.Context, l ledger.Ledger, book *accounts.Book, peers []accounts.PeerAccount) error {
	own, _ := book.AssetIDs(usd.Ledger)
	ids := []ledger.ID{own.Liquidity, own.Revenue, own.Dust, own.Suspense, own.Outside, own.Control}
	for _, p := range peers {
		of := book.PeerIDs(p)
		ids = append(ids, of.Peer, of.Line, of.Settlement)
	}
	all, err := batch.Each(ctx, ids, 1, l.LookupAccounts)
	if err != nil {
		return err
	}
	var debits, credits ledger.Amount // the lines of 2^31 peers fit
	for _, a := range all {
		debits, _ = debits.Add(a.DebitsPosted)
		credits, _ = credits.Add(a.CreditsPosted)
	}
	if len(all) != len(ids) || debits != credits {
		return fmt.Errorf("%w: %d of %d accounts, debits of %v, credits of %v", errBooks, len(all), len(ids), debits, credits)
	}
	return nil
}
