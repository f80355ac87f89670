package currency

import (
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/shopspring/decimal"

	"github.com/peerledger/peerledger/accounts"
)

// ErrSums is returned when the figures of a result do not add up: no figure can be trusted.
var ErrSums = errors.New("currency: the result does not add up")

// Result is the currency result of a period. All values are in the currency of the rates.
type Result struct {
	From, To time.Time
	Lines    []Line // one for each asset, by ledger number
	Total    Total
}

// Sum is an amount in an asset.
type Sum struct {
	Units *big.Int        // of 10^-Scale of the asset; below 0 it lowers what we own
	Value decimal.Decimal // in the currency of the rates
}

// Line is what we own in one asset, and what changed it.
type Line struct {
	Asset accounts.Asset
	// Opening is what we owned at From, valued at OpeningRate, and Closing the same at To.
	Opening, Closing Sum
	// OpeningRate and ClosingRate are the rates at From and at To; 0 if no rate was needed.
	OpeningRate, ClosingRate decimal.Decimal

	Capital     Sum // put in by the owner, less taken out
	ByHand      Sum // adjustments of our own account
	PacketsIn   Sum // came into our liquidity by packets and rounds
	PacketsOut  Sum // left our liquidity by packets and rounds; 0 or less
	Fees        Sum
	Dust        Sum // remainders of conversions
	Other       Sum // booked by other programs
	Revaluation decimal.Decimal
}

// Total has the sums over all assets.
type Total struct {
	Opening, Capital, ByHand, Other decimal.Decimal
	// Trading is what packets, fees and dust have brought.
	Trading     decimal.Decimal
	Revaluation decimal.Decimal
	// Gain is Trading and Revaluation; below 0 it is a loss. Opening, Capital, ByHand, Other and Gain add up to Closing.
	Gain    decimal.Decimal
	Closing decimal.Decimal
}

// flows returns the flows of the line.
func (l *Line) flows() []*Sum {
	return []*Sum{&l.Capital, &l.ByHand, &l.PacketsIn, &l.PacketsOut, &l.Fees, &l.Dust, &l.Other}
}

// addFlows returns the sum of all flows.
func (l *Line) addFlows() (sum Sum) {
	sum.Units = new(big.Int)
	for _, f := range l.flows() {
		sum.Units.Add(sum.Units, f.Units)
		sum.Value = sum.Value.Add(f.Value)
	}
	return sum
}

// check compares opening, flows and revaluation with the closing figures.
func (l *Line) check() error {
	flows := l.addFlows()
	units := flows.Units.Add(flows.Units, l.Opening.Units)
	value := l.Opening.Value.Add(flows.Value).Add(l.Revaluation)
	switch {
	case units.Cmp(l.Closing.Units) != 0:
		return fmt.Errorf("%w: %v: opening and flows are %v units, and the ledger has %v", ErrSums, l.Asset, units, l.Closing.Units)
	case !value.Equal(l.Closing.Value):
		return fmt.Errorf("%w: %v: opening, flows and revaluation are worth %v, and the closing units %v", ErrSums, l.Asset, value, l.Closing.Value)
	default:
		return nil
	}
}

// addLines sets the totals.
func (r *Result) addLines() {
	r.Total = Total{}
	t := &r.Total
	for i := range r.Lines {
		l := &r.Lines[i]
		t.Opening, t.Closing = t.Opening.Add(l.Opening.Value), t.Closing.Add(l.Closing.Value)
		t.Capital, t.ByHand, t.Other = t.Capital.Add(l.Capital.Value), t.ByHand.Add(l.ByHand.Value), t.Other.Add(l.Other.Value)
		t.Trading = t.Trading.Add(l.PacketsIn.Value).Add(l.PacketsOut.Value).Add(l.Fees.Value).Add(l.Dust.Value)
		t.Revaluation = t.Revaluation.Add(l.Revaluation)
	}
	t.Gain = t.Trading.Add(t.Revaluation)
}

// check refuses a result that does not add up, by line and in total.
func (r *Result) check() error {
	for i := range r.Lines {
		if err := r.Lines[i].check(); err != nil {
			return err
		}
	}
	t := &r.Total
	if sum := t.Opening.Add(t.Capital).Add(t.ByHand).Add(t.Other).Add(t.Gain); !sum.Equal(t.Closing) {
		return fmt.Errorf("%w: in total %v, and the closing units are worth %v", ErrSums, sum, t.Closing)
	}
	return nil
}

// Round returns the result with all values rounded to so many decimals, half away from zero. Each value of an asset is
// rounded once. The revaluation of the asset is then what makes its line add up, and the totals are sums of rounded
// values, so all lines and columns add up as they are printed. Units and rates stay as they are. The closing value of a
// period is still the opening value of the next one.
func (r *Result) Round(decimals int32) *Result {
	rounded := &Result{From: r.From, To: r.To, Lines: make([]Line, len(r.Lines))}
	for i := range r.Lines {
		l := r.Lines[i]
		for _, s := range append(l.flows(), &l.Opening, &l.Closing) {
			s.Value = s.Value.Round(decimals)
		}
		l.Revaluation = l.Closing.Value.Sub(l.Opening.Value).Sub(l.addFlows().Value)
		rounded.Lines[i] = l
	}
	rounded.addLines()
	return rounded
}
