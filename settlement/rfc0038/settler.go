package rfc0038

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// Settler pays orders through a settlement engine. Its key at the engine is the order's id: the order is
// in the ledger before the Settler sees it, so the key survives every crash, and the settlement engine of
// package settlement asks again under the same key, with backoff and jitter.
//
// An order counts as paid when the engine has taken it over (2xx), as RFC 0038 defines. Nothing that an
// engine answers makes an order fail: an order that may have been paid stays open until the engine takes
// it over, or an operator decides.
//
// A Settler is safe for concurrent use. Its memory is small and of this process: an entry for each
// account. After a restart, an order that waited for an operator is sent once more under its key.
type Settler struct {
	cfg    SettlerConfig
	client *Client
	began  time.Time // by the clock: an order placed before may have been sent by an earlier process

	mu       sync.Mutex
	accounts map[accounts.PeerAccount]*settlerAccount
	keys     map[accounts.PeerAccount]*openKey // settlerAccount.open of all accounts that have one
}

// settlerAccount is what a Settler knows of an account. Settler.mu guards the fields. An entry of which nothing is known is
// removed, but not during a call.
type settlerAccount struct {
	open     *openKey    // without a final answer; nil: none. Settler.setOpen changes it
	taken    acceptedKey // the newest; zero: none
	created  bool        // the engine has the account
	calls    int         // under way; none while the account is being deleted
	deleting bool
}

// acceptedKey is a settlement that the engine has taken over.
type acceptedKey struct {
	order     ledger.ID
	quantity  Quantity
	firstSent time.Time
	lost      bool // the engine may have lost the key since: it is taken all the same, and Wake must not send it
}

// NewSettler makes a Settler. It sends nothing. Errors come from [SettlerConfig.Validate].
func NewSettler(cfg SettlerConfig) (*Settler, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	return &Settler{
		cfg: cfg, client: cfg.Client, began: cfg.Clock(),
		accounts: map[accounts.PeerAccount]*settlerAccount{},
		keys:     map[accounts.PeerAccount]*openKey{},
	}, nil
}

// Rail returns a rail with the Settler. Its Timeout leaves time for the three requests of a call: a
// settlement, the account's creation, and the settlement again. Its Unit is [Settler.UnitOf].
func (s *Settler) Rail(name string) *settlement.Rail {
	return &settlement.Rail{Name: name, Settler: s, Timeout: 3*s.client.cfg.Timeout + 5*time.Second, Unit: s.UnitOf}
}

// Settle implements [settlement.Settler]. It returns the order's amount cut to whole units of the
// engine once the engine has taken it over.
//
// Errors:
//
//   - [ErrBelowUnit], which is [settlement.ErrDeclined]: the order is worth less than one unit of the
//     engine. Give the policy a minimum of [Settler.UnitOf], or such orders come back every
//     [settlement.Config.OrderCooldown].
//   - a [StuckError], which is [settlement.ErrPending]: the settlement waits for an operator. Nothing
//     was sent if it waited before.
//   - all others: the outcome is unknown, or the account could not be created. Call again.
func (s *Settler) Settle(ctx context.Context, order settlement.Order) (ledger.Amount, error) {
	wire, err := s.cfg.IDs.WireID(order.Account)
	if err != nil {
		return ledger.Amount{}, err
	}
	pay := s.convertOrder(order)
	if pay.paid.IsZero() {
		return ledger.Amount{}, fmt.Errorf(
			"%w: %w: %s, and the unit is %s", settlement.ErrDeclined, ErrBelowUnit, order.Asset.Text(order.Amount), order.Asset.Text(pay.unit))
	}
	a, err := s.beginCall(order.Account)
	if err != nil {
		return ledger.Amount{}, err
	}
	defer s.endCall(order.Account, a)
	if s.wasTaken(a, order.ID) { // and another call did not get its answer booked
		return pay.paid, nil
	}
	if stuck := s.beginKey(a, order, wire, pay.quantity); stuck != nil {
		return ledger.Amount{}, stuck
	}
	answered, err := s.sendOrder(ctx, a, order, wire, pay.quantity)
	_, notCreated := errors.AsType[*CreateError](err)
	switch {
	case errors.Is(err, ErrEngineForgot), errors.Is(err, ErrOtherAccount): // each creation would make one more account
		return ledger.Amount{}, s.parkKey(order, err)
	case notCreated:
		return ledger.Amount{}, err
	case errors.Is(err, ErrKeySeen), errors.Is(err, ErrRefused):
		return ledger.Amount{}, s.parkKey(order, err)
	case err != nil:
		s.noteUnanswered(order)
		return ledger.Amount{}, err
	}
	s.finishKey(a, order, pay.quantity)
	if q := answered.Quantity; q != nil && q.Compare(pay.quantity) < 0 {
		s.cfg.Events.TookLess(ShortAnswer{Order: order, Sent: pay.quantity, Answered: *q})
	}
	return pay.paid, nil
}

// sendOrder sends the settlement. The account is created before its first settlement of this process,
// as some engines answer 500 for an account that they do not know, and after a 404.
//
// An engine that answers 404 for an account that it created for us has lost its store, and its keys. The
// notes on real engines have the same key sent again after a 404. We do so only if no earlier send of the key
// may have been taken over: such an engine would pay it again. Otherwise the error matches [ErrEngineForgot].
func (s *Settler) sendOrder(ctx context.Context, a *settlerAccount, order settlement.Order, wire string, q Quantity) (Taken, error) {
	if !s.hasCreated(a) {
		if err := s.createAccount(ctx, order.Account, wire); err != nil {
			return Taken{}, err
		}
	}
	answered, err := s.sendKey(ctx, a, order, wire, q)
	if !errors.Is(err, ErrUnknownAccount) {
		return answered, err
	}
	s.noteMissing(order.Account)
	failed := s.createAccount(ctx, order.Account, wire)
	switch {
	case errors.Is(err, ErrEngineForgot): // whether or not the account is there: the next settlement creates it
		return Taken{}, err
	case failed != nil:
		return Taken{}, failed
	}
	return s.sendKey(ctx, a, order, wire, q)
}

// sendKey sends the settlement once. After a 404 the error also matches [ErrEngineForgot] if the engine may
// have taken over an earlier send of the key.
func (s *Settler) sendKey(ctx context.Context, a *settlerAccount, order settlement.Order, wire string, q Quantity) (Taken, error) {
	s.countUnanswered(a, order.ID, 1)
	answered, err := s.client.SendSettlement(ctx, wire, order.ID.String(), q)
	if errors.Is(err, ErrUnknownAccount) && s.countUnanswered(a, order.ID, -1) > 0 {
		err = fmt.Errorf("%w: %w", ErrEngineForgot, err)
	}
	return answered, err
}

// Wake repeats the account's newest settlement that the engine has taken over, under its key, and reports
// whether it sent a request. Call it now and then while the peer reports less than was paid:
// settlement-core pays what it has queued only when a request comes. A 409 is an answer too: other engines
// have nothing to wake.
//
// Wake sends nothing if it does not know a settlement that the engine surely remembers: after a restart of
// this process, after an account was created or deleted again or was missing (404), and after
// [SettlerConfig.KeyLifetime]. Do not use Wake with an engine that loses its keys in a restart: such an engine pays again.
func (s *Settler) Wake(ctx context.Context, account accounts.PeerAccount) (sent bool, err error) {
	wire, err := s.cfg.IDs.WireID(account)
	if err != nil {
		return false, err
	}
	a, err := s.beginCall(account)
	if err != nil {
		return false, err
	}
	defer s.endCall(account, a)
	s.mu.Lock()
	last := a.taken
	s.mu.Unlock()
	if last.order.IsZero() || last.lost || s.isTooOld(s.cfg.Clock(), last.firstSent) {
		return false, nil
	}
	_, err = s.client.SendSettlement(ctx, wire, last.order.String(), last.quantity)
	switch {
	case errors.Is(err, ErrKeySeen):
		err = nil
	case errors.Is(err, ErrUnknownAccount): // and the key is forgotten too
		s.noteMissing(account)
	}
	return true, err
}

// conversion is an order in the engine's units.
type conversion struct {
	quantity Quantity
	paid     ledger.Amount // the quantity in units of the asset; 0 if the order is below one unit
	unit     ledger.Amount // the engine's unit in units of the asset, at least 1
}

// convertOrder cuts an order to whole units of the engine. The result depends on the order and the
// configuration alone, so that each repeat of a key has the same quantity. A finer engine gets the amount
// in our units: the digits are the same, and the engine's own conversion is exact.
func (s *Settler) convertOrder(order settlement.Order) conversion {
	scale := min(s.engineScale(order.Account.Peer(), order.Asset), order.Asset.Scale)
	owed := Quantity{Amount: order.Amount.Big(), Scale: order.Asset.Scale}
	if scale == order.Asset.Scale { // nothing to cut
		return conversion{quantity: owed, paid: order.Amount, unit: ledger.NewAmount(1)}
	}
	units, _ := owed.Split(scale)
	q := Quantity{Amount: units, Scale: scale}
	paid, _ := q.Split(order.Asset.Scale) // at most order.Amount
	return conversion{quantity: q, paid: ledger.ClampAmount(paid), unit: unitAmount(scale, order.Asset)}
}

// UnitOf returns the least amount that the engine pays to a peer, in units of the asset: the minimum of
// the peer's policy ([settlement.AtLeast]).
func (s *Settler) UnitOf(peer string, asset accounts.Asset) ledger.Amount {
	return unitAmount(min(s.engineScale(peer, asset), asset.Scale), asset)
}

func unitAmount(scale uint8, asset accounts.Asset) ledger.Amount {
	units, _ := Quantity{Amount: big.NewInt(1), Scale: scale}.Split(asset.Scale)
	return ledger.ClampAmount(units)
}

func (s *Settler) engineScale(peer string, asset accounts.Asset) uint8 {
	if scale := s.cfg.EngineScales.For(peer, asset); scale != nil {
		return *scale
	}
	return asset.Scale
}
