package aggregate_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// Random programs of packets, payments, orders, closings, suspensions and changed lines, on one or two recorders of
// rounds, each with its engine. In the end the books have what the program has counted, packet by packet.
//
// PEERLEDGER_SETTLED_PROGRAMS sets their number, PEERLEDGER_ROUND_SEED the first seed.
func TestProgramsWithSettlement(t *testing.T) {
	t.Parallel()
	programs, first := 20, 1
	for name, value := range map[string]*int{"PEERLEDGER_SETTLED_PROGRAMS": &programs, "PEERLEDGER_ROUND_SEED": &first} {
		if text := os.Getenv(name); text != "" {
			var err error
			*value, err = strconv.Atoi(text)
			require.NoError(t, err, name)
		}
	}
	var sum settledCounts
	var mu sync.Mutex
	var next atomic.Int64
	for worker := range 2 {
		t.Run(fmt.Sprint("worker ", worker), func(t *testing.T) {
			t.Parallel()
			for i := next.Add(1) - 1; i < int64(programs) && !t.Failed(); i = next.Add(1) - 1 {
				synctest.Test(t, func(t *testing.T) {
					p := newSettledProgram(t, uint64(first)+uint64(i), embedded.New())
					p.run(120)
					mu.Lock()
					sum.add(&p.counts)
					mu.Unlock()
				})
			}
		})
	}
	t.Cleanup(func() {
		if t.Failed() {
			return
		}
		t.Logf("%d programs: %+v", programs, sum)
		require.Positive(t, sum.orders)
		require.Positive(t, sum.closings)
		require.Positive(t, sum.released)
		require.Positive(t, sum.reduced)
	})
}

// settledCounts counts what programs did.
type settledCounts struct{ fulfilled, refused, payments, orders, closings, reopened, released, reduced int }

func (c *settledCounts) add(o *settledCounts) {
	c.fulfilled += o.fulfilled
	c.refused += o.refused
	c.payments += o.payments
	c.orders += o.orders
	c.closings += o.closings
	c.reopened += o.reopened
	c.released += o.released
	c.reduced += o.reduced
}

// settledPeer is a peer of a program as the program counts.
type settledPeer struct {
	account              accounts.PeerAccount
	earned, sent, paidIn uint64
	closed               bool
}

// openPacket is a packet that its recorder holds.
type openPacket struct {
	packet   transfers.Packet
	node     *node
	from, to *settledPeer // nil: ourselves
}

type settledProgram struct {
	t      *testing.T
	rnd    *rand.Rand
	f      *fixture
	own    accounts.PeerAccount
	peers  []*settledPeer
	nodes  []node
	rail   *payer
	calm   atomic.Bool // the rail pays all
	open   []openPacket
	keys   int
	counts settledCounts
}

func newSettledProgram(t *testing.T, seed uint64, l ledger.Ledger) *settledProgram {
	t.Helper()
	p := &settledProgram{t: t, rnd: rand.New(rand.NewPCG(seed, 3)), rail: newPayer()}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("seed", seed)
		}
	})
	p.f = newFixture(t, l, 0)
	var err error
	p.own, err = p.f.book.OwnAccount(usd)
	require.NoError(t, err)
	for _, a := range p.f.peers[:3] {
		p.peers = append(p.peers, &settledPeer{account: a})
		_, err = p.f.book.SetCreditLine(t.Context(), a, units(uint64(p.rnd.IntN(3)*400)))
		require.NoError(t, err)
	}
	railRandom := rand.New(rand.NewPCG(seed, 4)) // asked under the rail's lock
	p.rail.pays = func(o settlement.Order) (ledger.Amount, error) {
		switch n := railRandom.IntN(10); {
		case p.calm.Load() || n < 6:
			return o.Amount, nil
		case n == 6:
			return ledger.Amount{}, settlement.ErrDeclined
		case n == 7:
			return ledger.Amount{}, settlement.ErrPending
		default:
			whole, _ := o.Amount.Uint64()
			return units(1 + railRandom.Uint64N(whole)), nil
		}
	}
	for i := range 1 + p.rnd.IntN(2) {
		at := 20 + p.rnd.Uint64N(300)
		policy := settlement.Policy(settlement.Threshold{SettleThreshold: units(at), SettleTo: units(p.rnd.Uint64N(at))})
		if p.rnd.IntN(2) == 0 {
			policy = inFull(at)
		}
		cfg := settledBy(p.rail, policy)
		cfg.Instance, cfg.OrderCooldown, cfg.RetryInitialInterval = fmt.Sprint("engine ", i), 100*time.Millisecond, 10*time.Millisecond
		cfg.RetryMaxInterval, cfg.SweepInterval = time.Second, time.Second
		n := p.f.connect(t, cfg, false, func(c *aggregate.Config) { c.RoundInterval = 20 * time.Millisecond })
		n.engine.Enqueue(p.f.peers[:3])
		p.nodes = append(p.nodes, n)
	}
	return p
}

func (p *settledProgram) run(steps int) {
	for range steps {
		p.step()
	}
	p.comeToRest()
	p.compare()
}

func (p *settledProgram) pickPeer() *settledPeer { return p.peers[p.rnd.IntN(len(p.peers))] }

func (p *settledProgram) pickNode() *node { return &p.nodes[p.rnd.IntN(len(p.nodes))] }

func (p *settledProgram) step() {
	switch n := p.rnd.IntN(100); {
	case n < 45:
		p.prepare()
	case n < 70:
		if len(p.open) > 0 {
			p.resolve(p.rnd.IntN(len(p.open)), p.rnd.IntN(5) > 0)
		}
	case n < 76:
		p.payIn(p.pickPeer(), 1+p.rnd.Uint64N(200))
	case n < 80:
		p.changeLine(p.pickPeer())
	case n < 84:
		p.closePeer(p.pickPeer())
	case n < 88:
		p.reopen(p.pickPeer())
	default:
		sleepVirtual(time.Duration(p.rnd.IntN(100)) * time.Millisecond)
	}
}

// prepare prepares a packet between two peers, or a peer and us.
func (p *settledProgram) prepare() {
	o := openPacket{node: p.pickNode(), from: p.pickPeer(), to: p.pickPeer()}
	amount := 1 + p.rnd.Uint64N(100)
	o.packet = transfers.Packet{From: o.from.account, To: o.to.account, In: amount, Out: amount, Expiry: time.Now().Add(50 * time.Second)}
	switch p.rnd.IntN(4) {
	case 0:
		o.from, o.packet.From = nil, p.own
	case 1:
		o.to, o.packet.To = nil, p.own
	}
	result, err := o.node.recorder.Prepare(p.t.Context(), o.packet)
	if err != nil {
		p.requireAny(err, transfers.ErrCreditLine, transfers.ErrInArrears, accounts.ErrSuspended, accounts.ErrPeerClosed)
		p.counts.refused++
		return
	}
	o.packet = result.Packet
	p.open = append(p.open, o)
}

func (p *settledProgram) resolve(i int, isFulfilled bool) {
	o := p.open[i]
	p.open = append(p.open[:i], p.open[i+1:]...)
	if !isFulfilled {
		_, err := o.node.recorder.Reject(p.t.Context(), o.packet)
		require.NoError(p.t, err)
		return
	}
	_, err := o.node.recorder.Fulfill(p.t.Context(), o.packet)
	require.NoError(p.t, err)
	p.counts.fulfilled++
	if o.from != nil {
		o.from.sent += o.packet.In
	}
	if o.to != nil {
		o.to.earned += o.packet.Out
	}
}

// payIn books a payment of a peer while rounds run.
func (p *settledProgram) payIn(s *settledPeer, amount uint64) {
	p.keys++
	in := settlement.IncomingPayment{Account: s.account, Key: fmt.Sprint("key ", p.keys), Amount: units(amount)}
	for range 2 { // reported twice
		_, err := p.pickNode().engine.RecordIncoming(p.t.Context(), in)
		require.NoError(p.t, err)
	}
	s.paidIn += amount
	p.counts.payments++
}

// aPoll is the time in which recorders see a suspension, and give the peer's reservations back.
const aPoll = 1100 * time.Millisecond

// changeLine changes a peer's line as operators do: suspend, wait, revoke what is free, resume, set the line.
func (p *settledProgram) changeLine(s *settledPeer) {
	if s.closed {
		return
	}
	ctx := p.t.Context()
	before, err := p.f.book.LookUpBalances(ctx, s.account)
	require.NoError(p.t, err)
	require.NoError(p.t, p.f.book.SuspendPeer(ctx, s.account))
	sleepVirtual(aPoll)
	require.NoError(p.t, p.f.book.SuspendPeer(ctx, s.account, accounts.WithFreeRevoked()))
	require.NoError(p.t, p.f.book.ResumePeer(ctx, s.account))
	change, err := p.f.book.SetCreditLine(ctx, s.account, units(p.rnd.Uint64N(800)))
	switch {
	case err != nil: // what is owed, and what packets hold, stays covered
		require.ErrorIs(p.t, err, accounts.ErrLineInUse)
	case change.After.Less(before[0].CreditLine):
		p.counts.reduced++
	}
}

// closePeer suspends a peer and closes it, unless something is owed or held.
func (p *settledProgram) closePeer(s *settledPeer) {
	if s.closed {
		return
	}
	ctx := p.t.Context()
	require.NoError(p.t, p.f.book.SuspendPeer(ctx, s.account))
	sleepVirtual(aPoll)
	p.payOff(s)
	err := p.f.book.ClosePeer(ctx, s.account)
	if err != nil {
		p.requireAny(err, accounts.ErrHeld, accounts.ErrOwed)
		require.NoError(p.t, p.f.book.ResumePeer(ctx, s.account))
		return
	}
	s.closed = true
	p.counts.closings++
}

// payOff pays what is owed between a peer and us.
func (p *settledProgram) payOff(s *settledPeer) {
	ctx, n := p.t.Context(), p.pickNode()
	b, err := p.f.book.Balance(ctx, s.account)
	require.NoError(p.t, err)
	if owed, _ := b.Receivable.Uint64(); owed > 0 {
		p.payIn(s, owed)
	}
	if !b.Prepaid.IsZero() {
		err = n.engine.Refund(ctx, s.account)
	} else if !b.Payable.IsZero() {
		_, err = n.engine.SettleNow(ctx, s.account)
	}
	if err != nil {
		p.requireAny(err, settlement.ErrDeclined, settlement.ErrPending, settlement.ErrNoPrepayment)
	}
	if _, err = n.engine.Settle(ctx, s.account); err != nil {
		p.requireAny(err, settlement.ErrDeclined, settlement.ErrPending)
	}
}

func (p *settledProgram) reopen(s *settledPeer) {
	if !s.closed {
		return
	}
	ctx := p.t.Context()
	require.NoError(p.t, p.f.book.ReopenPeer(ctx, s.account))
	require.NoError(p.t, p.f.book.ResumePeer(ctx, s.account))
	s.closed = false
	p.counts.reopened++
	p.release(s)
}

// release gives back what waits for a peer; a second call finds nothing.
func (p *settledProgram) release(s *settledPeer) {
	released, err := p.pickNode().engine.Release(p.t.Context(), s.account)
	require.NoError(p.t, err)
	p.counts.released += len(released.Payments)
	again, err := p.pickNode().engine.Release(p.t.Context(), s.account)
	require.NoError(p.t, err)
	for _, payment := range again.Payments { // a round has come between
		require.NotEqual(p.t, released.Payments, payment)
	}
}

func (p *settledProgram) requireAny(err error, targets ...error) {
	p.t.Helper()
	for _, target := range targets {
		if errors.Is(err, target) {
			return
		}
	}
	require.NoError(p.t, err)
}

// comeToRest resolves all packets, opens all peers, and lets the engines pay.
func (p *settledProgram) comeToRest() {
	p.calm.Store(true)
	for len(p.open) > 0 {
		p.resolve(0, p.rnd.IntN(2) == 0)
	}
	for i := range p.nodes {
		require.NoError(p.t, p.nodes[i].recorder.Close(p.t.Context()))
	}
	for _, s := range p.peers {
		p.reopen(s)
		p.release(s) // a round may have added since
	}
	for i := range p.nodes {
		_, err := p.nodes[i].engine.Settle(p.t.Context())
		require.NoError(p.t, err)
	}
	for i := range p.nodes {
		require.NoError(p.t, p.nodes[i].engine.Close(context.Background()))
	}
}

// compare compares the books with what the program counted.
func (p *settledProgram) compare() {
	t := p.t
	for _, s := range p.peers {
		b, err := p.f.book.Balance(t.Context(), s.account)
		require.NoError(t, err)
		paid := p.rail.total(s.account)
		name := s.account.String()
		require.Equal(t, units(s.earned), b.Earned, "earned by %s", name)
		require.Equal(t, units(s.sent), b.Sent, "sent by %s", name)
		require.Equal(t, units(s.paidIn), b.SettledIn, "paid by %s", name)
		require.Equal(t, units(paid), b.SettledOut, "paid to %s", name)
		require.Zero(t, b.HeldIn, name)
		require.Zero(t, b.Settling, name)
		require.True(t, b.Arrears.IsZero() || b.Headroom.IsZero(), "%s has arrears beside headroom", name)
	}
	p.counts.orders += p.rail.countPaid()
	require.Equal(t, "0", p.f.figures(t)["suspense in USD"])
}
