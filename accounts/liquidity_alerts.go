package accounts

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/peerledger/peerledger/internal/hysteresis"
	"github.com/peerledger/peerledger/ledger"
)

// LiquidityThresholds are the levels of our liquidity in an asset that raise alerts. "" is none.
type LiquidityThresholds struct {
	Low  Decimal // alert when the liquidity is at or below it: fund the asset
	High Decimal // alert when the liquidity is at or above it: capital lies idle
	// Margin is how far the liquidity must be back behind a threshold before the threshold can
	// be reached once more. So a position around a threshold raises one alert, and not one for
	// every packet. Default 0.
	Margin Decimal
}

// ThresholdEvent is the crossing of a threshold.
type ThresholdEvent uint8

// The threshold events.
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

// LiquidityAlert is one crossing of a threshold.
type LiquidityAlert struct {
	Event     ThresholdEvent
	Threshold ledger.Amount // the crossed threshold, in units
	Position  AssetPosition // as of the crossing
}

// LiquidityAlerts watch our liquidity. The methods may be called concurrently.
//
// Crossings are remembered in memory only: a new process alerts again for a threshold that is
// still crossed.
type LiquidityAlerts struct {
	book     *Book
	interval time.Duration

	mu     sync.Mutex
	alarms map[uint32]*alarm // by ledger number
}

// alarm is the state of an asset's two thresholds.
type alarm struct {
	lowLevel, highLevel *big.Int // nil: no threshold
	margin              *big.Int
	low, high           hysteresis.Threshold
}

// NewLiquidityAlerts watches the assets that have thresholds. It sends nothing to the ledger:
// call [LiquidityAlerts.Check] or [LiquidityAlerts.Run]. The error matches [ErrInvalid] and names
// the asset and the field, or is [ErrUnknownAsset].
func (b *Book) NewLiquidityAlerts(thresholds map[Asset]LiquidityThresholds) (*LiquidityAlerts, error) {
	alerts := &LiquidityAlerts{book: b, interval: b.pollInterval, alarms: make(map[uint32]*alarm)}
	var errs []error
	for asset, t := range thresholds {
		if _, err := b.OwnAccount(asset); err != nil {
			errs = append(errs, err)
			continue
		}
		a, err := newAlarm(asset, t)
		errs = append(errs, err)
		alerts.alarms[asset.Ledger] = a
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return alerts, nil
}

func newAlarm(asset Asset, t LiquidityThresholds) (*alarm, error) {
	var errs []error
	subject := fmt.Sprintf("liquidity thresholds of %v", asset)
	read := func(field string, text Decimal) *big.Int {
		if text == "" {
			return nil
		}
		n, err := asset.Parse(string(text))
		if err != nil {
			errs = append(errs, &FieldError{Subject: subject, Field: field, Reason: "cannot be used: " + err.Error()})
		}
		return n.Big()
	}
	a := &alarm{lowLevel: read("Low", t.Low), highLevel: read("High", t.High), margin: read("Margin", t.Margin)}
	if a.margin == nil {
		a.margin = new(big.Int)
	}
	if a.lowLevel != nil && a.highLevel != nil && a.lowLevel.Cmp(a.highLevel) >= 0 {
		errs = append(errs, &FieldError{Subject: subject, Field: "Low", Reason: "must be below High"})
	}
	return a, errors.Join(errs...)
}

// Check reads the positions once, in one request, and returns the crossings since the last
// Check: each threshold once until it is cleared. The error is as for [Book.OwnPositions]; no
// crossing is lost by it.
func (l *LiquidityAlerts) Check(ctx context.Context) ([]LiquidityAlert, error) {
	positions, err := l.book.OwnPositions(ctx)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var alerts []LiquidityAlert
	for _, p := range positions {
		a := l.alarms[p.Asset.Ledger]
		if a == nil {
			continue
		}
		for _, kind := range a.observe(p.Liquidity) {
			alerts = append(alerts, LiquidityAlert{Event: kind, Threshold: a.threshold(kind), Position: p})
		}
	}
	return alerts, nil
}

// Run checks once a [Config.SuspensionPollInterval] until ctx ends, and passes the alerts to
// alert. A failed check is passed to failed, and made again after the interval. Either function
// may be nil. Run returns the cause of ctx.
func (l *LiquidityAlerts) Run(ctx context.Context, alert func(LiquidityAlert), failed func(error)) error {
	ticker := time.NewTicker(l.interval)
	defer ticker.Stop()
	for {
		alerts, err := l.Check(ctx)
		if err != nil && ctx.Err() == nil && failed != nil {
			failed(err)
		}
		for _, a := range alerts {
			if alert != nil {
				alert(a)
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// observe takes in a new position, and returns the crossings.
func (a *alarm) observe(position *big.Int) []ThresholdEvent {
	var events []ThresholdEvent
	if a.lowLevel != nil {
		switch a.low.Fall(position, a.lowLevel, a.margin) {
		case hysteresis.Reached:
			events = append(events, LowReached)
		case hysteresis.Cleared:
			events = append(events, LowCleared)
		case hysteresis.Unchanged:
		}
	}
	if a.highLevel != nil {
		switch a.high.Rise(position, a.highLevel, a.margin) {
		case hysteresis.Reached:
			events = append(events, HighReached)
		case hysteresis.Cleared:
			events = append(events, HighCleared)
		case hysteresis.Unchanged:
		}
	}
	return events
}

// threshold returns the threshold of an event.
func (a *alarm) threshold(kind ThresholdEvent) ledger.Amount {
	level := a.highLevel
	if kind == LowReached || kind == LowCleared {
		level = a.lowLevel
	}
	amount, _ := ledger.ParseAmount(level.String()) // the level comes from an Amount
	return amount
}
