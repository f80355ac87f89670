package accounts

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

var (
	// ErrUnbalanced is returned when debits and credits differ, as an *[UnbalancedError]: the ledger
	// does not keep double-entry books, or was misread. Trust no number of it.
	ErrUnbalanced = errors.New("accounts: debits and credits differ")
	// ErrMoving is returned when accounts changed during every attempt to add them up: the sums are
	// of no single moment, and prove nothing. Try again at a quieter time, or on a copy.
	ErrMoving = errors.New("accounts: the books move too fast to be added up")
	// ErrTransit is returned when a transit account has an amount, as a *[TransitError]. Rounds of
	// packets cross transit in one chain, so no moment between two requests shows any.
	ErrTransit = errors.New("accounts: an amount has stayed in transit")
)

// Sums are sums of ledger accounts, in units of 10^-Scale of the asset. They may exceed 128 bits.
type Sums struct {
	Accounts                                                   int
	DebitsPosted, CreditsPosted, DebitsPending, CreditsPending big.Int
}

// Balanced reports whether debits equal credits, both posted and pending.
func (s *Sums) Balanced() bool {
	return s.DebitsPosted.Cmp(&s.CreditsPosted) == 0 && s.DebitsPending.Cmp(&s.CreditsPending) == 0
}

func (s *Sums) equals(o *Sums) bool {
	return s.Accounts == o.Accounts &&
		s.DebitsPosted.Cmp(&o.DebitsPosted) == 0 && s.CreditsPosted.Cmp(&o.CreditsPosted) == 0 &&
		s.DebitsPending.Cmp(&o.DebitsPending) == 0 && s.CreditsPending.Cmp(&o.CreditsPending) == 0
}

func (s *Sums) addAccount(a *ledger.Account) {
	s.Accounts++
	s.DebitsPosted.Add(&s.DebitsPosted, a.DebitsPosted.Big())
	s.CreditsPosted.Add(&s.CreditsPosted, a.CreditsPosted.Big())
	s.DebitsPending.Add(&s.DebitsPending, a.DebitsPending.Big())
	s.CreditsPending.Add(&s.CreditsPending, a.CreditsPending.Big())
}

// TrialLine has the sums of the accounts of one kind.
type TrialLine struct {
	// AccountKind is "peer", "line", "settlement" or "arrears" for all peers' accounts of the kind;
	// "liquidity", "revenue", "dust", "suspense", "outside", "control" or "transit" for our own; "other" for
	// accounts of a foreign namespace or program.
	AccountKind string
	// Sums of "transit" have as pending credits what recorders have reserved ([Book.Reservations]),
	// and equal posted debits and credits.
	Sums
}

// TrialBalance has the sums of all accounts of the ledger in an asset.
type TrialBalance struct {
	Asset Asset
	Lines []TrialLine // only existing kinds, in the order of [TrialLine.AccountKind]
	Total Sums
}

// trialKinds are the kinds of our accounts, in order.
var trialKinds = []struct {
	code uint16
	kind string
}{
	{chart.CodePeer, peerKind},
	{chart.CodeLine, "line"},
	{chart.CodeSettlement, "settlement"},
	{chart.CodeArrears, "arrears"},
	{chart.CodeLiquidity, "liquidity"},
	{chart.CodeRevenue, "revenue"},
	{chart.CodeDust, "dust"},
	{chart.CodeSuspense, "suspense"},
	{chart.CodeOutside, "outside"},
	{chart.CodeControl, "control"},
	{chart.CodeTransit, transitKind},
}

const (
	transitKind = "transit"
	otherKind   = "other"
)

// UnbalancedError has the sums of debits and credits that differ. It matches [ErrUnbalanced].
type UnbalancedError struct{ Balance TrialBalance }

func (e *UnbalancedError) Error() string {
	a, t := e.Balance.Asset, &e.Balance.Total
	return fmt.Sprintf("%v: %v on ledger %d: posted %s and %s, pending %s and %s", ErrUnbalanced, a, a.Ledger,
		a.formatSigned(&t.DebitsPosted), a.formatSigned(&t.CreditsPosted), a.formatSigned(&t.DebitsPending), a.formatSigned(&t.CreditsPending))
}

// Is reports whether target is [ErrUnbalanced].
func (e *UnbalancedError) Is(target error) bool { return target == ErrUnbalanced }

// TransitError has what a transit account holds. It matches [ErrTransit].
type TransitError struct {
	Asset  Asset
	Amount ledger.Amount // posted credits less posted debits, in units
}

func (e *TransitError) Error() string {
	return fmt.Sprintf("%v: %s on ledger %d", ErrTransit, e.Asset.Text(e.Amount), e.Asset.Ledger)
}

// Is reports whether target is [ErrTransit].
func (e *TransitError) Is(target error) bool { return target == ErrTransit }

// TrialBalance adds up all accounts of the ledger under the asset's number, of all namespaces,
// and checks that debits equal credits. It reads up to [ledger.QueryMax] accounts in a request,
// and keeps none of them.
//
// The sums are of one moment, also during writes: accounts that need several requests are read
// twice, and again if they changed in between.
//
// Errors: *[UnbalancedError] ([ErrUnbalanced]) and *[TransitError] ([ErrTransit]), together with
// the trial balance; [ErrMoving] after three attempts; [ErrUnknownAsset]; or the error of a request.
func (b *Book) TrialBalance(ctx context.Context, asset Asset) (TrialBalance, error) {
	if _, err := b.OwnAccount(asset); err != nil {
		return TrialBalance{}, err
	}
	balance, err := b.consistentTrial(ctx, asset)
	switch {
	case err != nil:
		return TrialBalance{}, fmt.Errorf("trial balance of %v: %w", asset, err)
	case !balance.Total.Balanced():
		return balance, &UnbalancedError{balance}
	default:
		return balance, balance.checkTransit()
	}
}

// checkTransit returns an error if the transit account has an amount. Its flags keep its posted debits
// from exceeding its credits.
func (t *TrialBalance) checkTransit() error {
	for i := range t.Lines {
		if line := &t.Lines[i]; line.AccountKind == transitKind {
			amount := ledger.ClampAmount(new(big.Int).Sub(&line.CreditsPosted, &line.DebitsPosted))
			if !amount.IsZero() {
				return &TransitError{Asset: t.Asset, Amount: amount}
			}
		}
	}
	return nil
}

const trialAttempts = 3

// consistentTrial reads until the sums are of one moment: the moment of a single request, or a
// moment between two readings. Posted amounts of an account only grow, and pending amounts only
// shrink, except by a new transfer. So without a new transfer during two readings with equal
// sums, no account changed between its two readings.
func (b *Book) consistentTrial(ctx context.Context, asset Asset) (TrialBalance, error) {
	for range trialAttempts {
		before, err := b.newestTransfer(ctx, asset)
		if err != nil {
			return TrialBalance{}, err
		}
		first, requests, err := b.sumAccounts(ctx, asset)
		if err != nil || requests == 1 {
			return first, err
		}
		second, _, err := b.sumAccounts(ctx, asset)
		if err != nil {
			return TrialBalance{}, err
		}
		after, err := b.newestTransfer(ctx, asset)
		if err != nil {
			return TrialBalance{}, err
		}
		if before == after && first.Total.equals(&second.Total) {
			return second, nil
		}
	}
	return TrialBalance{}, ErrMoving
}

// newestTransfer returns the time of the newest transfer in an asset, 0 if there is none.
func (b *Book) newestTransfer(ctx context.Context, asset Asset) (uint64, error) {
	rows, err := b.ledger.QueryTransfers(ctx, ledger.QueryFilter{Ledger: asset.Ledger, Limit: 1, Flags: ledger.QueryFilterReversed})
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	return rows[0].Timestamp, nil
}

// sumAccounts adds up all accounts of an asset, once.
func (b *Book) sumAccounts(ctx context.Context, asset Asset) (balance TrialBalance, requests int, err error) {
	byKind := make(map[string]*Sums)
	balance.Asset = asset
	filter := ledger.QueryFilter{Ledger: asset.Ledger, Limit: ledger.QueryMax}
	for {
		page, err := batch.Page(&filter.Limit, func() ([]ledger.Account, error) { return b.ledger.QueryAccounts(ctx, filter) })
		if err != nil {
			return TrialBalance{}, 0, err
		}
		requests++
		for i := range page {
			kind := b.kindOf(&page[i])
			if byKind[kind] == nil {
				byKind[kind] = new(Sums)
			}
			byKind[kind].addAccount(&page[i])
			balance.Total.addAccount(&page[i])
		}
		b.reportProgress("add accounts up", balance.Total.Accounts, 0)
		if len(page) < int(filter.Limit) {
			break
		}
		filter.TimestampMin = page[len(page)-1].Timestamp + 1
	}
	for _, k := range trialKinds {
		if sums := byKind[k.kind]; sums != nil {
			balance.Lines = append(balance.Lines, TrialLine{k.kind, *sums})
		}
	}
	if sums := byKind[otherKind]; sums != nil {
		balance.Lines = append(balance.Lines, TrialLine{otherKind, *sums})
	}
	return balance, requests, nil
}

// kindOf returns the kind of an account in the ledger.
func (b *Book) kindOf(a *ledger.Account) string {
	if a.UserData64 == b.assets[a.Ledger].tag {
		for _, k := range trialKinds {
			if k.code == a.Code {
				return k.kind
			}
		}
	}
	return otherKind
}
