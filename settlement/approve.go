package settlement

import (
	"context"
	"errors"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// An order that needs somebody's word (orderTag.needs) is given to no rail before the word is in
// the ledger: a row without an amount, whose id follows from the order. The word that the order
// will never be paid has the same id and is linked to the order's void, so one of the two is
// given, once, whichever engine or operator comes first. Nobody can void such an order on the
// word of a limit while another engine gives it to a rail.

// The words, in the user_data_32 of a row of CodeApproval.
const (
	approvedWord = 1
	refusedWord  = 2
)

// word is what was said of an order.
type word struct {
	said uint32 // 0: nothing yet
	at   time.Time
}

func (e *Engine) wordID(order ledger.ID) ledger.ID { return e.ns.Derive("approval", chart.ID(order)) }

// wordRow is a pure function of the order and what is said: whoever says the same writes the same.
func (e *Engine) wordRow(o *Order, said uint32) ledger.Transfer {
	own, _ := e.book.AssetIDs(o.Account.Ledger())
	return ledger.Transfer{
		ID: e.wordID(o.ID), DebitAccountID: e.book.PeerIDs(o.Account).Settlement, CreditAccountID: own.Control,
		UserData64: uint64(o.tag), UserData32: said, Ledger: o.Account.Ledger(), Code: chart.CodeApproval,
	}
}

// readWord reads what was said of an order, and which pauses hold for it.
func (e *Engine) readWord(ctx context.Context, o *Order) (w word, err error) {
	var ids []ledger.ID
	if o.tag.needs() != needsNobody {
		ids = append(ids, e.wordID(o.ID))
	}
	rows, err := e.lookUpTransfers(ctx, pauseKeys(o.Account, o.rail), ids...)
	for _, row := range rows {
		w = word{row.UserData32, timeOf(row.Timestamp)}
	}
	return w, wrap("read whether the order may be paid", err)
}

// approve says that an order may be paid. It returns what is said, which may be the contrary.
func (e *Engine) approve(ctx context.Context, o *Order) (word, error) {
	results, err := e.ledger.CreateTransfers(ctx, []ledger.Transfer{e.wordRow(o, approvedWord)})
	switch {
	case err != nil:
		return word{}, wrap("approve the order", err)
	case results[0].Status.Outcome().Done():
		return word{approvedWord, timeOf(results[0].Timestamp)}, nil
	case results[0].Status.Conflict():
		return e.readWord(ctx, o)
	default:
		return word{}, wrap("approve the order", &ledger.TransferError{ID: e.wordID(o.ID), Status: results[0].Status})
	}
}

// refuse voids an order of which nothing was said. done is false if something was, or if it is
// closed already.
func (e *Engine) refuse(ctx context.Context, o *Order) (done bool, err error) {
	row := e.wordRow(o, refusedWord)
	row.Flags = ledger.TransferLinked
	results, err := e.ledger.CreateTransfers(ctx, []ledger.Transfer{row, {
		ID: e.ns.Derive("refused", chart.ID(o.ID)), PendingID: o.ID, Flags: ledger.TransferVoidPending,
	}})
	if err != nil {
		return false, wrap("give the order back", err)
	}
	chain := ledger.ChainOutcome(results)
	switch {
	case chain.Outcome.Done():
		return true, nil
	case resolvedBefore(chain):
		return false, nil
	default:
		return false, wrap("give the order back", &ledger.TransferError{ID: row.ID, Status: chain.Status})
	}
}

// Approve lets an order be paid that waits for an operator (Limit.ApproveAbove, ErrAwaitsApproval): the
// engine that it belongs to gives it to its Settler within Config.SweepInterval. It may be called from
// any process, and repeated. An order that is not to be paid is given back with Cancel.
//
// Errors are *OrderErrors: ErrNoOrder if the account has no such open order, ErrNotAwaitingApproval if it
// needs no approval, or the error of a request. ErrEngineClosed after Close.
func (e *Engine) Approve(ctx context.Context, account accounts.PeerAccount, order ledger.ID) (Order, error) {
	if !e.begin() {
		return Order{}, ErrEngineClosed
	}
	defer e.work.Done()
	o, err := e.approveByHand(ctx, account, order)
	if err != nil {
		return Order{}, &OrderError{Account: account, Order: Order{ID: order, Account: account}, Err: err}
	}
	e.register.hurry(account)
	e.Enqueue([]accounts.PeerAccount{account})
	return o, nil
}

func (e *Engine) approveByHand(ctx context.Context, a accounts.PeerAccount, id ledger.ID) (Order, error) {
	if err := e.checkPeer("approve", a); err != nil {
		return Order{}, err
	}
	last, err := e.newest(ctx, a)
	switch {
	case err != nil:
		return Order{}, err
	case !last.open || last.ID != id:
		return Order{}, ErrNoOrder
	case last.tag.needs() != needsOperator:
		return Order{}, ErrNotAwaitingApproval
	}
	w, err := e.approve(ctx, &last.Order)
	if err == nil && w.said != approvedWord { // it was cancelled meanwhile
		err = ErrNoOrder
	}
	return last.Order, err
}

// mayAsk decides whether the rail may be asked for an order that this Engine has not asked it for.
// neverAsked says that nobody else has either: we placed the order, and nobody has taken it over.
// done says that it is not to be paid now.
func (e *Engine) mayAsk(ctx context.Context, o Order, said word, neverAsked bool) (t turn, done bool, err error) {
	if o.tag.needs() == needsNobody {
		paused := e.pausedFor(o.Account, o.rail)
		switch {
		case paused == nil:
			return turn{}, false, nil
		case neverAsked:
			t, err := e.giveBack(ctx, o, paused)
			return t, true, err
		case paused.Pause.Since.After(o.PlacedAt): // a rail may have it
			return turn{}, false, nil
		default:
			t, err := e.waits(o, paused)
			return t, true, err
		}
	}
	switch said.said {
	case refusedWord: // and void, by somebody else
		e.register.closed(o.Account)
		return turn{again: true}, true, nil
	case approvedWord:
		return e.mayAskApproved(o, said, neverAsked)
	default:
		return e.decide(ctx, o, neverAsked)
	}
}

// mayAskApproved is mayAsk for an order that was approved.
func (e *Engine) mayAskApproved(o Order, said word, neverAsked bool) (t turn, done bool, err error) {
	paused := e.pausedFor(o.Account, o.rail)
	if paused != nil && (neverAsked || !paused.Pause.Since.After(said.at)) {
		t, err := e.waits(o, paused)
		return t, true, err
	}
	if o.tag.needs() == needsOperator && e.register.wasApproved(o) {
		e.cfg.Events.Approved(o)
	}
	return turn{}, false, nil
}

// waitsFor is why an order is given to no rail for now; nil if one may have it, or get it.
func (e *Engine) waitsFor(o *Order, said word) error {
	since := o.PlacedAt
	switch o.tag.needs() {
	case needsOperator, needsEngine:
		if said.said != approvedWord {
			if o.tag.needs() == needsOperator {
				return ErrAwaitsApproval
			}
			return nil // its engine is about to say it
		}
		since = said.at
	}
	if paused := e.pausedFor(o.Account, o.rail); paused != nil && !paused.Pause.Since.After(since) {
		return paused
	}
	return nil
}

// decide says what becomes of an order of which nothing was said, so that no rail has it.
func (e *Engine) decide(ctx context.Context, o Order, neverAsked bool) (t turn, done bool, err error) {
	over, err := e.overLimit(ctx, &o)
	if err != nil {
		return turn{}, true, e.fails(o, err)
	}
	paused := e.pausedFor(o.Account, o.rail)
	switch byOperator := o.tag.needs() == needsOperator; {
	case over != nil:
		t, err := e.refuseOrder(ctx, o, over)
		return t, true, err
	case paused != nil && !byOperator:
		t, err := e.refuseOrder(ctx, o, paused)
		return t, true, err
	case byOperator:
		if e.register.isHeld(o) {
			e.cfg.Events.AwaitsApproval(o)
		}
		t, err := e.waits(o, ErrAwaitsApproval)
		return t, true, err
	}
	said, err := e.approve(ctx, &o)
	if err != nil {
		return turn{}, true, e.fails(o, err)
	}
	if said.said == 0 {
		return turn{}, true, e.fails(o, errors.New("approve the order: its word is not found"))
	}
	return e.mayAsk(ctx, o, said, neverAsked)
}

// refuseOrder gives an order back that nobody has approved, and says why.
func (e *Engine) refuseOrder(ctx context.Context, o Order, why error) (turn, error) {
	done, err := e.refuse(ctx, &o)
	if err != nil {
		return turn{}, e.fails(o, err)
	}
	e.register.closed(o.Account)
	if !done {
		return turn{again: true}, nil
	}
	e.cfg.Events.Voided(o, why)
	return e.waits(o, why)
}

// waits leaves an account alone until the next sweep, for a reason that is no failure.
func (e *Engine) waits(o Order, why error) (turn, error) {
	e.stays(o.Account, why)
	return turn{until: e.cfg.Clock().Add(e.cfg.SweepInterval)}, &OrderError{Account: o.Account, Order: o, Err: why}
}
