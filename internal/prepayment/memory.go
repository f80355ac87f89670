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

// Memory keeps the last result for each peer that ever paid in. The rows of a peer are read once,
// and later only the new rows. A Memory may be lost at any time. Its methods may be called
// concurrently.
type Memory struct {
	reader *Reader

	mu    sync.Mutex
	peers map[ledger.ID]knownPeer // by peer account; the values are immutable
}

// knownPeer is the last result for a peer.
type knownPeer struct {
	// lastRow is the state after the newest row read, and there is no newer row up to the moment of
	// rowSums. nil: no row was read.
	lastRow *state
	rowSums Sums

	// sums are the sums of a moment, and prepaid the prepayment at that moment: exact, or an upper
	// bound for an account without history.
	sums    Sums
	prepaid *big.Int
	// newestByHand is the timestamp of the newest credit by hand or write-off included in prepaid.
	// Only set for accounts without history.
	newestByHand uint64
}

// NewMemory returns an empty [Memory].
func NewMemory(r *Reader) *Memory { return &Memory{reader: r, peers: make(map[ledger.ID]knownPeer)} }

// Estimate is a prepayment computed from [Sums] and from the content of a [Memory].
type Estimate struct {
	// Prepaid is the prepayment, or an upper bound.
	Prepaid ledger.Amount
	// Exact is true if Prepaid is not only an upper bound.
	Exact bool
	// Final is true if reading rows cannot improve the estimate: it is exact, or the account has
	// no history.
	Final bool
	// NetAtMost is an upper bound of the position less the prepayment.
	NetAtMost *big.Int
}

// Estimate estimates a prepayment without asking the ledger.
func (m *Memory) Estimate(peer ledger.ID, now *Sums) Estimate {
	position := now.Position()
	if position.Sign() <= 0 || now.NeverPaidIn() {
		if !now.NeverPaidIn() {
			m.rememberPrepaid(peer, now, new(big.Int))
		}
		return exactEstimate(position, new(big.Int))
	}
	k, found := m.lookupKnown(peer)
	switch {
	case !found || !now.isNotBefore(&k.sums):
		most := new(big.Int).Add(now.Settlement.Debits.Big(), now.Suspense.Debits.Big())
		return Estimate{Prepaid: ledger.ClampAmount(minBig(position, most)), NetAtMost: position}
	case !now.History:
		return m.estimateWithoutHistory(peer, now, &k)
	case now.SamePayments(&k.sums):
		split := k.splitAtSums()
		split.applyEarned(amountGrowth(now.Peer.Credits, k.sums.Peer.Credits))
		split.applySent(amountGrowth(now.Peer.Debits, k.sums.Peer.Debits))
		m.rememberPrepaid(peer, now, split.Prepaid)
		return exactEstimate(position, split.Prepaid)
	default:
		return boundEstimate(position, now, &k)
	}
}

// splitAtSums is the position of the moment of k.sums in its parts.
func (k *knownPeer) splitAtSums() Split {
	return Split{new(big.Int).Sub(k.sums.Position(), k.prepaid), new(big.Int).Set(k.prepaid)}
}

func exactEstimate(position, prepaid *big.Int) Estimate {
	return Estimate{
		Prepaid: ledger.ClampAmount(prepaid), Exact: true, Final: true, NetAtMost: new(big.Int).Sub(position, prepaid),
	}
}

// boundEstimate is the estimate when payments, or other rows, were not read.
func boundEstimate(position *big.Int, now *Sums, k *knownPeer) Estimate {
	byHand := amountGrowth(now.Suspense.Debits, k.sums.Suspense.Debits) // to this peer or another
	in := new(big.Int).Add(amountGrowth(now.Settlement.Debits, k.sums.Settlement.Debits), byHand)
	prepaid := k.maxPrepaid(now, in)

	// Payments to suspense are in the debits of the settlement account and not in the credits of
	// the peer account.
	paid := amountGrowth(now.Settlement.Debits, k.sums.Settlement.Debits)
	paid = maxBig(new(big.Int), paid.Sub(paid, amountGrowth(now.Suspense.Credits, k.sums.Suspense.Credits)))
	earned := amountGrowth(now.Peer.Credits, k.sums.Peer.Credits)
	earned.Sub(earned, amountGrowth(now.Line.Debits, k.sums.Line.Debits))
	earned = maxBig(new(big.Int), earned.Sub(earned, paid))
	net := k.splitAtSums().Net
	switch {
	case in.Sign() != 0:
		net = maxBig(net, minBig(new(big.Int), new(big.Int).Add(net, in)))
	case net.Sign() > 0 && now.Arrears == k.sums.Arrears:
		// Only orders were paid. They have used net; an order beyond net used the prepayment, or is
		// owed.
		net = maxBig(new(big.Int), net.Sub(net, amountGrowth(now.Settlement.Credits, k.sums.Settlement.Credits)))
	}
	most := new(big.Int).Add(net, earned)
	return Estimate{Prepaid: ledger.ClampAmount(minBig(position, prepaid)), NetAtMost: minBig(most, position)}
}

// maxPrepaid is the upper bound of the prepayment if the amount in was paid in since k.sums.
func (k *knownPeer) maxPrepaid(now *Sums, in *big.Int) *big.Int {
	sent := amountGrowth(now.Peer.Debits, k.sums.Peer.Debits)
	sent.Sub(sent, amountGrowth(now.Line.Credits, k.sums.Line.Credits))
	sent.Sub(sent, amountGrowth(now.Settlement.Credits, k.sums.Settlement.Credits))
	sent.Sub(sent, amountGrowth(now.Arrears.Credits, k.sums.Arrears.Credits))
	left := new(big.Int).Sub(k.prepaid, maxBig(new(big.Int), sent))
	return new(big.Int).Add(maxBig(new(big.Int), left), in)
}

// estimateWithoutHistory carries the bound from look-up to look-up. Bookings by hand have to be
// read.
func (m *Memory) estimateWithoutHistory(peer ledger.ID, now *Sums, k *knownPeer) Estimate {
	if now.Suspense.Debits != k.sums.Suspense.Debits {
		e := boundEstimate(now.Position(), now, k)
		e.NetAtMost = now.Position() // the net of the last look-up was a lower bound
		return e
	}
	prepaid := k.maxPrepaid(now, amountGrowth(now.Settlement.Debits, k.sums.Settlement.Debits))
	prepaid = minBig(now.Position(), prepaid)
	m.storeKnown(peer, knownPeer{sums: *now, prepaid: prepaid, newestByHand: k.newestByHand})
	e := exactEstimate(now.Position(), prepaid)
	e.Exact = prepaid.Sign() == 0
	return e
}

// rememberPrepaid stores the prepayment of a moment.
func (m *Memory) rememberPrepaid(peer ledger.ID, look *Sums, prepaid *big.Int) {
	k, _ := m.lookupKnown(peer)
	k.sums, k.prepaid = *look, prepaid
	m.storeKnown(peer, k)
}

// storeKnown stores a result, unless a newer result is stored: two callers may look a peer up at
// once.
func (m *Memory) storeKnown(peer ledger.ID, k knownPeer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old, found := m.peers[peer]; !found || k.sums.isNotBefore(&old.sums) {
		m.peers[peer] = k
	}
}

func (m *Memory) lookupKnown(peer ledger.ID) (knownPeer, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, found := m.peers[peer]
	return k, found
}

// maxLookups bounds the look-ups of [Memory.Read] in search of two with only packets in between.
const maxLookups = 100

// ErrTooBusy is returned when payments of a peer, or bookings by hand in its asset, come so fast
// that no moment was found to read the peer.
var ErrTooBusy = errors.New("payments come faster than they can be read")

// Read computes a prepayment from the rows. lookUp reads the sums of a moment; the result is for
// the moment of its last call.
//
// The rows are read between two look-ups, and count only if nothing but packets came between the
// two. So no row is missing, and no row is newer than the sums.
func (m *Memory) Read(ctx context.Context, accounts Accounts, now Sums, lookUp func(context.Context) (Sums, error)) (Estimate, error) {
	for range maxLookups {
		next, rowsErr := m.readOnce(ctx, accounts, &now)
		if rowsErr != nil && !errors.Is(rowsErr, ErrRows) {
			return Estimate{}, rowsErr
		}
		after, err := lookUp(ctx)
		switch {
		case err != nil:
			return Estimate{}, err
		case !after.SamePayments(&now): // rows may be newer than the sums
			now = after
		case rowsErr != nil:
			return Estimate{}, rowsErr
		default:
			m.storeKnown(accounts.Peer, next)
			return m.Estimate(accounts.Peer, &after), nil
		}
	}
	return Estimate{}, ErrTooBusy
}

// readOnce computes the result for the moment of a look-up.
func (m *Memory) readOnce(ctx context.Context, accounts Accounts, now *Sums) (knownPeer, error) {
	if !now.History {
		return m.readByHand(ctx, accounts, now)
	}
	row, err := m.readState(ctx, &moment{accounts: accounts, sums: *now})
	if err != nil {
		return knownPeer{}, err
	}
	// The rows may be newer than the look-up: then their totals replace those of the look-up.
	after := row.cloneState()
	if now.Peer.NotBefore(after.peerTotals) {
		err = after.applyPackets(now.Peer)
	} else {
		now.Peer = after.peerTotals
	}
	if err != nil {
		return knownPeer{}, err
	}
	if sum := new(big.Int).Add(after.Net, after.Prepaid); sum.Cmp(now.Position()) != 0 {
		return knownPeer{}, fmt.Errorf("%w: they add up to %v, and the position is %v", ErrRows, sum, now.Position())
	}
	return knownPeer{lastRow: &row, rowSums: *now, sums: *now, prepaid: after.Prepaid}, nil
}

// readState reads the state after the newest row of a moment.
func (m *Memory) readState(ctx context.Context, at *moment) (state, error) {
	k, found := m.lookupKnown(at.accounts.Peer)
	if !found || k.lastRow == nil || !at.sums.isNotBefore(&k.rowSums) || at.through != 0 && at.through < k.lastRow.newestRow {
		return m.reader.findState(ctx, at)
	}
	return m.reader.advanceState(ctx, *k.lastRow, &k.rowSums, at)
}

// readByHand reads the credits by hand and write-offs since the last look-up, for a peer without
// history.
func (m *Memory) readByHand(ctx context.Context, accounts Accounts, now *Sums) (knownPeer, error) {
	k, found := m.lookupKnown(accounts.Peer)
	if !found || !now.isNotBefore(&k.sums) {
		k = knownPeer{prepaid: new(big.Int)}
	}
	in := amountGrowth(now.Settlement.Debits, k.sums.Settlement.Debits)
	byHandAt := k.newestByHand
	for _, account := range []ledger.ID{accounts.Peer, accounts.Arrears} {
		s := &stream{account: account, code: chart.CodeAdjust, flags: ledger.AccountFilterCredits}
		if err := m.reader.readAfter(ctx, s, k.newestByHand, 0); err != nil {
			return knownPeer{}, err
		}
		for _, row := range s.rows {
			in.Add(in, row.Amount.Big())
			byHandAt = max(byHandAt, row.Timestamp)
		}
	}
	prepaid := maxBig(new(big.Int), minBig(now.Position(), k.maxPrepaid(now, in)))
	return knownPeer{sums: *now, prepaid: prepaid, newestByHand: byHandAt}, nil
}

// At is the state of a peer at a moment of the past.
type At struct {
	Position, Net, Prepaid *big.Int
	Arrears                ledger.Amount
}

// ErrNoHistory is returned for a peer account without history in the ledger.
var ErrNoHistory = errors.New("the peer account has no history")

// At computes the state of a peer right after a moment, from rows that never change: every caller
// finds the same at any time. now are sums of a later moment.
func (m *Memory) At(ctx context.Context, accounts Accounts, now Sums, at uint64) (At, error) {
	if !now.History {
		return At{}, ErrNoHistory
	}
	then := now
	for _, account := range []struct {
		id     ledger.ID
		totals *Totals
	}{{accounts.Peer, &then.Peer}, {accounts.Line, &then.Line}, {accounts.Arrears, &then.Arrears}} {
		totals, err := m.reader.readTotalsAt(ctx, account.id, at)
		if err != nil {
			return At{}, fmt.Errorf("read the history of a peer: %w", err)
		}
		*account.totals = totals
	}
	row, err := m.readState(ctx, &moment{accounts: accounts, sums: then, through: at})
	if err == nil {
		err = row.applyPackets(then.Peer)
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
