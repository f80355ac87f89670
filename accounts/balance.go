package accounts

import (
	"math/big"
	"time"

	"github.com/shopspring/decimal"

	"github.com/peerledger/peerledger/internal/prepayment"
	"github.com/peerledger/peerledger/ledger"
)

// Balance is what stands between us and a peer in one asset, read in one request
// and so of one moment. All amounts are in units of 10^-Asset.Scale.
type Balance struct {
	Account PeerAccount
	Asset   Asset
	// Opened is when the ledger created the peer's accounts, by its own clock. It
	// never changes, and tells one ledger from another with the same accounts.
	Opened time.Time

	Payable    ledger.Amount // what we owe the peer; 0 if Receivable is not
	Receivable ledger.Amount // what the peer owes us; 0 if Payable is not
	// Arrears is the part of Receivable that the peer's account could not be charged when it
	// was booked. It is collected as soon as the account has headroom.
	Arrears ledger.Amount
	// Prepaid is the part of Payable that the peer paid in, or an operator credited, and
	// that no packet from the peer has used. It is never paid back without being asked for.
	Prepaid ledger.Amount
	// PrepaidAtMost says that Prepaid is an upper bound: the peer account has no history
	// (Config.NoHistory), or the balance is of LookUpBalances, which reads no history.
	PrepaidAtMost bool

	HeldIn   ledger.Amount // of packets in flight from the peer: will be debited if fulfilled
	HeldOut  ledger.Amount // of packets in flight to the peer: will be credited if fulfilled
	Settling ledger.Amount // of settlement orders in flight to the peer
	// Announced is of payments of the peer that are not final yet
	// (settlement.Engine.Announce). It is in no other figure: it pays nothing down, and nobody
	// can send with it.
	Announced ledger.Amount

	CreditLine ledger.Amount // the most that the peer may owe us
	Headroom   ledger.Amount // what the peer can still send before its line is used up

	// Lifetime totals, exact at the moment of the balance. They never fall. A balance of
	// LookUpBalances has none of them: they are 0.

	// Sent is what the peer was charged for packets that it sent, in time or late, whether its
	// account or its arrears were. Collections, debits by hand and returned payments are no
	// part of it.
	Sent ledger.Amount
	// Earned is what the peer was credited for packets that were delivered to it, in time or
	// late; those of a time when it was closed count when they are given back to it
	// (settlement.Engine.Release). Credits by hand are no part of it.
	Earned ledger.Amount
	// SettledOut is what we paid to the peer: by orders, by a rail beyond them, and by hand.
	// Payments of the peer that went back to it are no part of it.
	SettledOut ledger.Amount
	// SettledIn is what the peer paid us, vouchers included; also what waits in suspense, since
	// the peer was closed when it came, and what came back later.
	SettledIn ledger.Amount

	// Suspended says that the peer's credit line account is closed in the ledger: a
	// sign to recorders to take no new packets from the peer or to it, which each
	// heeds within a round. The ledger itself does not refuse them. See Book.Suspend.
	Suspended bool
	// Closed says that the peer account is closed in the ledger, which refuses
	// every packet and post on it.
	Closed bool

	ids               PeerIDs // of the accounts that were there
	totals            prepayment.Sums
	netAtMost         *big.Int
	prepaidSettled    bool // reading the peer's payments makes Prepaid no better
	hasArrearsAccount bool // the ledger has the arrears account
}

// Position is Payable less Receivable, in units: above 0 we owe the peer.
func (b Balance) Position() *big.Int {
	return new(big.Int).Sub(b.Payable.Big(), b.Receivable.Big())
}

// Net is Position less Prepaid, in units: above 0 it is what packets earned the peer and is
// not paid, below 0 what the peer owes. With PrepaidAtMost it is the least that it can be.
func (b Balance) Net() *big.Int { return new(big.Int).Sub(b.Position(), b.Prepaid.Big()) }

// NetAtMost is the most that Net can be. Without PrepaidAtMost, and for an account without
// history, it is Net.
func (b Balance) NetAtMost() *big.Int {
	if b.netAtMost == nil {
		return b.Net()
	}
	return new(big.Int).Set(b.netAtMost)
}

// IfNothingPrepaid is the balance as it would be if Net were NetAtMost, and nothing prepaid:
// what asks for nothing on it asks for nothing on the balance.
func (b Balance) IfNothingPrepaid() Balance {
	net := b.NetAtMost()
	b.Payable, b.Receivable = ledger.ClampAmount(net), ledger.ClampAmount(new(big.Int).Neg(net))
	b.Prepaid, b.PrepaidAtMost, b.netAtMost = ledger.Amount{}, false, nil
	return b
}

// PrepaidSettled reports whether Prepaid is as good as it gets: exact, or of an account
// without history. If not, Book.Balances reads the rest.
func (b Balance) PrepaidSettled() bool { return b.prepaidSettled }

// OnlyPacketsSince reports whether nothing but packets was booked for the peer since an
// earlier balance: no payment, no change of the line, nothing by hand and no collection. sent
// is how much the peer was charged for its packets, in units.
func (b Balance) OnlyPacketsSince(earlier Balance) (sent ledger.Amount, only bool) {
	return b.totals.Peer.Debits.SubFloor(earlier.totals.Peer.Debits), b.totals.SamePayments(&earlier.totals)
}

// Collectable reports whether the peer has arrears, and headroom that pays a part of them at least.
func (b Balance) Collectable() bool {
	return !b.Arrears.IsZero() && !b.Headroom.IsZero() && !b.Closed
}

// HasArrearsAccount reports whether the ledger has the peer's arrears account. If it has not,
// Book.EnsureArrears makes it.
func (b Balance) HasArrearsAccount() bool { return b.hasArrearsAccount }

// EverSettled reports whether an order was ever placed for the peer that is open or was paid,
// or anything else was paid to it. It is known without the lifetime totals.
func (b Balance) EverSettled() bool {
	return !b.totals.Settlement.Credits.IsZero() || !b.Settling.IsZero()
}

// HasHistory reports whether the ledger keeps the history of the peer account. Without it
// Prepaid is an upper bound.
func (b Balance) HasHistory() bool { return b.totals.History }

// Unpaid is what packets earned the peer and no settlement, finished or in
// flight, has paid: the most that may be paid out.
func (b Balance) Unpaid() ledger.Amount {
	return b.Payable.SubFloor(b.Prepaid).SubFloor(b.Settling)
}

// DecimalBalance is a Balance in whole asset units: 1500 units of USD/3 are 1.5.
type DecimalBalance struct {
	Position                            decimal.Decimal // above 0 we owe the peer
	Payable, Receivable                 decimal.Decimal
	Prepaid, Arrears                    decimal.Decimal
	HeldIn, HeldOut, Settling           decimal.Decimal
	Announced                           decimal.Decimal
	CreditLine, Headroom                decimal.Decimal
	Sent, Earned, SettledOut, SettledIn decimal.Decimal
}

// Decimal is the balance in whole asset units, exactly.
func (b Balance) Decimal() DecimalBalance {
	d := b.Asset.Decimal
	return DecimalBalance{
		Position: b.Asset.signedDecimal(b.Position()),
		Payable:  d(b.Payable), Receivable: d(b.Receivable), Prepaid: d(b.Prepaid), Arrears: d(b.Arrears),
		HeldIn: d(b.HeldIn), HeldOut: d(b.HeldOut), Settling: d(b.Settling), Announced: d(b.Announced),
		CreditLine: d(b.CreditLine), Headroom: d(b.Headroom),
		Sent: d(b.Sent), Earned: d(b.Earned), SettledOut: d(b.SettledOut), SettledIn: d(b.SettledIn),
	}
}
