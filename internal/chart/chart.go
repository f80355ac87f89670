// Package chart is the chart of accounts: the codes of accounts and transfers, the flags of each
// kind of account, and the derivation of ids.
package chart

import (
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// The codes of accounts (ledger.Account.Code).
const (
	CodePeer       uint16 = 1  // credits: owed by us to the peer; debits: owed by the peer to us
	CodeLine       uint16 = 2  // grants the peer's credit line to the peer account
	CodeSettlement uint16 = 3  // credits: settled to the peer; debits: settled by the peer
	CodeArrears    uint16 = 4  // debits: owed beyond what the peer account could be charged; credits: collected
	CodeLiquidity  uint16 = 10 // our own position, crossed by packets between assets
	CodeRevenue    uint16 = 11 // fees
	CodeDust       uint16 = 12 // remainders of rounding
	CodeSuspense   uint16 = 13 // money of closed peers; the other side of bookings by hand
	CodeOutside    uint16 = 14 // capital put in or taken out
	CodeControl    uint16 = 15 // the other side of zero-amount markers
	CodeTransit    uint16 = 16 // crossed by rounds of packets; 0 after every round
)

// The codes of transfers (ledger.Transfer.Code).
const (
	CodePacket     uint16 = 1
	CodeFee        uint16 = 2
	CodeConversion uint16 = 3
	CodeDustLeg    uint16 = 4
	CodeCorrection uint16 = 5
	CodeReserve    uint16 = 6  // a reservation of a sender's headroom for packets of later rounds
	CodeRound      uint16 = 7  // a part of a round: the sum of many packets
	CodePause      uint16 = 19 // a pause of payments, or its end, without an amount
	CodeOrder      uint16 = 20 // a settlement order and its post or void
	CodeIncoming   uint16 = 21 // a settlement received from the peer
	CodeClaim      uint16 = 22 // an engine's claim on an order, without an amount
	CodeVoucher    uint16 = 23 // the increase of a cumulative voucher
	CodeOutgoing   uint16 = 24 // a settlement paid to the peer without an order
	CodeFinal      uint16 = 25 // the final total of a channel's vouchers, without an amount
	CodeOverpaid   uint16 = 26 // an amount paid by a rail beyond an order
	CodeReturned   uint16 = 27 // a returned payment of the peer
	CodeAnnounced  uint16 = 28 // a payment of the peer before it is final, and the end of the announcement
	CodeApproval   uint16 = 29 // permission to pay an order, or its final refusal, without an amount
	CodeFund       uint16 = 30 // capital put in or taken out
	CodeAdjust     uint16 = 31 // a correction booked by hand
	CodeRemainder  uint16 = 32 // the remainder below a unit of a peer's payments, without an amount
	CodeGrant      uint16 = 40 // a change of a credit line
	CodeSuspend    uint16 = 41 // closes a credit line account; its void opens it again
	CodeClose      uint16 = 42 // closes a peer account; its void opens it again
	CodeCollection uint16 = 43 // arrears charged to the peer account
	CodeProbe      uint16 = 44 // asks whether the ledger would take a transfer, and moves nothing
)

// PeerFlags are the flags of a peer account: the ledger itself refuses a debit below the peer's
// credit line.
const PeerFlags = ledger.AccountDebitsMustNotExceedCredits | ledger.AccountHistory

// LineFlags are the flags of a credit line account: no more is revoked than was granted.
const LineFlags = ledger.AccountCreditsMustNotExceedDebits | ledger.AccountHistory

// ArrearsFlags are the flags of an arrears account: no more is collected or written off than is
// owed.
const ArrearsFlags = ledger.AccountCreditsMustNotExceedDebits | ledger.AccountHistory

// TransitFlags are the flags of a transit account: a round pays out no more than it took in.
const TransitFlags = ledger.AccountDebitsMustNotExceedCredits

// SettlementFlags are the flags of a settlement account.
const SettlementFlags = ledger.AccountHistory

// MaxByKey is the largest amount of a payment or an adjustment, 2^127 units: the totals of an
// account must fit 128 bits.
var MaxByKey = ledger.Amount(uint128.New(0, 1<<63))

// Collect returns the transfer, still without an id, to charge arrears to the peer account. The
// ledger cuts its amount to the headroom of the peer account and to the arrears, so a repeated
// collection takes nothing twice; an amount of 0 succeeds. The ledger refuses the transfer only if
// the peer account is closed.
func Collect(peer, arrears ledger.ID, ledgerNumber uint32) ledger.Transfer {
	return ledger.Transfer{
		DebitAccountID: peer, CreditAccountID: arrears, Amount: ledger.AmountMax,
		Ledger: ledgerNumber, Code: CodeCollection,
		Flags: ledger.TransferBalancingDebit | ledger.TransferBalancingCredit,
	}
}
