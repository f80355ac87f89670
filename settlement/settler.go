package settlement

import (
	"context"
	"errors"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// Order is our decision, written in the ledger, to pay a peer.
type Order struct {
	// ID is the id of the order's transfer, and the idempotency key at the rail.
	ID       ledger.ID
	Account  accounts.PeerAccount
	Asset    accounts.Asset
	Sequence uint64        // number of the order among the account's orders, from 1
	Amount   ledger.Amount // units of Asset; above 0 when a Settler gets the order
	PlacedAt time.Time     // the ledger's time
	// ReleasedAt is a time before which no rail was asked for the order, by any Engine: PlacedAt, or later
	// if the order waited for an approval, or if the Engine that placed it has kept it back since, as in a
	// pause. It is for rails that forget a key after a while. An Order has it from the first call of a
	// Settler on; orders that are read, and those of events before, have the zero time.
	ReleasedAt time.Time
	// Rail is the name of the rail that the order was placed for; "" also if this Engine does not
	// have the rail.
	Rail string
	// Refund is true if an operator asked for the peer's prepayment to be paid back. Prefunds is true
	// if the order pays ahead of earnings ([Prefund]).
	Refund, Prefunds bool

	rail  uint32        // its tag
	tag   orderTag      // its user_data_64
	limit ledger.Amount // if Prefunds: how much the peer may owe us then
}

// Payment is an order and the amount paid for it.
type Payment struct {
	Order Order
	Paid  ledger.Amount // units; may be less or more than Order.Amount
}

// Settler pays orders on a settlement rail.
type Settler interface {
	// Settle pays the order's amount to the peer and returns the amount paid under the order's id
	// in all, by this call and by earlier ones, which may be less or more than the order's amount.
	// The amount is final: the order is closed with it, and the rest gets another order, with
	// backoff from the third payment in part in a row on ([Rail.Unit]). To go on with the same order,
	// return an error.
	//
	// Settle may be called many times with one order, after a crash and at worst by two processes
	// at once, and must pay once: the order's ID is the key by which the rail knows the payment.
	// Settle must return when ctx ends. It is called concurrently for different accounts. It must
	// not call methods of the Engine that wait for the account or for all accounts:
	// [Engine.Settle], [Engine.SettleNow], [Engine.Resolve], [Engine.Cancel],
	// [Engine.RecordOutgoing], [Engine.Close].
	//
	// Errors:
	//
	//   - [ErrDeclined]: the key was not paid, or was paid and returned, and never will be paid. The
	//     rest is owed again. Nothing paid and no error means the same.
	//   - [ErrPending]: the rail has taken the order on and will know later. Settle is called again
	//     after [Config.RetryMaxInterval], and [Engine.Resolve] or [Engine.Cancel] may close the order
	//     before.
	//   - Any other error, and a panic: the outcome counts as unknown. The amount stays reserved, and
	//     Settle is called again with the same order later.
	Settle(ctx context.Context, order Order) (paid ledger.Amount, err error)
}

// SettlerFunc is a function that is a Settler.
type SettlerFunc func(ctx context.Context, order Order) (paid ledger.Amount, err error)

// Settle implements Settler.
func (f SettlerFunc) Settle(ctx context.Context, order Order) (ledger.Amount, error) {
	return f(ctx, order)
}

// Answers of a Settler that are not payments.
var (
	// ErrDeclined is returned by a Settler when the order will never be paid under its key. It must
	// not be returned when the outcome is unknown.
	ErrDeclined = errors.New("settlement: declined, will never be paid")
	// ErrPending is returned by a Settler when the rail has taken the order on under its key, and
	// will know later whether it pays. The order stays open, which is no failure.
	ErrPending = errors.New("settlement: taken on by the rail, not final yet")
)
