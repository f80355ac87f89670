package effects

import (
	"errors"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/settlement"
)

// The notes on changes of orders and payments.
const (
	NoOrderNote       = "There is no such open order: the order is already closed, or belongs to another peer."
	CancelNote        = "If the rail can still pay under this key, the peer is paid twice."
	CancelWaitingNote = "The order waits for approval, so no rail has it."
	PaidNote          = "The command does not wait for an engine that settles with the peer at the same moment: together they can pay more than the earnings from packets."
	ReturnedNote      = "The booking checks that the payment was received and not yet returned; this preview does not."
	PayNote           = "This is the largest possible amount: prepayments, and amounts held by packets in flight, are left out."
	CancelHelp        = "Cancel an open order: the amount is owed again, and may be ordered again. Cancel an order only\nif the rail will certainly never pay under its key; else the peer is paid twice."
	ResolveHelp       = "Close an open order with the total that the rail has paid under its key. A partial payment is\nallowed; the rest is owed again."
)

// activeFor is how long after its last claim an order's engine counts as active: twice the
// default [settlement.Config].Lease.
const activeFor = 2 * time.Minute

// ErrEngineActive is returned when the engine of an order may be paying it.
var ErrEngineActive = errors.New("the order is not abandoned")

// CheckEngineInactive returns ErrEngineActive, with the remedy, if the engine of an order may be paying it.
func CheckEngineInactive(open settlement.OpenOrder, now time.Time) error {
	const remedy = "stop that connector, or have the rail refuse the key; then give --force"
	last := open.PlacedAt
	if open.LeaseRenewedAt.After(last) {
		last = open.LeaseRenewedAt
	}
	idle := now.Sub(last)
	switch {
	case idle < activeFor:
		return fmt.Errorf("%w: its engine was active %v ago, and may be paying it: %s, or wait", ErrEngineActive, idle.Round(time.Second), remedy)
	case open.Claims == 0:
		return fmt.Errorf("%w: its engine never claimed the order: the engine ended just after placing it, or has NoTakeover, gives no sign of life, and may be paying it: %s", ErrEngineActive, remedy)
	default:
		return nil
	}
}

// ExplainNothingDue returns why nothing is ordered for a peer that could be paid. request is the
// answer of the peer's policy.
func ExplainNothingDue(b accounts.Balance, request settlement.PaymentRequest) string {
	text := b.Asset.Text
	switch {
	case !request.Amount.IsZero() && !b.Arrears.IsZero():
		return "The peer is in arrears with " + text(b.Arrears) + ", which come first."
	case !request.Amount.IsZero() && !request.Prefunding.IsZero() && b.CreditLine.IsZero():
		return "The peer is to be prefunded, and has no credit line for that."
	case !request.Amount.IsZero():
		return "Packets in flight hold the whole amount on its account."
	case b.Payable.IsZero() && b.Receivable.IsZero():
		return "Nothing is owed in either direction."
	case b.Payable.IsZero():
		return "The peer owes us " + text(b.Receivable) + "."
	case b.Payable == b.Prepaid:
		return "The whole amount that we owe the peer, " + text(b.Payable) + ", is prepaid: peerledger settle refund pays it back."
	default:
		return "The peer's earnings from packets, " + text(b.Payable.SubFloor(b.Prepaid)) + ", are not above its settle_to."
	}
}

// ExplainUnpayable returns why a peer gets no order whatever is owed; "" if an order is possible.
func ExplainUnpayable(b accounts.Balance) string {
	switch {
	case b.Closed:
		return "Its account is closed."
	case !b.Settling.IsZero():
		return "The peer has an open order: see peerledger orders."
	default:
		return ""
	}
}
