package accounts

import (
	"math/big"
	"time"

	"github.com/shopspring/decimal"

	"github.com/peerledger/peerledger/internal/prepayment"
	"github.com/peerledger/peerledger/ledger"
)

// Balance is the state of a peer in one asset, read in one request and so of one moment. All
// amounts are in units of 10^-Asset.Scale.
type Balance struct {
	Account PeerAccount
	Asset   Asset
	// Opened is when the ledger created the peer's accounts, by the ledger's clock. It never
	// changes, and distinguishes ledgers with the same accounts.
	Opened time.Time

	Payable    ledger.Amount // what we owe the peer; 0 if Receivable is above 0
	Receivable ledger.Amount // what the peer owes us; 0 if Payable is above 0
	// Arrears is the part of Receivable that the peer's account could not pay at the time of the
	// booking. It is collected as soon as the account has headroom.
	Arrears ledger.Amount
	// Prepaid is the part of Payable paid in by the peer, or credited by an operator, and not yet
	// used by packets from the peer. It is paid back only on request.
	Prepaid ledger.Amount
	// PrepaidAtMost is set if Prepaid is an upper bound: the peer account has no history
	// ([Config.NoHistory]), or the balance comes from [Book.LookUpBalances], which reads no
	// history.
	PrepaidAtMost bool

	// HeldIn is held by packets in flight from the peer, which are debited if fulfilled, and
	// reserved by recorders in rounds ([Book.Reservations]).
	HeldIn   ledger.Amount
	HeldOut  ledger.Amount // held by packets in flight to the peer: credited if fulfilled
	Settling ledger.Amount // held by settlement orders in flight to the peer
	// Announced is the sum of the peer's announced payments that are not final yet
	// (settlement.Engine.Announce). No field above or below includes it: an announced payment
	// pays down no debt, and the peer cannot send with it.
	Announced ledger.Amount

	CreditLine ledger.Amount // the most that the peer may owe us
	Headroom   ledger.Amount // how much the peer can still send before its line is used up

	// The lifetime totals below are exact at the moment of the balance and never fall. In a
	// balance of [Book.LookUpBalances] all are 0.

	// Sent is the sum charged for packets from the peer, in time or late, to its account or its
	// arrears. Collections, debits by hand and returned payments are excluded.
	Sent ledger.Amount
	// Earned is the sum credited for packets delivered to the peer, in time or late. What
	// rounds and late packets earned while the peer was closed counts once it is released to the peer
	// (settlement.Engine.Release). Credits by hand are excluded.
	Earned ledger.Amount
	// SettledOut is the sum we paid to the peer: by orders, by a rail beyond an order, and by
	// hand. Returned payments of the peer are excluded.
	SettledOut ledger.Amount
	// SettledIn is the sum the peer paid us, vouchers included. Payments waiting in suspense for
	// a closed peer count, and so do payments returned later.
	SettledIn ledger.Amount

	// Suspended is set if the peer's credit line account is closed in the ledger. Each recorder
	// then refuses new packets from and to the peer, within one [Config.SuspensionPollInterval].
	// The ledger itself does not refuse packets. See [Book.SuspendPeer].
	Suspended bool
	// Closed is set if the peer account is closed in the ledger: the ledger refuses every packet
	// and post on the account.
	Closed bool

	ids               PeerIDs // of the accounts found in the ledger
	totals            prepayment.Sums
	netAtMost         *big.Int
	prepaidSettled    bool // reading the peer's payments would not improve Prepaid
	hasArrearsAccount bool
}

// Position returns Payable less Receivable, in units: above 0 we owe the peer.
func (b Balance) Position() *big.Int {
	return new(big.Int).Sub(b.Payable.Big(), b.Receivable.Big())
}

// Net returns Position less Prepaid, in units: above 0 the unpaid earnings of the peer from
// packets, below 0 the peer's debt. With PrepaidAtMost it is a lower bound.
func (b Balance) Net() *big.Int { return new(big.Int).Sub(b.Position(), b.Prepaid.Big()) }

// NetAtMost returns an upper bound of Net. It equals Net without PrepaidAtMost, and for an
// account without history.
func (b Balance) NetAtMost() *big.Int {
	if b.netAtMost == nil {
		return b.Net()
	}
	return new(big.Int).Set(b.netAtMost)
}

// IfNothingPrepaid returns the balance with Net raised to NetAtMost and nothing prepaid. A policy
// that asks for no payment on it asks for none on the balance itself.
func (b Balance) IfNothingPrepaid() Balance {
	net := b.NetAtMost()
	b.Payable, b.Receivable = ledger.ClampAmount(net), ledger.ClampAmount(new(big.Int).Neg(net))
	b.Prepaid, b.PrepaidAtMost, b.netAtMost = ledger.Amount{}, false, nil
	return b
}

// PrepaidSettled reports whether reading more cannot improve Prepaid: it is exact, or the account
// has no history. Otherwise [Book.Balances] reads the rest.
func (b Balance) PrepaidSettled() bool { return b.prepaidSettled }

// OnlyPacketsSince reports whether only packets were booked for the peer since an earlier
// balance: no payment, no change of the line, no booking by hand and no collection. sent is the
// sum charged for the peer's packets, in units.
func (b Balance) OnlyPacketsSince(earlier Balance) (sent ledger.Amount, only bool) {
	return b.totals.Peer.Debits.SubFloor(earlier.totals.Peer.Debits), b.totals.SamePayments(&earlier.totals)
}

// Collectable reports whether the peer has arrears and headroom to pay at least a part of its
// arrears.
func (b Balance) Collectable() bool {
	return !b.Arrears.IsZero() && !b.Headroom.IsZero() && !b.Closed
}

// HasArrearsAccount reports whether the ledger has the peer's arrears account.
// [Book.EnsureArrears] creates a missing one.
func (b Balance) HasArrearsAccount() bool { return b.hasArrearsAccount }

// EverSettled reports whether the peer was ever paid, or has an open settlement order. It needs
// no lifetime totals.
func (b Balance) EverSettled() bool {
	return !b.totals.Settlement.Credits.IsZero() || !b.Settling.IsZero()
}

// HasHistory reports whether the ledger keeps the history of the peer account. Without history
// Prepaid is an upper bound.
func (b Balance) HasHistory() bool { return b.totals.History }

// Unpaid returns the peer's earnings from packets less all settlements, finished or in flight:
// the most that may be paid out.
func (b Balance) Unpaid() ledger.Amount {
	return b.Payable.SubFloor(b.Prepaid).SubFloor(b.Settling)
}

// DecimalBalance is a [Balance] in whole units of the asset: 1500 units of USD/3 are 1.5.
type DecimalBalance struct {
	Position                            decimal.Decimal // above 0 we owe the peer
	Payable, Receivable                 decimal.Decimal
	Prepaid, Arrears                    decimal.Decimal
	HeldIn, HeldOut, Settling           decimal.Decimal
	Announced                           decimal.Decimal
	CreditLine, Headroom                decimal.Decimal
	Sent, Earned, SettledOut, SettledIn decimal.Decimal
}

// Decimal returns the balance in whole units of the asset, exactly.
func (b Balance) Decimal() DecimalBalance {
	d := b.Asset.WholeUnits
	return DecimalBalance{
		Position: b.Asset.signedDecimal(b.Position()),
		Payable:  d(b.Payable), Receivable: d(b.Receivable), Prepaid: d(b.Prepaid), Arrears: d(b.Arrears),
		HeldIn: d(b.HeldIn), HeldOut: d(b.HeldOut), Settling: d(b.Settling), Announced: d(b.Announced),
		CreditLine: d(b.CreditLine), Headroom: d(b.Headroom),
		Sent: d(b.Sent), Earned: d(b.Earned), SettledOut: d(b.SettledOut), SettledIn: d(b.SettledIn),
	}
}
