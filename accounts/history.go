package accounts

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/big"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// The numbers of steps of a [HistoryQuery].
const (
	DefaultHistorySteps = 100
	MaxHistorySteps     = 10_000
)

// HistoryQuery selects the moments of [Book.History].
type HistoryQuery struct {
	From time.Time // the first moment; default: when the ledger created the peer's accounts
	To   time.Time // the last moment; default: time.Now()
	// Step is the time from moment to moment, above 0; the last step ends at To and may be shorter.
	// Default: Steps decides.
	Step time.Duration
	// Steps is the number of steps, all of the same length, 1 to [MaxHistorySteps]. Not both Step and
	// Steps may be set. Default [DefaultHistorySteps].
	Steps int
}

// HistoryPoint is the state of a peer at a moment: after everything booked before Time, and without what was
// booked at Time or later. Amounts are in units.
type HistoryPoint struct {
	Time       time.Time
	Position   *big.Int // above 0 we owed the peer
	CreditLine ledger.Amount
	Arrears    ledger.Amount
	// HeldIn, HeldOut and Settling are as in [Balance], but of the newest booking on the peer's account
	// before Time: a hold that has expired counts until a booking comes after the ledger has released it.
	HeldIn   ledger.Amount
	HeldOut  ledger.Amount
	Settling ledger.Amount
}

// History is a peer's state from moment to moment.
type History struct {
	Account PeerAccount
	Asset   Asset
	Points  []HistoryPoint // at From, and at the end of each step
}

// History reads a peer's position, line, arrears and held amounts at From and at the end of each step, by the
// ledger's clock. Every point is exact, whatever moved within a step: the ledger keeps the balances after each
// booking. Only the held amounts may count holds that have expired. Points in the past never change. A point after the newest booking has the state of that booking, also if
// its Time is in the future.
//
// It sends at most one request for each point in which the peer account changed, and a few more for its line, its
// arrears and its settlements. To go on after [MaxHistorySteps], begin with the last Time as From.
//
// The errors match [ErrInvalid] (the query), [ErrUnknownAsset], [ErrNotProvisioned] or [ErrNoHistory], or are of a
// request.
func (b *Book) History(ctx context.Context, account PeerAccount, query HistoryQuery) (History, error) {
	if err := b.checkPeer(account); err != nil {
		return History{}, err
	}
	h := History{Account: account, Asset: b.assets[account.ledger].asset}
	err := b.readHistory(ctx, &h, query)
	if err != nil {
		return History{}, fmt.Errorf("history of %v: %w", account, err)
	}
	return h, nil
}

func (b *Book) readHistory(ctx context.Context, h *History, query HistoryQuery) error {
	balance, err := b.LookUpBalance(ctx, h.Account)
	switch {
	case err != nil:
		return err
	case !balance.HasHistory():
		return ErrNoHistory
	case query.From.IsZero():
		query.From = balance.Opened
	}
	moments, err := query.moments()
	if err != nil {
		return err
	}
	ids := b.PeerIDs(h.Account)
	newest, err := b.newestMoment(ctx, ids.Peer, ids.Line, ids.Settlement, ids.Arrears)
	if err != nil {
		return err
	}
	// Bookings may come while the accounts are read one after the other. Those up to the newest are final.
	lasts := make([]uint64, len(moments))
	for i, t := range moments {
		lasts[i] = min(timestampOf(t)-1, newest)
	}
	var series [4][]ledger.AccountBalance
	for i, id := range []ledger.ID{ids.Peer, ids.Line, ids.Settlement, ids.Arrears} {
		if series[i], err = b.balancesAt(ctx, id, lasts); err != nil {
			return err
		}
	}
	for i, t := range moments {
		h.Points = append(h.Points, newHistoryPoint(t, &series[0][i], &series[1][i], &series[2][i], &series[3][i]))
	}
	return nil
}

// newHistoryPoint computes a point from the balances of the peer's accounts, as [newBalance] does.
func newHistoryPoint(t time.Time, peer, line, settlement, arrears *ledger.AccountBalance) HistoryPoint {
	p := HistoryPoint{
		Time:       t,
		CreditLine: line.DebitsPosted.SubFloor(line.CreditsPosted),
		Arrears:    arrears.DebitsPosted.SubFloor(arrears.CreditsPosted),
		Settling:   settlement.CreditsPending,
		HeldIn:     peer.DebitsPending.SubFloor(settlement.CreditsPending),
		HeldOut:    peer.CreditsPending,
		Position:   new(big.Int).Sub(peer.CreditsPosted.Big(), peer.DebitsPosted.Big()),
	}
	p.Position.Sub(p.Position, p.CreditLine.Big()).Sub(p.Position, p.Arrears.Big())
	return p
}

// moments returns the moments of a query, From first.
func (q HistoryQuery) moments() ([]time.Time, error) {
	fault := func(field, reason string) error {
		return &FieldError{Subject: "history query", Field: field, Reason: reason}
	}
	if q.To.IsZero() {
		q.To = time.Now()
	}
	span := q.To.Sub(q.From)
	switch {
	case !q.From.Before(q.To):
		return nil, fault("To", "must be after From")
	case span == math.MaxInt64:
		return nil, fault("From", "must be at most 292 years before To")
	case q.Step < 0:
		return nil, fault("Step", "must be above 0")
	case q.Step > 0 && q.Steps != 0:
		return nil, fault("Steps", "must be 0 if Step is set")
	case q.Steps < 0 || q.Steps > MaxHistorySteps:
		return nil, fault("Steps", fmt.Sprintf("must be 1 to %d", MaxHistorySteps))
	case q.Step > 0 && (span-1)/q.Step >= MaxHistorySteps:
		return nil, fault("Step", fmt.Sprintf("must be longer, or the time from From to To shorter: %v are more than %d steps of %v", span, MaxHistorySteps, q.Step))
	}
	moments := []time.Time{q.From.UTC()}
	if q.Step > 0 {
		for i := time.Duration(1); i <= (span-1)/q.Step; i++ {
			moments = append(moments, q.From.Add(i*q.Step).UTC())
		}
		return append(moments, q.To.UTC()), nil
	}
	n := time.Duration(cmp.Or(q.Steps, DefaultHistorySteps))
	for i := time.Duration(1); i <= n; i++ {
		moments = append(moments, q.From.Add(span/n*i+span%n*i/n).UTC())
	}
	return moments, nil
}

// newestMoment returns the time of the newest row in accounts, 0 if there is none.
func (b *Book) newestMoment(ctx context.Context, ids ...ledger.ID) (at uint64, err error) {
	for _, id := range ids {
		balance, err := b.balanceAt(ctx, id, ledger.TimestampMax)
		if err != nil {
			return 0, err
		}
		at = max(at, balance.Timestamp)
	}
	return at, nil
}

// balancesAt returns the balances of an account with a history right after moments, which ascend. It reads
// backwards, and asks once for all moments since the same row.
func (b *Book) balancesAt(ctx context.Context, id ledger.ID, moments []uint64) ([]ledger.AccountBalance, error) {
	balances := make([]ledger.AccountBalance, len(moments))
	for i := len(moments) - 1; i >= 0; {
		balance, err := b.balanceAt(ctx, id, moments[i])
		if err != nil {
			return nil, err
		}
		for ; i >= 0 && moments[i] >= balance.Timestamp; i-- {
			balances[i] = balance
		}
	}
	return balances, nil
}
