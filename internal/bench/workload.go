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

// workload is a set of peers, the pairs that exchange packets, and the expected books.
type workload struct {
	cfg   accounts.Config
	peers []accounts.PeerAccount
	seed  uint64
	pairs map[distribution][]pair // those used so far

	// Expected units per peer.
	sent, delivered []uint64
}

// pair is a sender and a receiver, as indices into peers.
type pair struct{ from, to int32 }

// countPairs returns the period of the traffic of n peers in packets. Nearly all peers take part.
func countPairs(n int) int { return max(1<<16, 8*n) }

// newWorkload provisions n peers in a namespace of their own.
func newWorkload(ctx context.Context, l ledger.Ledger, namespace string, n int, seed uint64) (*workload, error) {
	w := &workload{
		cfg:  accounts.Config{Namespace: namespace, Assets: []accounts.Asset{usd}},
		sent: make([]uint64, n), delivered: make([]uint64, n),
		seed: seed, pairs: map[distribution][]pair{},
	}
	book, err := accounts.NewBook(l, w.cfg)
	if err != nil {
		return nil, err
	}
	peers := make([]accounts.PeerConfig, n)
	for i := range peers {
		peers[i] = accounts.PeerConfig{ID: fmt.Sprintf("peer-%d", i), Asset: usd, CreditLine: accounts.Unlimited}
	}
	w.peers, err = book.Provision(ctx, peers...)
	return w, err
}

// selectPairs returns the pairs of a distribution.
func (w *workload) selectPairs(d distribution) []pair {
	if w.pairs[d] == nil {
		draw := map[distribution]func(int, uint64) []pair{uniformTraffic: drawUniform, hotTraffic: drawHot, zipfTraffic: drawZipf}[d]
		w.pairs[d] = draw(len(w.peers), w.seed)
	}
	return w.pairs[d]
}

// drawUniform draws pairs of any two peers.
func drawUniform(n int, seed uint64) []pair {
	random := rand.New(rand.NewPCG(seed, 0))
	pairs := make([]pair, countPairs(n))
	for i := range pairs {
		from := random.Int32N(int32(n))
		to := (from + 1 + random.Int32N(int32(n-1))) % int32(n)
		pairs[i] = pair{from, to}
	}
	return pairs
}

// drawHot draws pairs with peer 0, which sends and receives in turn.
func drawHot(n int, seed uint64) []pair {
	random := rand.New(rand.NewPCG(seed, 1))
	pairs := make([]pair, countPairs(n))
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

// zipfExponent makes the first of 1,000 peers send every sixth packet.
const zipfExponent = 1.1

// drawZipf draws skewed senders and skewed receivers.
func drawZipf(n int, seed uint64) []pair {
	zipf := rand.NewZipf(rand.New(rand.NewPCG(seed, 2)), zipfExponent, 1, uint64(n-1))
	pairs := make([]pair, countPairs(n))
	for i := range pairs {
		from, to := int32(zipf.Uint64()), int32(zipf.Uint64())
		if from == to {
			to = (to + 1) % int32(n)
		}
		pairs[i] = pair{from, to}
	}
	return pairs
}

// traffic is the sequence of packets of a measurement.
type traffic struct {
	peers []accounts.PeerAccount
	pairs []pair
}

func (w *workload) newTraffic(l distribution) traffic { return traffic{w.peers, w.selectPairs(l)} }

// choosePeers returns the sender and receiver of packet i.
func (t traffic) choosePeers(i int64) (from, to accounts.PeerAccount) {
	p := t.pairs[i%int64(len(t.pairs))]
	return t.peers[p.from], t.peers[p.to]
}

// computeConditionTag returns a value in place of the execution condition of packet i. It is unique.
func computeConditionTag(i int64) uint64 {
	x := (uint64(i) + 1) * 0x9e3779b97f4a7c15
	return x ^ x>>32
}

// countSent adds packets of a distribution to the expected books: n from the packet first on.
func (w *workload) countSent(l distribution, first, n int64) {
	pairs := w.selectPairs(l)
	for i := range n {
		p := pairs[(first+i)%int64(len(pairs))]
		w.sent[p.from] += unit
		w.delivered[p.to] += unit
	}
}

// errBooks is returned when the books are not the expected ones.
var errBooks = errors.New("the books are wrong")

// verifyBooks compares each [accounts.Balance] with the expected books.
func (w *workload) verifyBooks(ctx context.Context, l ledger.Ledger) error {
	book, err := accounts.NewBook(l, w.cfg)
	if err != nil {
		return err
	}
	balances, err := book.Balances(ctx, w.peers...)
	if err != nil {
		return err
	}
	for i, b := range balances {
		switch {
		case b.Sent != ledger.NewAmount(w.sent[i]):
			return fmt.Errorf("%w: %v sent %v, the ledger says %v", errBooks, w.peers[i], w.sent[i], b.Sent)
		case b.Earned != ledger.NewAmount(w.delivered[i]):
			return fmt.Errorf("%w: %v earned %v, the ledger says %v", errBooks, w.peers[i], w.delivered[i], b.Earned)
		case !b.HeldIn.IsZero() || !b.HeldOut.IsZero():
			return fmt.Errorf("%w: %v still has %v held in and %v out", errBooks, w.peers[i], b.HeldIn, b.HeldOut)
		}
	}
	return checkConserved(ctx, l, book, w.peers)
}

// checkConserved adds up all accounts of the workload. Transfers do not leave them, so debits equal
// credits.
func checkConserved(ctx context.Context, l ledger.Ledger, book *accounts.Book, peers []accounts.PeerAccount) error {
	own, _ := book.AssetIDs(usd.Ledger)
	ids := []ledger.ID{own.Liquidity, own.Revenue, own.Dust, own.Suspense, own.Outside, own.Control}
	for _, p := range peers {
		peerIDs := book.PeerIDs(p)
		ids = append(ids, peerIDs.Peer, peerIDs.Line, peerIDs.Settlement)
	}
	all, err := batch.Each(ctx, ids, 1, l.LookupAccounts)
	if err != nil {
		return err
	}
	var debits, credits ledger.Amount // no overflow: the sum of 2^31 credit lines fits
	for _, a := range all {
		debits, _ = debits.Add(a.DebitsPosted)
		credits, _ = credits.Add(a.CreditsPosted)
	}
	if len(all) != len(ids) || debits != credits {
		return fmt.Errorf("%w: %d of %d accounts, debits of %v, credits of %v", errBooks, len(all), len(ids), debits, credits)
	}
	return nil
}
