package accounts

import (
	"context"
	"fmt"
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
	// Prepaid is the part of Payable that the peer paid in and no packet
	// earned. It is not paid out by a settlement.
	Prepaid ledger.Amount

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

// Balances reads the balances of peers, in the order asked, some 2,700 of them in
// a request. Those of one request are of one moment.
//
// Errors: ErrNotProvisioned names a handle that the ledger has no accounts for
// (our own has none), ErrUnknownAsset one whose ledger number the Book does not
// have; any other error is that of a request.
func (b *Book) Balances(ctx context.Context, accounts ...Account) ([]Balance, error) {
	ids := make([]ledger.ID, 0, accountsPerPeer*len(accounts))
	for _, a := range accounts {
		if _, known := b.assets[a.ledger]; !known {
			return nil, fmt.Errorf("%w: %v", ErrUnknownAsset, a)
		}
		p := b.PeerIDs(a)
		ids = append(ids, p.Peer, p.Line, p.Settlement)
	}
	byID, err := b.lookupIDs(ctx, ids, accountsPerPeer)
	if err != nil {
		return nil, fmt.Errorf("look up balances: %w", err)
	}
	balances := make([]Balance, len(accounts))
	for i, a := range accounts {
		peer, found := byID[ids[i*accountsPerPeer]]
		line, foundLine := byID[ids[i*accountsPerPeer+1]]
		settlement, foundSettlement := byID[ids[i*accountsPerPeer+2]]
		if !found || !foundLine || !foundSettlement || a.Own() {
			return nil, fmt.Errorf("%w: %v", ErrNotProvisioned, a)
		}
		balances[i] = newBalance(a, b.assets[a.ledger].asset, &peer, &line, &settlement)
	}
	return balances, nil
}

// lineOf is the credit line that a line account stands for.
func lineOf(line *ledger.Account) ledger.Amount {
	return line.DebitsPosted.SubFloor(line.CreditsPosted)
}

// newBalance works a balance out from the three accounts. The ledger keeps the
// peer account's debits within its credits and the line account's credits within
// its debits, so no difference below goes under 0 unless somebody else books on
// these accounts; then it is cut at 0, which never pays out more.
func newBalance(a Account, asset Asset, peer, line, settlement *ledger.Account) Balance {
	room := peer.CreditsPosted.SubFloor(peer.DebitsPosted)
	b := Balance{
		Account: a, Asset: asset, Opened: time.Unix(0, int64(settlement.Timestamp)),
		CreditLine: lineOf(line),
		Headroom:   room.SubFloor(peer.DebitsPending),
		Settling:   settlement.CreditsPending,
		HeldIn:     peer.DebitsPending.SubFloor(settlement.CreditsPending),
		HeldOut:    peer.CreditsPending,
		SettledOut: settlement.CreditsPosted,
		SettledIn:  settlement.DebitsPosted,
		Earned:     peer.CreditsPosted.SubFloor(line.DebitsPosted).SubFloor(settlement.DebitsPosted),
		Sent:       peer.DebitsPosted.SubFloor(line.CreditsPosted).SubFloor(settlement.CreditsPosted),
		Suspended:  line.Closed(),
		Closed:     peer.Closed(),
	}
	b.Payable = room.SubFloor(b.CreditLine)
	b.Receivable = b.CreditLine.SubFloor(room)
	b.Prepaid = b.Payable.SubFloor(b.Earned.SubFloor(b.SettledOut))
	return b
}
