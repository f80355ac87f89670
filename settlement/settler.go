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
	Amount   ledger.Amount // units of Asset; above 0 when a Settler gets it
	PlacedAt time.Time     // the ledger's time
	// Rail is the name of the rail that it was placed for; "" also if this Engine does
	// not have it.
	Rail string
	// Refund says that an operator asked for the peer's prepayment to be paid back, and
	// Ahead that it pays ahead of what packets earned.
	Refund, Ahead bool

	rail  uint32        // its tag
	tag   orderTag      // its user_data_64
	limit ledger.Amount // if Ahead: how much the peer may owe us then
}

// Payment is an order and what was paid for it.
type Payment struct {
	Order Order
	Paid  ledger.Amount // units; may be less or more than Order.Amount
}

// Settler pays orders on a settlement rail.
type Settler interface {
	// Settle pays the order's amount to the peer and returns what was paid under
	// the order's id in all, in this call and in earlier ones; it may be less
	// or more than the order's amount. It is final: the order is closed with it,
	// and what is still owed gets another order, with backoff from the third part in a
	// row on. To go on with the same order,
	// return an error.
	//
	// Settle may be called many times with one order, after a crash and at worst
	// even by two processes at once, and must pay once: the order's ID is the
	// key by which the rail knows the payment. It must return when ctx ends, and
	// is called concurrently for different accounts. It must not call methods of the
	// Engine that wait for the account or for all: Check, Settle, Resolve, Cancel,
	// RecordOutgoing, Close.
	//
	// Errors: ErrDeclined says that the key was not paid (or paid with the
	// amount returned) and never will be. It gives the rest back to what is
	// owed; nothing paid and no error says the same. ErrPending says that the rail
	// has taken the order on and will know later: Settle is called again after
	// Config.RetryMaxInterval, and Engine.Resolve or Engine.Cancel may close the order
	// before that. After any other error, and after a panic, the outcome counts as
	// unknown: the amount stays reserved, and Settle is called again with the same
	// order later.
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
	// ErrDeclined is returned by a Settler: the order will never be paid under its
	// key. It must not be returned when the outcome is not known.
	ErrDeclined = errors.New("settlement: declined, will never be paid")
	// ErrPending is returned by a Settler: the rail has taken the order on under its
	// key, and whether it pays will be known later. The order stays open, which is no
	// failure.
	ErrPending = errors.New("settlement: taken on by the rail, not final yet")
)
