package backup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// ErrUnbalanced is returned when a ledger's debits differ from its credits.
var ErrUnbalanced = errors.New("backup: debits and credits differ")

// Totals are the sums over all accounts, by ledger number.
type Totals map[uint32]Total

// Total is the sum over all accounts of one ledger number, in units. The sum of 128-bit amounts may
// need more than 128 bits.
type Total struct {
	Accounts       int             `json:"accounts"`
	DebitsPosted   decimal.Decimal `json:"debits_posted"`
	CreditsPosted  decimal.Decimal `json:"credits_posted"`
	DebitsPending  decimal.Decimal `json:"debits_pending"`
	CreditsPending decimal.Decimal `json:"credits_pending"`
}

// ReadTotals adds up all accounts of a ledger, with one request for every 8189. While other clients
// write, the totals belong to no single moment. progress is called with the number of accounts
// done, and may be nil.
func ReadTotals(ctx context.Context, l ledger.Ledger, progress func(accounts int)) (Totals, error) {
	sums, err := accounts.SumAccounts(ctx, l, progress)
	if err != nil {
		return nil, err
	}
	totals := Totals{}
	for number, s := range sums {
		totals[number] = Total{
			s.Accounts, decimal.NewFromBigInt(&s.DebitsPosted, 0), decimal.NewFromBigInt(&s.CreditsPosted, 0),
			decimal.NewFromBigInt(&s.DebitsPending, 0), decimal.NewFromBigInt(&s.CreditsPending, 0),
		}
	}
	return totals, nil
}

// Balanced returns nil if the debits of each ledger equal its credits, posted and pending. Else the
// error matches [ErrUnbalanced] and names the ledgers.
func (t Totals) Balanced() error {
	var errs []error
	for _, number := range slices.Sorted(maps.Keys(t)) {
		s := t[number]
		if !s.DebitsPosted.Equal(s.CreditsPosted) || !s.DebitsPending.Equal(s.CreditsPending) {
			errs = append(errs, fmt.Errorf("%w: ledger %d: posted %v and %v, pending %v and %v",
				ErrUnbalanced, number, s.DebitsPosted, s.CreditsPosted, s.DebitsPending, s.CreditsPending))
		}
	}
	return errors.Join(errs...)
}

// Relation is the relation of later totals of a ledger to earlier ones.
type Relation string

// The relations.
const (
	Equal    Relation = "equal"
	MovedOn  Relation = "moved on"  // later totals have more, as after more packets
	Contrary Relation = "different" // a count of accounts or a posted total has fallen, which never happens in one ledger
)

// Compare compares later totals of a ledger with earlier totals. detail names the first impossible
// fall, or else the first difference.
func Compare(earlier, later Totals) (relation Relation, detail string) {
	relation = Equal
	numbers := maps.Clone(earlier)
	if numbers == nil {
		numbers = Totals{}
	}
	maps.Copy(numbers, later)
	for _, number := range slices.Sorted(maps.Keys(numbers)) {
		a, b := earlier[number], later[number]
		for _, sum := range []struct {
			name           string
			earlier, later decimal.Decimal
			grows          bool // and never falls
		}{
			{"accounts", decimal.NewFromInt(int64(a.Accounts)), decimal.NewFromInt(int64(b.Accounts)), true},
			{"debits posted", a.DebitsPosted, b.DebitsPosted, true},
			{"credits posted", a.CreditsPosted, b.CreditsPosted, true},
			{"debits pending", a.DebitsPending, b.DebitsPending, false},
			{"credits pending", a.CreditsPending, b.CreditsPending, false},
		} {
			if sum.earlier.Equal(sum.later) {
				continue
			}
			text := fmt.Sprintf("ledger %d: %s were %v and are %v", number, sum.name, sum.earlier, sum.later)
			if sum.grows && sum.later.LessThan(sum.earlier) {
				return Contrary, text
			}
			if relation == Equal {
				relation, detail = MovedOn, text
			}
		}
	}
	return relation, detail
}
