package rfc0038

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// openKey is an order without a final answer of the engine. An account has at most one: its orders come
// one after another.
type openKey struct {
	order     settlement.Order
	wire      string
	quantity  Quantity
	firstSent time.Time // or earlier, if an earlier process may have sent the key
	// unanswered counts the sends that the engine may have taken over: those under way, those without a final
	// answer, and one of an earlier process. An operator's Retry begins anew.
	unanswered int
	mayBePaid  bool // as unanswered above 0, or the engine may have forgotten the key; stays after a Retry
	stuck      *StuckError
}

// StuckError is a settlement that waits for an operator. It is not sent again until then. Its order stays
// open and its amount reserved. Find out whether the engine has paid or will pay. Then close the order
// with [settlement.Engine.Resolve] or [settlement.Engine.Cancel], or have it sent again under its key with
// [Settler.Retry].
//
// The error matches [ErrStuck], [settlement.ErrPending] and its reason.
type StuckError struct {
	Order    settlement.Order
	WireID   string   // of the account
	Quantity Quantity // as sent
	Since    time.Time
	// Reason is an [AnswerError] that matches [ErrKeySeen] or [ErrRefused], or else matches [ErrEngineForgot],
	// [ErrOtherAccount], [ErrKeyTooOld] or [ErrAmountTooLarge].
	Reason error

	mayBePaid bool
}

func (e *StuckError) Error() string {
	return fmt.Sprintf("%v: %s to account %q under key %v since %s: %v",
		ErrStuck, e.Order.Asset.Text(e.Order.Amount), e.WireID, e.Order.ID, e.Since.UTC().Format(time.RFC3339), e.Reason)
}

// Is reports whether target is [ErrStuck] or [settlement.ErrPending].
func (e *StuckError) Is(target error) bool {
	return target == ErrStuck || target == settlement.ErrPending
}

// Unwrap returns the reason.
func (e *StuckError) Unwrap() error { return e.Reason }

// IsParked reports whether the engine may have paid: it has seen the key (409), may have forgotten the key, or
// has forgotten it; or an earlier request, perhaps of an earlier process, had no final answer. Otherwise the
// engine refused the settlement, or was not asked.
func (e *StuckError) IsParked() bool { return e.mayBePaid }

// Answer returns the status and the excerpt of the engine's answer; 0 and "" if the settlement waits for
// another reason.
func (e *StuckError) Answer() (status int, excerpt string) {
	if answer, ok := errors.AsType[*AnswerError](e.Reason); ok {
		return answer.Status, answer.Excerpt
	}
	return 0, ""
}

// beginKey notes that the order is about to be sent. It returns the reason not to send it.
func (s *Settler) beginKey(a *settlerAccount, order settlement.Order, wire string, q Quantity) *StuckError {
	stuck, fresh, closed := s.noteKey(a, order, wire, q)
	if closed != nil {
		s.cfg.Events.Unstuck(closed)
	}
	if fresh {
		s.cfg.Events.Stuck(stuck)
	}
	return stuck
}

// noteKey returns the order's StuckError if the order must not be sent, and whether the StuckError is new,
// and the StuckError of an earlier order of the account, which is closed by now.
func (s *Settler) noteKey(
	a *settlerAccount, order settlement.Order, wire string, q Quantity,
) (stuck *StuckError, fresh bool, closed *StuckError) {
	now := s.cfg.Clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	open := a.open
	if open != nil && open.order.ID != order.ID {
		open, closed = nil, open.stuck
	}
	if open == nil {
		open = &openKey{order: order, wire: wire, quantity: q, firstSent: cmp.Or(order.ReleasedAt, order.PlacedAt, now)}
		if open.firstSent.Before(s.began) {
			open.unanswered, open.mayBePaid = 1, true
		}
		s.setOpen(order.Account, a, open)
	}
	if open.stuck != nil {
		return open.stuck, false, closed
	}
	switch {
	case s.cfg.MaxAmount != nil && q.Amount.Cmp(s.cfg.MaxAmount) > 0:
		open.park(now, ErrAmountTooLarge)
	case s.isTooOld(now, open.firstSent):
		open.park(now, ErrKeyTooOld)
	}
	return open.stuck, open.stuck != nil, closed
}

func (k *openKey) park(now time.Time, reason error) {
	k.mayBePaid = k.mayBePaid || errors.Is(reason, ErrKeySeen) || errors.Is(reason, ErrKeyTooOld) || errors.Is(reason, ErrEngineForgot)
	k.stuck = &StuckError{Order: k.order, WireID: k.wire, Quantity: k.quantity, Since: now, Reason: reason, mayBePaid: k.mayBePaid}
}

// noteUnanswered notes that the engine may have paid an order.
func (s *Settler) noteUnanswered(order settlement.Order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if open := s.keys[order.Account]; open != nil && open.order.ID == order.ID {
		open.mayBePaid = true
	}
}

// isTooOld reports whether the engine may have forgotten a key.
func (s *Settler) isTooOld(now, firstSent time.Time) bool {
	return s.cfg.KeyLifetime > 0 && now.Sub(firstSent) > s.cfg.KeyLifetime
}

// countUnanswered adds to the sends of the order's key that the engine may have taken over, and returns them.
func (s *Settler) countUnanswered(a *settlerAccount, order ledger.ID, change int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := a.open
	if open == nil || open.order.ID != order {
		return 1 // closed meanwhile, or taken over in another call: not to be sent again
	}
	open.unanswered = max(0, open.unanswered+change) // an operator's Retry begins anew
	return open.unanswered
}

// parkKey keeps the order for an operator and returns the StuckError, or the reason alone if another call
// has had a final answer meanwhile.
func (s *Settler) parkKey(order settlement.Order, reason error) error {
	s.mu.Lock()
	open := s.keys[order.Account]
	if open == nil || open.order.ID != order.ID {
		s.mu.Unlock()
		return fmt.Errorf("%w: %w", settlement.ErrPending, reason)
	}
	fresh := open.stuck == nil
	if fresh {
		open.park(s.cfg.Clock(), reason)
	}
	stuck := open.stuck
	s.mu.Unlock()
	if fresh {
		s.cfg.Events.Stuck(stuck)
	}
	return stuck
}

// finishKey notes that the engine has taken the order over.
func (s *Settler) finishKey(a *settlerAccount, order settlement.Order, q Quantity) {
	s.mu.Lock()
	firstSent := s.cfg.Clock()
	open := a.open
	if open != nil && open.order.ID == order.ID {
		firstSent = open.firstSent
		s.setOpen(order.Account, a, nil)
	} else {
		open = nil
	}
	a.taken = acceptedKey{order: order.ID, quantity: q, firstSent: firstSent}
	s.mu.Unlock()
	if open != nil && open.stuck != nil {
		s.cfg.Events.Unstuck(open.stuck)
	}
}

// wasTaken reports whether the engine took the order over in an earlier call.
func (s *Settler) wasTaken(a *settlerAccount, order ledger.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return a.taken.order == order
}

// Forget drops the memory of an order that was closed without the Settler, by [settlement.Engine.Resolve]
// or [settlement.Engine.Cancel]. The next order of the account does the same. [Settler.Watch] calls it for
// you; [Settler.ForgetClosed] finds the orders that another process has closed. An order that is open after all is
// sent again.
func (s *Settler) Forget(order settlement.Order) {
	s.mu.Lock()
	open := s.keys[order.Account]
	if open == nil || open.order.ID != order.ID {
		s.mu.Unlock()
		return
	}
	a := s.accounts[order.Account]
	s.setOpen(order.Account, a, nil)
	s.dropUnknown(order.Account, a)
	s.mu.Unlock()
	if open.stuck != nil {
		s.cfg.Events.Unstuck(open.stuck)
	}
}

// maxForgetChecks bounds the orders that a call of ForgetClosed looks up.
const maxForgetChecks = 1000

// ForgetClosed drops the memory of orders that another process has closed: it paid them, or an operator resolved or
// cancelled them there. Without it, such an order counts as unanswered until the account's next order in this
// process, and [Settler.DeleteAccount] refuses. Call it now and then, with the settlement engine that calls the
// Settler. A call looks up at most 1,000 orders, other ones each time if there are more. The errors are from
// [settlement.Engine.Orders].
func (s *Settler) ForgetClosed(ctx context.Context, engine *settlement.Engine) error {
	orders := s.someOpen(maxForgetChecks)
	if len(orders) == 0 {
		return nil
	}
	list := make([]accounts.PeerAccount, len(orders))
	for i, o := range orders {
		list[i] = o.Account
	}
	found, err := engine.Orders(ctx, list...)
	if err != nil {
		return err
	}
	open := make(map[ledger.ID]bool, len(found))
	for _, o := range found {
		open[o.ID] = true
	}
	for _, o := range orders {
		if !open[o.ID] {
			s.Forget(o)
		}
	}
	return nil
}

// someOpen returns at most so many of the orders without a final answer, at random.
func (s *Settler) someOpen(most int) []settlement.Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []settlement.Order
	for _, open := range s.keys { // in random order
		if len(list) == most {
			break
		}
		list = append(list, open.order)
	}
	return list
}

// Retry has a settlement that waits for an operator sent again, under its key, at the next visit of the
// settlement engine ([settlement.Engine.Settle] visits at once). Call it after you have mended the cause.
// If the reason is [ErrKeyTooOld] or [ErrEngineForgot], find out first that the engine has not paid. The
// error is [ErrNotStuck].
func (s *Settler) Retry(order ledger.ID) error {
	s.mu.Lock()
	var stuck *StuckError
	for _, open := range s.keys {
		if open.order.ID == order && open.stuck != nil {
			stuck, open.stuck, open.firstSent, open.unanswered = open.stuck, nil, s.cfg.Clock(), 0
			break
		}
	}
	s.mu.Unlock()
	if stuck == nil {
		return fmt.Errorf("%w: %v", ErrNotStuck, order)
	}
	s.cfg.Events.Unstuck(stuck)
	return nil
}

// Stuck lists the settlements that wait for an operator, the oldest first.
func (s *Settler) Stuck() []*StuckError {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*StuckError
	for _, open := range s.keys {
		if open.stuck != nil {
			list = append(list, open.stuck)
		}
	}
	slices.SortFunc(list, func(a, b *StuckError) int {
		return cmp.Or(a.Since.Compare(b.Since), a.Order.ID.Compare(b.Order.ID))
	})
	return list
}
