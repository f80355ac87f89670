package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/progress"
	"github.com/peerledger/peerledger/internal/trace"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

// pass is one replay of the trace.
type pass struct {
	trace    *trace.Trace
	client   *peerledger.Client
	engine   bool
	progress progress.Progress

	peers   map[string]*peer
	order   []*peer                             // as in the trace
	packets map[*trace.Forward]transfers.Future // prepared, not answered yet
	tally   tally
}

// peer is what a pass knows of a peer.
type peer struct {
	account accounts.PeerAccount
	asset   assetKey
	// settleAt is the payable at which our engine pays; nil is never.
	settleAt *ledger.Amount
	// room is what the peer can surely send: its headroom as far as the ledger
	// has answered, less everything prepared since.
	room ledger.Amount
	// frees are the operations under way that will give the peer room.
	frees []release
}

// release is an operation that gives a peer room when the ledger has applied it.
type release struct {
	ticket transfers.Future
	amount uint64
	line   int
}

func newPass(tr *trace.Trace, client *peerledger.Client, handles map[string]accounts.PeerAccount, engine bool, shown progress.Progress) *pass {
	p := &pass{
		trace: tr, client: client, engine: engine, progress: shown,
		peers: map[string]*peer{}, packets: map[*trace.Forward]transfers.Future{},
		tally: tally{fulfilled: map[string]int{}, rejected: map[string]int{}},
	}
	for _, tp := range tr.Peers {
		one := &peer{account: handles[tp.ID], asset: hashKey(tp)}
		if engine && tp.Settle != nil {
			one.settleAt = &tp.Settle.Threshold.Payable
		}
		p.peers[tp.ID], p.order = one, append(p.order, one)
	}
	return p
}

func (p *pass) runPass(ctx context.Context) error {
	began := time.Now()
	if err := p.readRoom(ctx); err != nil {
		return err
	}
	for _, event := range p.trace.Events {
		if err := p.playEvent(ctx, event); err != nil {
			return fmt.Errorf("%s:%d: %w", p.trace.Name, event.Where().Line, err)
		}
		p.progress.Step()
	}
	if err := p.awaitAll(ctx); err != nil {
		return err
	}
	p.tally.elapsed = time.Since(began)
	return nil
}

func (p *pass) playEvent(ctx context.Context, event trace.Event) error {
	switch e := event.(type) {
	case *trace.Forward:
		return p.submitPrepare(ctx, e)
	case *trace.Answer:
		return p.submitResolution(ctx, e)
	case *trace.SettleIn:
		return p.settleIn(ctx, e)
	case *trace.SettleOut:
		return p.settleOut(ctx, e)
	default:
		return fmt.Errorf("event %T is not known", e)
	}
}

// submitPrepare hands a forwarded packet's prepare over. If the sender has no room for
// it yet that the ledger has confirmed, what is under way to give it room is
// waited for: the connector forwarded the packet because it had happened before.
func (p *pass) submitPrepare(ctx context.Context, f *trace.Forward) error {
	from := p.peers[f.From]
	amount := ledger.NewAmount(f.In)
	if from.room.Less(amount) {
		if err := p.awaitOperations(ctx, from); err != nil {
			return err
		}
	}
	from.room = from.room.SubFloor(amount)
	packet, err := p.newPacket(f)
	if err != nil {
		return err
	}
	p.packets[f], err = p.client.Recorder.Submit(ctx, transfers.PrepareOp(packet))
	p.tally.forwarded++
	if f.In > 0 || f.Out > 0 {
		p.tally.moving++
	}
	return err
}

// submitResolution posts or voids what the packet's prepare holds.
func (p *pass) submitResolution(ctx context.Context, a *trace.Answer) error {
	f := a.Forward
	prepared := p.packets[f].Wait(ctx)
	delete(p.packets, f)
	if p.countResult(prepared, f.Line); prepared.Err != nil {
		return unknownOutcome(prepared)
	}
	op, freed := transfers.RejectOp(prepared.Packet), release{amount: f.In, line: a.Line}
	receiver := p.peers[f.From]
	if a.Fulfilled {
		op, freed.amount, receiver = transfers.FulfillOp(prepared.Packet), f.Out, p.peers[f.To]
		p.tally.fulfilled[f.From]++
	} else {
		p.tally.rejected[f.From]++
	}
	var err error
	if freed.ticket, err = p.client.Recorder.Submit(ctx, op); err != nil {
		return err
	}
	receiver.frees = append(receiver.frees, freed)
	return p.settleAccounts(ctx)
}

// settleAccounts lets our engine settle, after whatever changes what is owed to a peer or
// what it can be paid. First it waits for everything under way: what is paid must
// depend on the trace and not on how far the ledger has come.
func (p *pass) settleAccounts(ctx context.Context) error {
	if !p.engine {
		return nil
	}
	if err := p.client.Recorder.Flush(ctx); err != nil {
		return err
	}
	if err := p.awaitAll(ctx); err != nil {
		return err
	}
	payments, err := p.client.Settlement.Settle(ctx)
	if err != nil {
		return err
	}
	p.tally.payments = append(p.tally.payments, payments...)
	return p.readRoom(ctx)
}

func (p *pass) settleIn(ctx context.Context, e *trace.SettleIn) error {
	peer := p.peers[e.Peer]
	receipt, err := p.client.Settlement.RecordIncoming(ctx, settlement.IncomingPayment{
		Account: peer.account, Key: p.settlementKey(e.Line), Amount: e.Amount,
	})
	if err != nil {
		return err
	}
	p.countReceipt(receipt)
	peer.room, _ = peer.room.Add(e.Amount)
	return p.settleAccounts(ctx)
}

func (p *pass) settleOut(ctx context.Context, e *trace.SettleOut) error {
	if p.engine {
		return nil
	}
	peer := p.peers[e.Peer]
	if err := p.awaitOperations(ctx, peer); err != nil {
		return err
	}
	receipt, err := p.client.Settlement.RecordOutgoing(ctx, settlement.OutgoingPayment{
		Account: peer.account, Key: p.settlementKey(e.Line), Amount: e.Amount,
	})
	if err != nil {
		return err
	}
	p.countReceipt(receipt)
	peer.room = peer.room.SubFloor(e.Amount)
	return nil
}

// settlementKey names a settlement of the trace: the same line is the same settlement.
func (p *pass) settlementKey(line int) string { return fmt.Sprintf("%s:%d", p.trace.Name, line) }

// awaitOperations waits for everything under way that gives a peer room.
func (p *pass) awaitOperations(ctx context.Context, peer *peer) error {
	for _, g := range peer.frees {
		result := g.ticket.Wait(ctx)
		if p.countResult(result, g.line); result.Err != nil {
			if err := unknownOutcome(result); err != nil {
				return err
			}
			continue
		}
		peer.room, _ = peer.room.Add(ledger.NewAmount(g.amount))
	}
	peer.frees = peer.frees[:0]
	return nil
}

func (p *pass) awaitAll(ctx context.Context) error {
	for _, peer := range p.order {
		if err := p.awaitOperations(ctx, peer); err != nil {
			return err
		}
	}
	return nil
}

// readRoom takes the peers' room from the ledger; nothing may be under way. If our
// engine settles, it has just been called, so no peer may be due.
func (p *pass) readRoom(ctx context.Context) error {
	handles := make([]accounts.PeerAccount, len(p.order))
	for i, peer := range p.order {
		handles[i] = peer.account
	}
	balances, err := p.client.Book.Balances(ctx, handles...)
	if err != nil {
		return err
	}
	for i, peer := range p.order {
		b := balances[i]
		peer.room = b.Headroom
		if owed := b.Payable.SubFloor(b.Prepaid); peer.settleAt != nil && !owed.Less(*peer.settleAt) {
			return fmt.Errorf("%w: %v owed to %v, which is due at %v", errLeftDue, owed, peer.account, *peer.settleAt)
		}
	}
	return nil
}

// errLeftDue says that our engine did not do its work.
var errLeftDue = errors.New("a peer is still due after a check")

func (p *pass) countResult(r transfers.Result, line int) {
	switch {
	case r.Err != nil:
		p.tally.refused = append(p.tally.refused, fmt.Errorf("%s:%d: %w", p.trace.Name, line, r.Err))
	case r.BookedAt.IsZero(): // moved nothing
	case r.Outcome == ledger.OutcomeAlreadyApplied:
		p.tally.repeated++
	default:
		p.tally.applied++
	}
}

func (p *pass) countReceipt(r settlement.PaymentBooking) {
	if r.AlreadyBooked {
		p.tally.repeated++
	} else {
		p.tally.applied++
	}
}

// unknownOutcome is the error of a result that ends the replay: nobody knows what the
// books say. A refusal does not; it is shown in the end.
func unknownOutcome(r transfers.Result) error {
	if r.Outcome == ledger.OutcomeUnknown {
		return r.Err
	}
	return nil
}
