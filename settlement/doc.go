// Package settlement pays peers what is owed to them, and books what they pay.
//
// An Engine looks at the balances that packets changed. When a peer's Policy says
// that something is due, it writes an order into the ledger, calls the Settler of the
// peer's Rail, which pays, and books what was paid:
//
//	order    pending transfer peer -> settlement, under an id derived from the
//	         settlement account and the number of the order
//	pay      Settler.Settle, with the order's id as idempotency key
//	resolve  the order is posted with what was paid, or voided if nothing was
//
// All state is in the ledger, so a crash between any two steps loses nothing: the
// next Engine of the same Instance finds the order open and calls the Settler
// again under the same key. A peer is therefore paid once if the rail pays once
// for each key.
//
// What is not known is never given back. Only ErrDeclined, the Settler's word
// that a key will never be paid, voids an order, or Engine.Cancel, an operator's; after
// any other error the order stays open and is tried again under the same key, by the same
// rail.
//
// # Many engines
//
// Any number of engines, of one process or of many, may work on one ledger. An account has
// at most one open order, and of those who want to place the next one a single one
// succeeds: an order is numbered, its number was read before the balance that it rests on,
// and a number is taken once. An engine renews its claims on its open orders in the ledger;
// when one has been silent for Config.Lease, another one takes its orders over.
//
// # What is paid
//
// Only posted amounts count, and engines never order more than packets earned: what
// a peer prepaid, or an operator credited it with, is not paid back to it, unless an operator
// asks for that (Refund) or a policy pays ahead (Prefund). The order moves at most what the
// peer account has (balancing_debit), so that a race makes it smaller and no limit can refuse
// it. Before the Settler is called, each order is checked at its own moment in the ledger, and
// withdrawn (ErrWithdrawn) if it was too large then. Arrears of a peer are collected first.
//
// # When it is paid
//
// Accounts are looked at when packets were booked (Touch), at the start (Look), at each
// Sweep, when the peer takes no more packets (Refused), and when somebody asks (Check,
// Settle). A Policy decides on what is seen then: Threshold, Every, Idle and
// Prefund, combined by FirstOf and AtLeast, chosen by peer and asset.
//
// # What comes in
//
// Receive books a payment of a peer, RecordPaid one that was made to a peer
// without an order. Both take the sender's key, and a key is booked once, for
// ever: the ids of the transfers are derived from it. ReceiveVoucher books what a
// voucher of a payment channel is worth beyond the one before, and Exposure reports what
// of it is not final.
//
// RecordReturned charges a peer for a payment that came back. What came in while the peer was
// closed waits in suspense until Release gives it back. Whose money it is, in words and
// examples: docs/money.md.
package settlement
