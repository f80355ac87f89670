package accounts

import (
	"context"
	"math/big"
	"time"

	"github.com/shopspring/decimal"

	"github.com/peerledger/peerledger/ledger"
)

// Balance is what stands between us and a peer in one asset, read in one request
// and so of one moment. All amounts are in units of 10^-Asset.Scale.
type Balance struct {
	Account Account
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

	CreditLine ledger.Amount // the most that the peer may owe us
	Headroom   ledger.Amount // what the peer can still send before its line is used up

	// Lifetime totals.
	Sent       ledger.Amount // debited for packets that the peer sent, and by Adjust
	Earned     ledger.Amount // credited for packets that the peer delivered, and by Adjust (which settlement orders leave out)
	SettledOut ledger.Amount // paid by us to the peer
	SettledIn  ledger.Amount // paid by the peer to us

	// Suspended says that the peer's credit line account is closed in the ledger: a
	// sign to recorders to take no new packets from the peer or to it, which each
	// heeds within a round. The ledger itself does not refuse them. See Book.Suspend.
	Suspended bool
	// Closed says that the peer account is closed in the ledger, which refuses
	// every packet and post on it.
	Closed bool
}

// Position is Payable less Receivable, in units: above 0 we owe the peer.
func (b Balance) Position() *big.Int {
	return new(big.Int).Sub(b.Payable.Big(), b.Receivable.Big())
}

// Unpaid is what packets earned the peer and no settlement, finished or in
// flight, has paid: the most that may be paid out.
func (b Balance) Unpaid() ledger.Amount {
	return b.Earned.SubFloor(b.SettledOut).SubFloor(b.Settling)
}

// DecimalBalance is a Balance in whole asset units: 1500 units of USD/3 are 1.5.
type DecimalBalance struct {
	Position                            decimal.Decimal // above 0 we owe the peer
	Payable, Receivable, Prepaid        decimal.Decimal
	HeldIn, HeldOut, Settling           decimal.Decimal
	CreditLine, Headroom                decimal.Decimal
	Sent, Earned, SettledOut, SettledIn decimal.Decimal
}

// Decimal is the balance in whole asset units, exactly.
func (b Balance) Decimal() DecimalBalance {
	d := b.Asset.Decimal
	return DecimalBalance{
		Position: b.Asset.signedDecimal(b.Position()),
		Payable:  d(b.Payable), Receivable: d(b.Receivable), Prepaid: d(b.Prepaid),
		HeldIn: d(b.HeldIn), HeldOut: d(b.HeldOut), Settling: d(b.Settling),
		CreditLine: d(b.CreditLine), Headroom: d(b.Headroom),
		Sent: d(b.Sent), Earned: d(b.Earned), SettledOut: d(b.SettledOut), SettledIn: d(b.SettledIn),
	}
}

// Balance reads the balance of one peer in one asset. See Balances.
func (b *Book) Balance(ctx context.Context, account Account) (Balance, error) {
	balances, err := b.Balances(ctx, account)
	if err != nil {
		return Balance{}, err
	}
	return balances[0], nil
}

// lineOf is the credit line that a line account stands for.
func lineOf(line *ledger.Account) ledger.Amount {
	return line.DebitsPosted.SubFloor(line.CreditsPosted)
}

// newBalance works a balance out from the accounts of a peer.
//
// The ledger keeps the peer account's debits within its credits, and the credits of the
// line and the arrears account within their debits, so no difference below goes under 0
// unless somebody else books on these accounts; then it is cut at 0.
func newBalance(a Account, asset Asset, f *peerFigures) Balance {
	free := f.peer.CreditsPosted.SubFloor(f.peer.DebitsPosted)
	b := Balance{
		Account: a, Asset: asset, Opened: time.Unix(0, int64(f.settlement.Timestamp)),
		CreditLine: lineOf(&f.line),
		Arrears:    f.arrears.DebitsPosted.SubFloor(f.arrears.CreditsPosted),
		Headroom:   free.SubFloor(f.peer.DebitsPending),
		Settling:   f.settlement.CreditsPending,
		HeldIn:     f.peer.DebitsPending.SubFloor(f.settlement.CreditsPending),
		HeldOut:    f.peer.CreditsPending,
		SettledOut: f.settlement.CreditsPosted,
		SettledIn:  f.settlement.DebitsPosted,
		Earned:     f.peer.CreditsPosted.SubFloor(f.line.DebitsPosted).SubFloor(f.settlement.DebitsPosted),
		Suspended:  f.line.Closed(),
		Closed:     f.peer.Closed(),
	}
	charged, _ := f.peer.DebitsPosted.Add(b.Arrears)
	b.Sent = charged.SubFloor(f.line.CreditsPosted).SubFloor(f.settlement.CreditsPosted)
	owes, _ := b.CreditLine.Add(b.Arrears) // both are parts of what was booked, so the sum fits
	b.Payable = free.SubFloor(owes)
	b.Receivable = owes.SubFloor(free)
	b.Prepaid = b.Payable.SubFloor(b.Earned.SubFloor(b.SettledOut))
	return b
}
