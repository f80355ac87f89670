package console

import (
	"context"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/effects"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// The fields of bookings.
var (
	amount      = formField{name: "amount", label: "Amount", kind: amountField, hint: "in whole units"}
	bookingName = formField{
		name: "name", label: "Key (--key)", kind: textField, optional: true,
		hint: "the name of the booking, as in the bank's reference: it is booked once, whoever sends it. Without one, this form has a key of its own",
	}
	beyondHeadroom = formField{name: "beyond_headroom", label: "Beyond headroom (--beyond-headroom)", kind: boxField, hint: "book the part that the peer's account does not cover as arrears"}
)

// booking is an action that the ledger books once under a key.
type booking struct {
	path, label, help string
	wording           effects.Wording
	needsReason       bool
	rail              bool
	note              string
	fields            []formField
	describe          func(f *actForm) effects.Description
	book              func(ctx context.Context, c *Console, f *actForm) (accounts.Booking, error)
}

// newAction returns the action of a booking. A form is based on the peer's state: its balance may move with each packet.
func (k booking) newAction() *action {
	return &action{
		path: k.path, label: k.label, wording: k.wording, help: k.help, target: onPeer, keyed: true, rail: k.rail,
		seenField: stateField, see: seeState, fields: append([]formField{amount, bookingName}, k.fields...),
		plan: func(c *Console, f *actForm, s *subject) (plan, error) {
			if k.needsReason {
				if err := f.needReason("for a correction"); err != nil {
					return plan{}, err
				}
			}
			p := plan{sentence: f.newSentence(k.wording), now: s.describe(c), effect: k.describe(f)(s.balance, f.amount), note: k.note}
			p.sentence.Amount, p.sentence.Key, p.sentence.Payment = f.asset.Format(f.amount), f.bookingKey(), f.texts["payment"]
			return p, nil
		},
		run: func(ctx context.Context, c *Console, f *actForm, s *subject) (actResult, error) {
			b, err := k.book(ctx, c, f)
			if err != nil {
				return actResult{}, effects.ExplainCover(err, s.balance)
			}
			return actResult{already: b.AlreadyBooked, transfer: b.Transfer.String(), amount: f.asset.Format(b.Amount)}, nil
		},
		look: lookKey,
	}
}

// always returns one description for each form.
func always(d effects.Description) func(*actForm) effects.Description {
	return func(*actForm) effects.Description { return d }
}

func describeCovered(f *actForm) effects.Description {
	beyond := f.boxes["beyond_headroom"]
	return effects.DescribeCoveredCharge(&beyond)
}

// newBookings returns the corrections of a peer's balance.
func newBookings() []*action {
	return []*action{
		booking{
			path: "credit", label: "Credit by hand", wording: effects.Credit, needsReason: true, describe: always(effects.DescribePaidIn),
			help: "Owe the peer more, or let it owe less. The amount pays the peer's debt first; the rest is prepaid. The other side is our suspense account.",
			book: func(ctx context.Context, c *Console, f *actForm) (accounts.Booking, error) {
				return c.cfg.Book.Adjust(ctx, accounts.Adjustment{Account: f.account, Key: f.bookingKey(), Credit: f.amount, ReasonCode: f.reason})
			},
		}.newAction(),
		booking{
			path: "debit", label: "Debit by hand", wording: effects.Debit, needsReason: true, describe: describeCovered, fields: []formField{beyondHeadroom},
			help: "Owe the peer less, or have it owe more. The amount reduces the prepayment first. A debit that the account does not cover is refused, unless the rest may become arrears. The other side is our suspense account.",
			book: func(ctx context.Context, c *Console, f *actForm) (accounts.Booking, error) {
				return c.cfg.Book.Adjust(ctx, accounts.Adjustment{
					Account: f.account, Key: f.bookingKey(), Debit: f.amount, ReasonCode: f.reason, BeyondHeadroom: f.boxes["beyond_headroom"],
				})
			},
		}.newAction(),
		booking{
			path: "write-off", label: "Write off arrears", wording: effects.WriteOff, needsReason: true, describe: always(effects.DescribeWriteOff),
			help: "Write off at most this amount of the peer's arrears. Before that, the ledger collects the part that the account can pay. The loss goes to our suspense account.",
			book: func(ctx context.Context, c *Console, f *actForm) (accounts.Booking, error) {
				return c.cfg.Book.WriteOff(ctx, accounts.WriteOff{Account: f.account, Key: f.bookingKey(), Amount: f.amount, ReasonCode: f.reason})
			},
		}.newAction(),
	}
}

// newPaymentActions returns the payments that people record.
func newPaymentActions() []*action {
	return []*action{
		booking{
			path: "received", label: "Record a payment received", wording: effects.Received, rail: true, describe: always(effects.DescribeReceived),
			help: "Book a payment by the peer, once for each key, forever. The amount pays the peer's debt first; the rest is prepaid. Book a payment only when it is final.",
			book: func(ctx context.Context, c *Console, f *actForm) (accounts.Booking, error) {
				b, err := c.cfg.Settlement.RecordIncoming(ctx, settlement.IncomingPayment{Account: f.account, Key: f.bookingKey(), Amount: f.amount})
				return b.Booking, err
			},
		}.newAction(),
		booking{
			path: "paid", label: "Record a payment made", wording: effects.Paid, rail: true, note: effects.PaidNote, describe: describeCovered, fields: []formField{beyondHeadroom},
			help: "Book a payment without an order, made by hand or by another system, once for each key. For a payment of an order, close the order as paid.",
			book: func(ctx context.Context, c *Console, f *actForm) (accounts.Booking, error) {
				b, err := c.cfg.Settlement.RecordOutgoing(ctx, settlement.OutgoingPayment{
					Account: f.account, Key: f.bookingKey(), Amount: f.amount, BeyondHeadroom: f.boxes["beyond_headroom"],
				})
				return b.Booking, err
			},
		}.newAction(),
		booking{
			path: "returned", label: "Record a returned payment", wording: effects.Returned, rail: true, note: effects.ReturnedNote, describe: always(effects.DescribeReturned),
			fields: []formField{{name: "payment", label: "Payment (--payment)", kind: textField, hint: "the key under which the payment was received"}},
			help:   "Book the return of a received payment (a chargeback), in full or in part, once for each key of a return. The peer is charged; the part that its account does not cover becomes arrears.",
			book: func(ctx context.Context, c *Console, f *actForm) (accounts.Booking, error) {
				b, err := c.cfg.Settlement.RecordReturned(ctx, settlement.ReturnedPayment{Account: f.account, Key: f.bookingKey(), Payment: f.texts["payment"], Amount: f.amount})
				return b.Booking, err
			},
		}.newAction(),
	}
}

// newCapitalActions returns the movements of our capital.
func newCapitalActions() []*action {
	return []*action{
		newCapitalAction("fund", "Put capital in", effects.Fund, effects.DescribeFunding, (*accounts.Book).Fund,
			"Book capital that the owner puts in: our liquidity in the asset rises."),
		newCapitalAction("withdraw", "Take capital out", effects.Withdraw, effects.DescribeWithdrawal, (*accounts.Book).Withdraw,
			"Book capital that the owner takes out: our liquidity in the asset falls. The change is refused if our free liquidity does not cover the amount; packets in flight hold the rest."),
	}
}

func newCapitalAction(
	path, label string, wording effects.Wording, describe func(accounts.AssetPosition, ledger.Amount) (string, string),
	book func(*accounts.Book, context.Context, accounts.Capital) (accounts.Booking, error), help string,
) *action {
	return &action{
		path: path, label: label, wording: wording, help: help, target: onAsset, keyed: true, fields: []formField{amount, bookingName},
		plan: func(_ *Console, f *actForm, s *subject) (plan, error) {
			if err := f.needReason("for a movement of capital"); err != nil {
				return plan{}, err
			}
			p := plan{sentence: f.newSentence(wording)}
			p.sentence.Amount, p.sentence.Key, p.sentence.Before = f.asset.Format(f.amount), f.bookingKey(), formatSigned(f.asset, s.own.Liquidity)
			p.sentence.After, p.effect = describe(s.own, f.amount)
			return p, nil
		},
		run: func(ctx context.Context, c *Console, f *actForm, s *subject) (actResult, error) {
			b, err := book(c.cfg.Book, ctx, accounts.Capital{Asset: f.asset, Key: f.bookingKey(), Amount: f.amount, ReasonCode: f.reason})
			if err != nil {
				return actResult{}, err
			}
			result := actResult{already: b.AlreadyBooked, transfer: b.Transfer.String()}
			if s.readOwn(ctx, c.cfg.Book) == nil { // the change is written even if this fails
				result.after = formatSigned(f.asset, s.own.Liquidity)
			}
			return result, nil
		},
		look: lookCapital,
	}
}
