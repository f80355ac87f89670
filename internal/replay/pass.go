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
	inOrder []*peer                             // in the order of the trace
	packets map[*trace.Forward]transfers.Future // prepared, not yet answered
	tally   tally
}

// peer is the state of a peer in a pass.
type peer struct {
	account accounts.PeerAccount
	asset   assetKey
	// settleAt is the payable at which our engine pays; nil: never.
	settleAt *ledger.Amount
	// knownHeadroom is a lower bound of the headroom: the headroom according to the ledger's
	// answers so far, less all prepares since.
	knownHeadroom ledger.Amount
	// releases are the operations under way that will raise the headroom.
	releases []release
}

// release is an operation that raises a peer's headroom once the ledger has applied it.
type release struct {
	future transfers.Future
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
		added := &peer{account: handles[tp.ID], asset: newAssetKey(tp)}
		if engine && tp.Settle != nil {
			added.settleAt = &tp.Settle.Threshold.Payable
		}
		p.peers[tp.ID], p.inOrder = added, append(p.inOrder, added)
	}
	return p
}

func (p *pass) runPass(ctx context.Context) error {
	began := time.Now()
	if err := p.readHeadroom(ctx); err != nil {
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

// submitPrepare submits the prepare of a forwarded packet. If the known headroom of the sender is
// too small, submitPrepare first waits for the sender's releases: the connector forwarded the
// packet after them.
func (p *pass) submitPrepare(ctx context.Context, f *trace.Forward) error {
	from := p.peers[f.From]
	amount := ledger.NewAmount(f.In)
	if from.knownHeadroom.Less(amount) {
		if err := p.awaitOperations(ctx, from); err != nil {
			return err
		}
	}
	from.knownHeadroom = from.knownHeadroom.SubFloor(amount)
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

// submitResolution posts or voids the hold of a packet.
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
	if freed.future, err = p.client.Recorder.Submit(ctx, op); err != nil {
		return err
	}
	receiver.releases = append(receiver.releases, freed)
	return p.settleAccounts(ctx)
}

// settleAccounts lets our engine settle after each change of a payable or of a receiver's headroom.
// It first waits for everything under way, so that payments depend on the trace and not on the
// speed of the ledger.
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
	return p.readHeadroom(ctx)
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
	peer.knownHeadroom, _ = peer.knownHeadroom.Add(e.Amount)
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
	peer.knownHeadroom = peer.knownHeadroom.SubFloor(e.Amount)
	return nil
}

// settlementKey names a settlement by its line, so a second replay books it once.
func (p *pass) settlementKey(line int) string { return fmt.Sprintf("%s:%d", p.trace.Name, line) }

// awaitOperations waits for the releases of a peer.
func (p *pass) awaitOperations(ctx context.Context, peer *peer) error {
	for _, r := range peer.releases {
		result := r.future.Wait(ctx)
		if p.countResult(result, r.line); result.Err != nil {
			if err := unknownOutcome(result); err != nil {
				return err
			}
			continue
		}
		peer.knownHeadroom, _ = peer.knownHeadroom.Add(ledger.NewAmount(r.amount))
	}
	peer.releases = peer.releases[:0]
	return nil
}

func (p *pass) awaitAll(ctx context.Context) error {
	for _, peer := range p.inOrder {
		if err := p.awaitOperations(ctx, peer); err != nil {
			return err
		}
	}
	return nil
}

// readHeadroom reads the headroom of all peers from the ledger, with nothing under way. If our
// engine settles, its check has just ended, so no peer may be due.
func (p *pass) readHeadroom(ctx context.Context) error {
	handles := make([]accounts.PeerAccount, len(p.inOrder))
	for i, peer := range p.inOrder {
		handles[i] = peer.account
	}
	balances, err := p.client.Book.Balances(ctx, handles...)
	if err != nil {
		return err
	}
	for i, peer := range p.inOrder {
		b := balances[i]
		peer.knownHeadroom = b.Headroom
		if owed := b.Payable.SubFloor(b.Prepaid); peer.settleAt != nil && !owed.Less(*peer.settleAt) {
			return fmt.Errorf("%w: %v owed to %v, which is due at %v", errLeftDue, owed, peer.account, *peer.settleAt)
		}
	}
	return nil
}

// errLeftDue is returned when our engine left a due peer unpaid.
var errLeftDue = errors.New("a peer is still due after a check")

func (p *pass) countResult(r transfers.Result, line int) {
	switch {
	case r.Err != nil:
		p.tally.refused = append(p.tally.refused, fmt.Errorf("%s:%d: %w", p.trace.Name, line, r.Err))
	case r.BookedAt.IsZero(): // no amount was moved
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

// unknownOutcome returns the error of a result with an unknown outcome. Such a result ends the
// replay, because the books are then unknown. A refusal does not end it and is reported with the
// differences.
func unknownOutcome(r transfers.Result) error {
	if r.Outcome == ledger.OutcomeUnknown {
		return r.Err
	}
	return nil
}
