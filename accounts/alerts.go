package accounts

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// LiquidityThresholds are the levels of our liquidity in an asset that somebody wants to hear of, in
// whole units of the asset as Asset.Parse reads them. "" is none.
type LiquidityThresholds struct {
	Low  Decimal // alert when the liquidity is at or below it: fund the asset
	High Decimal // alert when it is at or above it: too much lies about
	// Margin is how far the liquidity must be past a mark again before that mark can
	// alert once more, so that a position that goes up and down around a mark alerts
	// once, and not for every packet. Default 0.
	Margin Decimal
}

// ThresholdEvent is what happened at a mark.
type ThresholdEvent uint8

// The kinds of alerts.
const (
	LowReached ThresholdEvent = iota + 1
	LowCleared
	HighReached
	HighCleared
)

// String is "low reached", "low cleared", "high reached" or "high cleared".
func (k ThresholdEvent) String() string {
	names := [...]string{LowReached: "low reached", LowCleared: "low cleared", HighReached: "high reached", HighCleared: "high cleared"}
	if k < LowReached || k > HighCleared {
		return fmt.Sprintf("ThresholdEvent(%d)", uint8(k))
	}
	return names[k]
}

// LiquidityAlert is one crossing of a mark.
type LiquidityAlert struct {
	Kind      ThresholdEvent
	Threshold ledger.Amount // that was crossed, in units
	Position  AssetPosition // as it was seen
}

// LiquidityAlerts watch our liquidity. Its methods may be called concurrently.
//
// What was told is remembered in memory: a new process tells again of a mark that is
// still crossed.
type LiquidityAlerts struct {
	book  *Book
	every time.Duration

	mu     sync.Mutex
	alarms map[uint32]*alarm // by ledger number
}

// alarm is the state of an asset's two marks.
type alarm struct {
	low, high, margin       *big.Int // nil: no mark
	lowReached, highReached bool
}

// NewLiquidityAlerts watches the assets that have marks. It does not touch the ledger;
// call Check or Run. The error matches ErrInvalid and names the asset and the field, or
// ErrUnknownAsset.
func (b *Book) NewLiquidityAlerts(marks map[Asset]LiquidityThresholds) (*LiquidityAlerts, error) {
	w := &LiquidityAlerts{book: b, every: b.round, alarms: make(map[uint32]*alarm)}
	var errs []error
	for asset, m := range marks {
		if _, err := b.OwnAccount(asset); err != nil {
			errs = append(errs, err)
			continue
		}
		a, err := newAlarm(asset, m)
		errs = append(errs, err)
		w.alarms[asset.Ledger] = a
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return w, nil
}

func newAlarm(asset Asset, m LiquidityThresholds) (*alarm, error) {
	var errs []error
	read := func(field string, text Decimal) *big.Int {
		if text == "" {
			return nil
		}
		n, err := asset.Parse(string(text))
		if err != nil {
			errs = append(errs, &FieldError{Subject: fmt.Sprintf("marks of %v", asset), Field: field, Reason: "cannot be used: " + err.Error()})
		}
		return n.Big()
	}
	a := &alarm{low: read("Low", m.Low), high: read("High", m.High), margin: read("Margin", m.Margin)}
	if a.margin == nil {
		a.margin = new(big.Int)
	}
	if a.low != nil && a.high != nil && a.low.Cmp(a.high) >= 0 {
		errs = append(errs, &FieldError{Subject: fmt.Sprintf("marks of %v", asset), Field: "Low", Reason: "must be below High"})
	}
	return a, errors.Join(errs...)
}

// Check looks at the positions once, in one request, and returns what was crossed since
// the last time: each mark once until its alert is cleared. The error is that of
// Book.Positions; then nothing is forgotten.
func (w *LiquidityAlerts) Check(ctx context.Context) ([]LiquidityAlert, error) {
	positions, err := w.book.Positions(ctx)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var alerts []LiquidityAlert
	for _, p := range positions {
		a := w.alarms[p.Asset.Ledger]
		if a == nil {
			continue
		}
		for _, kind := range a.see(p.Liquidity) {
			alerts = append(alerts, LiquidityAlert{Kind: kind, Threshold: a.mark(kind), Position: p})
		}
	}
	return alerts, nil
}

// Run checks every round (Config.SuspensionPollInterval) until ctx ends, and gives what it finds to tell;
// failed is told of checks that went wrong, which are made again a round later. Either
// may be nil. It returns when ctx has ended, and its cause.
func (w *LiquidityAlerts) Run(ctx context.Context, tell func(LiquidityAlert), failed func(error)) error {
	round := time.NewTicker(w.every)
	defer round.Stop()
	for {
		alerts, err := w.Check(ctx)
		if err != nil && ctx.Err() == nil && failed != nil {
			failed(err)
		}
		for _, a := range alerts {
			if tell != nil {
				tell(a)
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-round.C:
		}
	}
}

// see takes a new position in, and returns what was crossed.
func (a *alarm) see(position *big.Int) []ThresholdEvent {
	var kinds []ThresholdEvent
	if a.low != nil {
		past := new(big.Int).Add(a.low, a.margin)
		switch {
		case !a.lowReached && position.Cmp(a.low) <= 0:
			a.lowReached = true
			kinds = append(kinds, LowReached)
		case a.lowReached && position.Cmp(past) > 0:
			a.lowReached = false
			kinds = append(kinds, LowCleared)
		}
	}
	if a.high != nil {
		past := new(big.Int).Sub(a.high, a.margin)
		switch {
		case !a.highReached && position.Cmp(a.high) >= 0:
			a.highReached = true
			kinds = append(kinds, HighReached)
		case a.highReached && position.Cmp(past) < 0:
			a.highReached = false
			kinds = append(kinds, HighCleared)
		}
	}
	return kinds
}

// mark is the mark that an alert is about.
func (a *alarm) mark(kind ThresholdEvent) ledger.Amount {
	mark := a.high
	if kind == LowReached || kind == LowCleared {
		mark = a.low
	}
	amount, _ := ledger.ParseAmount(mark.String()) // it was read from one
	return amount
}
