// Package settlement pays peers what is owed to them, and books what they pay.
//
// An Engine looks at the balances that packets changed. When a peer's Policy says
// that something is due, it writes an order into the ledger, calls the Settler of the
// peer's Rail, which pays, and books what was paid:
//
//	collect  the peer's arrears are charged to its account, as far as it has headroom
//	order    pending transfer peer -> settlement, under an id derived from the
//	         settlement account and the number of the order
//	check    an order that was too large at its own moment is voided (ErrWithdrawn), and so is
//	         one beyond a limit (ErrPayoutLimit); one that must be approved waits
//	pay      Settler.Settle, with the order's id as idempotency key
//	resolve  the order is posted with what was paid, or voided if nothing was
//
// All state is in the ledger, so a crash between any two steps loses nothing: the
// next Engine of the same Instance finds the order open and calls the Settler
// again under the same key. A peer is therefore paid once if the rail pays once
// for each key.
//
// What is not known is never given back. Once the Settler has an order, only its word that the
// key will never be paid voids it (ErrDeclined, or nothing paid and no error), or
// Engine.Cancel, an operator's; after any other error the order stays open and is tried again
// under the same key, by the same rail.
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
// Only posted amounts count, and engines order no more than packets earned. A prepayment, or a
// credit by hand, is paid back only when an operator asks for it (Refund). Only the policy
// Prefund pays ahead of earnings, within the peer's credit line. The order moves at most what
// the peer account has (balancing_debit), so that a race makes it smaller and no limit can
// refuse it.
//
// Packets and payments can come between the balance that an order rests on and the order. So
// each order is checked before anybody calls the rail, with the figures of the order's own
// moment. These follow from rows that never change: every engine finds the same, also one that
// takes the order over. Only an account without history (accounts.Config.NoHistory) is checked
// by an upper bound of its prepayment, and by the engine alone that placed the order.
//
// # When it is paid
//
// Accounts are looked at when packets were booked (Touch), at the start (Look), at each
// Sweep, when the peer takes no more packets (Refused), and when somebody asks (Check,
// Settle). A Policy decides on what is seen then: Threshold, Prefund, Every, Idle,
// combined by FirstOf and AtLeast, chosen by peer and asset.
//
// # What keeps it from being paid
//
// Limits (Config.PeerPayoutLimits, Config.AssetPayoutLimits, Rail.PayoutLimits) bound an order and what is paid in
// 24 hours, and have large orders wait for Approve. PauseRail and StopPayments pause payments of
// all engines. All of it is in the ledger. An order that needs to be found within the limits, or
// to be approved, is given to a rail only when that is in the ledger too, so that it holds for
// whoever has the order. An order that a rail may have been asked for is resolved whatever is
// paused or used up.
//
// # What comes in
//
// Receive books a payment of a peer, RecordOutgoing one that was made to a peer
// without an order. Both take the sender's key, and a key is booked once, for
// ever: the ids of the transfers are derived from it. RecordVoucher books what a
// voucher of a payment channel is worth beyond the one before, and Exposure reports what
// of it is not final. Announce shows a payment before it is final, Receive confirms it, and
// Fail says that it will not come. RecordReturned books a payment of a peer that came back. The payment of a
// closed peer waits in suspense, and Release gives it to the peer when the account is open
// again.
package settlement
