// Package settlement pays peers the amounts that packets earned them, and books payments from
// peers.
//
// # The life of an order
//
// An [Engine] checks the balances that packets changed. When a peer's [Policy] asks for a payment,
// the Engine writes an order into the ledger and takes it through these steps:
//
//  1. Wake. The recorder calls [Engine.NotifyBalances] after each batch. [Engine.Enqueue],
//     [Engine.NotifyRefused], each [Config.SweepInterval], [Engine.Settle] and [Engine.SettleNow] name
//     accounts too.
//  2. Select. One look-up reads the balances of all these accounts. A visit begins to each account
//     that has an open order or is due one. An account has one visit at a time.
//  3. Collect. The peer's arrears are charged to its account, as far as the account has headroom.
//  4. Decide. [Policy.Due] turns the balance into a [PaymentRequest]; payout limits cap the request.
//  5. Order. A pending transfer peer -> settlement reserves the amount. Its id is derived from the
//     settlement account and the number of the order.
//  6. Check. An order that was too large at its own moment is voided ([ErrCheckFailed]), and so is an
//     order beyond a limit ([ErrPayoutLimit]). A large order waits for [Engine.Approve].
//  7. Pay. [Settler.Settle] of the account's [Rail] pays, with the order's id as idempotency key.
//  8. Resolve. The order is posted with the amount paid, or voided if nothing was paid. [Events]
//     reports the result.
//
// All state is in the ledger, so a crash between any two steps loses nothing: the next Engine of
// the same Instance finds the order open and calls the Settler again under the same key. A peer is
// therefore paid once if the rail pays once for each key.
//
// An unknown outcome never gives an amount back. Once the Settler has an order, only its answer that
// the key will never be paid voids the order ([ErrDeclined], or nothing paid and no error), or an
// operator's [Engine.Cancel]. After any other error the order stays open and is tried again under
// the same key, by the same rail.
//
// # Many engines
//
// Any number of engines, of one process or of many, may work on one ledger. An account has at most
// one open order, and of the engines that place the next one a single one succeeds: an order is
// numbered, its number was read before the balance that the order rests on, and a number is taken
// once. An engine renews its claims on its open orders in the ledger. When an engine has been silent
// for [Config.Lease], another engine takes its orders over.
//
// # The amount
//
// Only posted amounts count, and engines order no more than packets earned. A prepayment, or a
// credit by hand, is paid back only when an operator asks for it ([Engine.Refund]). Only the policy
// [Prefund] pays ahead of earnings, within the peer's credit line. The order moves at most the
// headroom of the peer account (balancing_debit), so a race makes the order smaller, and no limit can
// refuse it.
//
// A recorder that records in rounds (package transfers/aggregate) reserves headroom for packets to come. With
// [Engine.UseReservations] the Engine has the reservations of its own process held back, but for packets in
// flight, while it places an order that needs them. What recorders of other processes reserve stays held, and the order
// is smaller by as much: it follows with a later order. Give each process with such a recorder an Engine.
//
// Packets and payments may be booked between the balance that an order rests on and the order. So
// each order is checked before any engine calls the rail, with the balance at the order's own moment.
// That balance follows from rows that never change: every engine finds the same, also an engine that
// takes the order over. Only an account without history ([accounts.Config.NoHistory]) is checked by
// an upper bound of its prepayment, and only by the engine that placed the order.
//
// # The moment
//
// A Policy decides by the balance of a check: [Threshold], [Prefund], [Every] and [Idle], combined by
// [FirstOf] and [AtLeast], chosen by peer and asset ([accounts.Rules]). [Engine.NotifyRefused] and
// [Engine.SettleNow] make the decision urgent ([PolicyInput.Urgent]).
//
// # Limits, approvals and pauses
//
// Limits ([Config.PeerPayoutLimits], [Config.AssetPayoutLimits], [Rail.PayoutLimits]) bound an order and
// the payments of 24 hours, and have large orders wait for [Engine.Approve]. [Engine.PauseRail] and
// [Engine.StopPayments] pause the payments of all engines. All of this is in the ledger. An order that
// must be within limits, or must be approved, is given to a rail only when the ledger has that
// verdict too, so the verdict holds for each later owner of the order. An order that a rail may have
// been asked for is resolved, even while payments are paused or a limit is used up.
//
// # Payments from peers
//
// [Engine.RecordIncoming] books a payment of a peer, and [Engine.RecordOutgoing] a payment to a peer
// that was made without an order. Both take the sender's key, and a key is booked once, for ever: the
// ids of the transfers are derived from it. [Engine.RecordVoucher] books the amount by which a voucher
// of a payment channel exceeds the one before, and [Engine.Exposure] reports the part that is not
// final. [Engine.Announce] shows a payment before it is final, RecordIncoming confirms it, and
// [Engine.Fail] records that it will not come. [Engine.RecordReturned] books the return of a peer's
// payment. The payment of a closed peer waits in suspense, and [Engine.Release] gives it to the peer
// when the account is open again.
package settlement
