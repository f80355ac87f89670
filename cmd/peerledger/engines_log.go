package main

import (
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// logSettlers returns events that log, and have the state written.
func (r *engineRunner) logSettlers() rfc0038.SettlerEvents {
	noteChange := func() {
		select {
		case r.changed <- struct{}{}:
		default: // a write is due already
		}
	}
	return rfc0038.SettlerEvents{
		TookLess: func(s rfc0038.ShortAnswer) {
			r.log.Warn("the engine names a smaller amount than it was asked for", "peer", s.Order.Account.Peer(), "order", s.Order.ID, "sent", s.Sent, "answered", s.Answered)
		},
		Stuck: func(e *rfc0038.StuckError) {
			r.log.Error("a settlement waits for an operator", "peer", e.Order.Account.Peer(), "order", e.Order.ID, "may_be_paid", e.IsParked(), "reason", e.Reason)
			noteChange()
		},
		Unstuck: func(e *rfc0038.StuckError) {
			r.log.Info("a settlement no longer waits for an operator", "peer", e.Order.Account.Peer(), "order", e.Order.ID)
			noteChange()
		},
	}
}

// logPayer returns events that log.
func (r *engineRunner) logPayer() settlement.Events {
	logPayment := func(p settlement.Payment) {
		r.log.Info("paid", "peer", p.Order.Account.Peer(), "order", p.Order.ID, "rail", p.Order.Rail, "amount", p.Order.Asset.Text(p.Paid))
	}
	return settlement.Events{
		Paid: logPayment, PartlyPaid: logPayment,
		Voided: func(o settlement.Order, reason error) {
			r.log.Info("an order was given back", "peer", o.Account.Peer(), "order", o.ID, "reason", reason)
		},
		Failed: func(err error) { r.log.Warn("a payment is tried again later", "error", err) },
		Stuck: func(o settlement.OpenOrder) {
			r.log.Warn("an order has been open for long", "peer", o.Account.Peer(), "order", o.ID, "placed", o.PlacedAt, "reason", o.LastErr)
		},
		AwaitsApproval: func(o settlement.Order) {
			r.log.Warn("an order waits for peerledger settle approve", "peer", o.Account.Peer(), "order", o.ID, "amount", o.Asset.Text(o.Amount))
		},
		PayoutLimited: func(l settlement.PayoutLimitError) { r.log.Warn("less is ordered than is due", "limit", l.Error()) },
	}
}

// logServer returns events that log.
func (r *engineRunner) logServer() rfc0038.ServerEvents {
	logReport := func(text string) func(rfc0038.Report, error) {
		return func(report rfc0038.Report, err error) {
			r.log.Error(text, "account", report.AccountID, "key", report.Key, "quantity", report.Quantity, "error", err)
		}
	}
	return rfc0038.ServerEvents{
		Booked: func(report rfc0038.Report, booked settlement.PaymentBooking) {
			asset, _ := r.book.Asset(report.Account.Ledger())
			r.log.Info("received", "peer", report.Account.Peer(), "key", report.Key, "quantity", report.Quantity, "booked", asset.Text(booked.Amount))
		},
		Conflict:   logReport("an engine reports another value under a used key: nothing was booked, compare with the engine's list of payments"),
		Parked:     logReport("an engine reports a payment that cannot be booked: book it by hand"),
		Unanswered: logReport("a report has no answer, since its outcome is unknown: the engine repeats it"),
		MessageFailed: func(account accounts.PeerAccount, err error) {
			r.log.Warn("a message was not relayed", "peer", account.Peer(), "error", err)
		},
	}
}
