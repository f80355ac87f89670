package aggregate

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// heldBack is a hold-back of a program.
type heldBack struct {
	*holdBack
	in      *instance
	machine *machine
	most    ledger.Amount // the most that packets needed since the beginning
	reached uint64        // reservations when the hold-back was reached; from then on they do not grow
	isOrder bool          // an order follows
}

// holder begins and ends hold-backs beside a program.
type holder struct {
	*world
	rnd  *rand.Rand
	list []*heldBack

	reached, orders, expired int
}

// Random programs with hold-backs and orders: when the ledger has a peer's headroom, reservations have no more than
// packets needed since, and they do not grow before the end. In the end every journaled fulfill is in the books once.
func TestProgramsWithHoldBacks(t *testing.T) {
	t.Parallel()
	programs, first := environment(t, "PEERLEDGER_ROUND_PROGRAMS", 200), environment(t, "PEERLEDGER_ROUND_SEED", 1)
	var sum holder
	for seed := uint64(first); seed < uint64(first+programs); seed++ {
		h := &holder{world: newWorld(t, seed, kindsOfFaults[seed%uint64(len(kindsOfFaults))], 3), rnd: rand.New(rand.NewPCG(seed, 9))}
		h.run(seed)
		sum.reached, sum.orders, sum.expired = sum.reached+h.reached, sum.orders+h.orders, sum.expired+h.expired
	}
	t.Logf("%d programs: %d hold-backs reached, %d orders, %d hold-backs that ended by themselves", programs, sum.reached, sum.orders, sum.expired)
	require.Positive(t, sum.orders)
	require.Positive(t, sum.expired)
}

func (h *holder) run(seed uint64) {
	defer func() {
		if h.tb.Failed() {
			h.tb.Logf("seed %d, faults %+v", seed, h.faults)
		}
	}()
	for range programSteps {
		if h.rnd.IntN(8) == 0 {
			h.begin()
		}
		h.act()
		h.check()
	}
	h.finish()
	h.checkBooks()
	for _, in := range h.instances {
		in.machine.takeAnswers()
		require.Empty(h.tb, in.machine.holdBacks)
		for _, p := range in.machine.peers {
			require.Zero(h.tb, p.heldBack)
		}
	}
}

func (h *holder) begin() {
	in := h.instances[h.rnd.IntN(len(h.instances))]
	p := in.machine.byID.find(h.peers[h.rnd.IntN(len(h.peers))].ID())
	if p == nil || !in.machine.isReady() {
		return
	}
	held := &heldBack{in: in, machine: in.machine, most: p.kept(), isOrder: h.rnd.IntN(3) > 0}
	held.holdBack = in.machine.holdBack(in.moment(), p)
	h.list = append(h.list, held)
}

func (h *holder) check() {
	for _, in := range h.instances {
		in.machine.takeAnswers()
	}
	kept := h.list[:0]
	for _, b := range h.list {
		if b.machine != b.in.machine { // crashed
			continue
		}
		if p := b.peer; b.most.Less(p.kept()) {
			b.most = p.kept()
		}
		switch {
		case b.isEnded:
			h.expired++
			continue
		case b.isReached && b.reached == 0:
			h.checkReached(b)
		case b.isReached:
			require.LessOrEqual(h.tb, b.peer.reservedInAll(), b.reached, "reservations grow")
		}
		if b.isReached && h.rnd.IntN(4) == 0 {
			b.machine.endHoldBack(b.holdBack)
			continue
		}
		kept = append(kept, b)
	}
	h.list = kept
}

// checkReached compares reservations with packets and with the ledger, and places an order.
func (h *holder) checkReached(b *heldBack) {
	h.reached++
	p := b.peer
	b.reached = p.reservedInAll()
	require.False(h.tb, b.most.Less(ledger.NewAmount(b.reached)), "%d are reserved, and packets need %v", b.reached, b.most)
	if !b.isOrder {
		return
	}
	require.Equal(h.tb, b.reached, h.reservedInLedger(b.in, p))
	t := ledger.Transfer{
		ID: h.newID(), DebitAccountID: p.ids.Peer, CreditAccountID: p.ids.Settlement, Ledger: p.account.Ledger(), Code: chart.CodeOrder,
		Amount: ledger.NewAmount(1 << 40), Flags: ledger.TransferPending | ledger.TransferBalancingDebit,
	}
	if h.send(t) {
		h.orders++
		h.world.orders[t.ID] = p.account
	}
}

// reservedInLedger returns the sum of an instance's reservations of a peer that the ledger has.
func (h *holder) reservedInLedger(in *instance, p *peer) (sum uint64) {
	for i := range p.holds {
		rows, err := h.ledger.LookupTransfers(context.Background(), []ledger.ID{p.holds[i].id})
		require.NoError(h.tb, err)
		require.Len(h.tb, rows, 1, fmt.Sprint(p.account))
		amount, _ := rows[0].Amount.Uint64()
		sum += amount
	}
	require.Equal(h.tb, in.number, in.machine.rules.journal)
	return sum
}

// A prepare that comes while a top-up is on its way is not refused by the answer: the headroom may have more.
func TestPrepareBehindATopUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, faults{}, 3)
	a, in := w.peers[0], w.instances[0]
	_, err := w.book.SetCreditLine(context.Background(), a, ledger.NewAmount(10_000))
	require.NoError(t, err)
	var errs [2]error
	prepare := func(i int, amount uint64) {
		p := transfers.Packet{ID: w.newID(), From: a, To: w.peers[1], In: amount, Out: amount, Expiry: time.Unix(0, in.moment().wall).Add(20 * time.Second)}
		w.submit(in, transfers.PrepareOp(p), func(_ *transfers.Op, r *reply) { errs[i] = r.err })
	}
	prepare(0, 100)
	for in.machine.inFlight == nil || in.machine.inFlight.kind != requestTopUps {
		if in.sent = in.machine.nextRequest(in.moment()); in.sent.kind != requestTopUps {
			in.step(true)
		}
	}
	prepare(1, 8000)
	w.drain(in)
	require.NoError(t, errs[0])
	require.NoError(t, errs[1])
}
