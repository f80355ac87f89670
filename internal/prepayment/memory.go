package prepayment

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"sync"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// Memory remembers what was last worked out of each peer that ever paid in, so that the rows
// of a peer are read once, and later only those that are new. All of it may be lost. Its
// methods may be called concurrently.
type Memory struct {
	reader *Reader

	mu    sync.Mutex
	peers map[ledger.ID]known // by peer account; the values are never changed
}

// known is what is known of a peer.
type known struct {
	// row is the state after the newest row that was read, and rowSums are sums up to which
	// there is no newer one. nil: no row was read.
	row     *state
	rowSums Sums

	// look are the sums of a moment, and prepaid what was prepaid right then: exactly, or of
	// an account without history at most.
	look    Sums
	prepaid *big.Int
	// byHandAt is the newest credit by hand or write-off that is in prepaid. It is kept of
	// accounts without history alone.
	byHandAt uint64
}

// NewMemory remembers nothing.
func NewMemory(r *Reader) *Memory { return &Memory{reader: r, peers: make(map[ledger.ID]known)} }

// Estimate is what sums say of a prepayment, with what is remembered.
type Estimate struct {
	// Prepaid is what is prepaid, or the most that can be.
	Prepaid ledger.Amount
	// Exact says that it is just that much.
	Exact bool
	// Settled says that no reading makes it better: it is exact, or the account has no
	// history.
	Settled bool
	// NetAtMost is the most that the position less what is prepaid can be.
	NetAtMost *big.Int
}

// Estimate says what can be said of a prepayment without asking the ledger.
func (m *Memory) Estimate(peer ledger.ID, now *Sums) Estimate {
	position := now.Position()
	if position.Sign() <= 0 || now.nobodyPaid() {
		if !now.nobodyPaid() {
			m.remember(peer, now, new(big.Int))
		}
		return exactly(position, new(big.Int))
	}
	k, found := m.known(peer)
	switch {
	case !found || !now.notBefore(&k.look):
		most := new(big.Int).Add(now.Settlement.Debits.Big(), now.Suspense.Debits.Big())
		return Estimate{Prepaid: ledger.ClampAmount(smaller(position, most)), NetAtMost: position}
	case !now.History:
		return m.estimateWithoutHistory(peer, now, &k)
	case now.SamePayments(&k.look):
		split := k.split()
		split.earn(growth(now.Peer.Credits, k.look.Peer.Credits))
		split.send(growth(now.Peer.Debits, k.look.Peer.Debits))
		m.remember(peer, now, split.Prepaid)
		return exactly(position, split.Prepaid)
	default:
		return bound(position, now, &k)
	}
}

// split is the position of the look in its parts.
func (k *known) split() Split {
	return Split{new(big.Int).Sub(k.look.Position(), k.prepaid), new(big.Int).Set(k.prepaid)}
}

func exactly(position, prepaid *big.Int) Estimate {
	return Estimate{
		Prepaid: ledger.ClampAmount(prepaid), Exact: true, Settled: true, NetAtMost: new(big.Int).Sub(position, prepaid),
	}
}

// bound is what can be said when there are payments, or other rows, that were not read.
func bound(position *big.Int, now *Sums, k *known) Estimate {
	byHand := growth(now.Suspense.Debits, k.look.Suspense.Debits) // to this peer, or to others
	in := new(big.Int).Add(growth(now.Settlement.Debits, k.look.Settlement.Debits), byHand)
	prepaid := k.prepaidAtMost(now, in)

	// Payments that went to suspense are in the debits of the settlement account and not in
	// the credits of the peer's.
	paid := growth(now.Settlement.Debits, k.look.Settlement.Debits)
	paid = larger(new(big.Int), paid.Sub(paid, growth(now.Suspense.Credits, k.look.Suspense.Credits)))
	earned := growth(now.Peer.Credits, k.look.Peer.Credits)
	earned.Sub(earned, growth(now.Line.Debits, k.look.Line.Debits))
	earned = larger(new(big.Int), earned.Sub(earned, paid))
	net := k.split().Net
	switch {
	case in.Sign() != 0:
		net = larger(net, smaller(new(big.Int), new(big.Int).Add(net, in)))
	case net.Sign() > 0 && now.Arrears == k.look.Arrears:
		// Only orders were paid. What they paid of the net is gone; what they paid beyond it
		// was prepaid, or is owed.
		net = larger(new(big.Int), net.Sub(net, growth(now.Settlement.Credits, k.look.Settlement.Credits)))
	}
	most := new(big.Int).Add(net, earned)
	return Estimate{Prepaid: ledger.ClampAmount(smaller(position, prepaid)), NetAtMost: smaller(most, position)}
}

// prepaidAtMost is the most that can be prepaid after the look when so much came in since.
func (k *known) prepaidAtMost(now *Sums, in *big.Int) *big.Int {
	sent := growth(now.Peer.Debits, k.look.Peer.Debits)
	sent.Sub(sent, growth(now.Line.Credits, k.look.Line.Credits))
	sent.Sub(sent, growth(now.Settlement.Credits, k.look.Settlement.Credits))
	sent.Sub(sent, growth(now.Arrears.Credits, k.look.Arrears.Credits))
	left := new(big.Int).Sub(k.prepaid, larger(new(big.Int), sent))
	return new(big.Int).Add(larger(new(big.Int), left), in)
}

// estimateWithoutHistory keeps the bound from look to look. What was booked by hand has to be
// read.
func (m *Memory) estimateWithoutHistory(peer ledger.ID, now *Sums, k *known) Estimate {
	if now.Suspense.Debits != k.look.Suspense.Debits {
		e := bound(now.Position(), now, k)
		e.NetAtMost = now.Position() // the net of the look was the least that it could be
		return e
	}
	prepaid := k.prepaidAtMost(now, growth(now.Settlement.Debits, k.look.Settlement.Debits))
	prepaid = smaller(now.Position(), prepaid)
	m.store(peer, known{look: *now, prepaid: prepaid, byHandAt: k.byHandAt})
	e := exactly(now.Position(), prepaid)
	e.Exact = prepaid.Sign() == 0
	return e
}

// remember notes what was prepaid at a moment.
func (m *Memory) remember(peer ledger.ID, look *Sums, prepaid *big.Int) {
	k, _ := m.known(peer)
	k.look, k.prepaid = *look, prepaid
	m.store(peer, k)
}

// store keeps what is known, unless something newer is: two callers may look at a peer at
// once.
func (m *Memory) store(peer ledger.ID, k known) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old, found := m.peers[peer]; !found || k.look.notBefore(&old.look) {
		m.peers[peer] = k
	}
}

func (m *Memory) known(peer ledger.ID) (known, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, found := m.peers[peer]
	return k, found
}

// lookUps is how often a peer is looked at until nothing but packets comes between two looks.
const lookUps = 100

// ErrRestless says that payments of a peer, or bookings by hand in its asset, come so fast
// that no moment was found to read it.
var ErrRestless = errors.New("payments come faster than they can be read")

// Read works a prepayment out from the rows. lookUp reads the sums of a moment; the result is
// about the moment of its last call.
//
// The rows are read between two look-ups and count only if nothing but packets came between
// the two. So none of the rows is missing, and none is too new.
func (m *Memory) Read(ctx context.Context, accounts Accounts, now Sums, lookUp func(context.Context) (Sums, error)) (Estimate, error) {
	for range lookUps {
		next, rowsErr := m.readOnce(ctx, accounts, &now)
		if rowsErr != nil && !errors.Is(rowsErr, ErrRows) {
			return Estimate{}, rowsErr
		}
		again, err := lookUp(ctx)
		switch {
		case err != nil:
			return Estimate{}, err
		case !again.SamePayments(&now): // then rows may well be newer than the sums
			now = again
		case rowsErr != nil:
			return Estimate{}, rowsErr
		default:
			m.store(accounts.Peer, next)
			return m.Estimate(accounts.Peer, &again), nil
		}
	}
	return Estimate{}, ErrRestless
}

// readOnce works out what is known at the moment of a look.
func (m *Memory) readOnce(ctx context.Context, accounts Accounts, now *Sums) (known, error) {
	if !now.History {
		return m.readByHand(ctx, accounts, now)
	}
	row, err := m.rowState(ctx, &moment{accounts: accounts, sums: *now})
	if err != nil {
		return known{}, err
	}
	// The rows may be newer than the look; packets never are too many to explain them.
	after := row.clone()
	if now.Peer.NotBefore(after.peer) {
		err = after.grow(now.Peer)
	} else {
		now.Peer = after.peer
	}
	if err != nil {
		return known{}, err
	}
	if sum := new(big.Int).Add(after.Net, after.Prepaid); sum.Cmp(now.Position()) != 0 {
		return known{}, fmt.Errorf("%w: they add up to %v, and the position is %v", ErrRows, sum, now.Position())
	}
	return known{row: &row, rowSums: *now, look: *now, prepaid: after.Prepaid}, nil
}

// rowState is the state after the newest row of a moment.
func (m *Memory) rowState(ctx context.Context, at *moment) (state, error) {
	k, found := m.known(at.accounts.Peer)
	if !found || k.row == nil || !at.sums.notBefore(&k.rowSums) || at.through != 0 && at.through < k.row.at {
		return m.reader.begin(ctx, at)
	}
	return m.reader.advance(ctx, *k.row, &k.rowSums, at)
}

// readByHand finds out what was credited by hand, or written off, to a peer without history
// since the last look.
func (m *Memory) readByHand(ctx context.Context, accounts Accounts, now *Sums) (known, error) {
	k, found := m.known(accounts.Peer)
	if !found || !now.notBefore(&k.look) {
		k = known{prepaid: new(big.Int)}
	}
	in := growth(now.Settlement.Debits, k.look.Settlement.Debits)
	byHandAt := k.byHandAt
	for _, account := range []ledger.ID{accounts.Peer, accounts.Arrears} {
		s := &stream{account: account, code: chart.CodeAdjust, flags: ledger.AccountFilterCredits}
		if err := m.reader.readAfter(ctx, s, k.byHandAt, 0); err != nil {
			return known{}, err
		}
		for _, row := range s.rows {
			in.Add(in, row.Amount.Big())
			byHandAt = max(byHandAt, row.Timestamp)
		}
	}
	prepaid := larger(new(big.Int), smaller(now.Position(), k.prepaidAtMost(now, in)))
	return known{look: *now, prepaid: prepaid, byHandAt: byHandAt}, nil
}

// At is a peer at a moment of the past.
type At struct {
	Position, Net, Prepaid *big.Int
	Arrears                ledger.Amount
}

// ErrNoHistory says that the ledger keeps no history of the peer account.
var ErrNoHistory = errors.New("the peer account has no history")

// At works out what a peer stood at right after a moment, by rows that never change: everybody
// finds the same, whenever it is asked. now are sums of a later moment.
func (m *Memory) At(ctx context.Context, accounts Accounts, now Sums, at uint64) (At, error) {
	if !now.History {
		return At{}, ErrNoHistory
	}
	then := now
	for _, account := range []struct {
		id     ledger.ID
		totals *Totals
	}{{accounts.Peer, &then.Peer}, {accounts.Line, &then.Line}, {accounts.Arrears, &then.Arrears}} {
		totals, err := m.reader.totalsAt(ctx, account.id, at)
		if err != nil {
			return At{}, fmt.Errorf("read the history of a peer: %w", err)
		}
		*account.totals = totals
	}
	row, err := m.rowState(ctx, &moment{accounts: accounts, sums: then, through: at})
	if err == nil {
		err = row.grow(then.Peer)
	}
	if err != nil {
		return At{}, err
	}
	result := At{Position: then.Position(), Net: row.Net, Prepaid: row.Prepaid, Arrears: then.Arrears.Debits.SubFloor(then.Arrears.Credits)}
	if sum := new(big.Int).Add(result.Net, result.Prepaid); sum.Cmp(result.Position) != 0 {
		return At{}, fmt.Errorf("%w: they add up to %v, and the position is %v", ErrRows, sum, result.Position)
	}
	return result, nil
}
