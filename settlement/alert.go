package settlement

import (
	"fmt"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/hysteresis"
	"github.com/peerledger/peerledger/ledger"
)

// PositionThresholds are positions of a peer that [Events.PositionAlert] reports, in units. 0 is no
// threshold.
type PositionThresholds struct {
	// High alerts when the amount we owe the peer reaches High. A settlement should have prevented
	// that: a rail does not pay.
	High ledger.Amount
	// Low alerts when the amount the peer owes us reaches Low: the peer does not pay, and its packets
	// are soon refused.
	Low ledger.Amount
	// Margin is how far the position must fall below a threshold before the threshold can alert
	// again, so that a position going up and down around a threshold alerts once, and not for every
	// packet. Default 0.
	Margin ledger.Amount
}

func (p PositionThresholds) checkMargin() error {
	if p.Margin.IsZero() || !p.High.IsZero() || !p.Low.IsZero() {
		return nil
	}
	return &accounts.FieldError{Subject: "position thresholds", Field: "Margin", Reason: "needs High or Low"}
}

// PositionAlert is one crossing of a threshold. Reported crossings are kept in memory: a new Engine
// reports a threshold again if the position is still beyond it.
type PositionAlert struct {
	Event     accounts.ThresholdEvent
	Threshold ledger.Amount    // High or Low, in units
	Balance   accounts.Balance // at the crossing
}

// String formats the alert, as in "high reached: alice on ledger 1 is at 12.00 USD, the threshold is 10.00 USD".
func (a PositionAlert) String() string {
	asset := a.Balance.Asset
	position := a.Balance.Decimal().Position.StringFixed(int32(asset.Scale))
	return fmt.Sprintf("%v: %v is at %s %s, the threshold is %s", a.Event, a.Balance.Account, position, asset.Code, asset.Text(a.Threshold))
}

// crossedThresholds hold the state of an account's thresholds.
type crossedThresholds struct{ high, low hysteresis.Threshold }

// updateCrossed updates the crossed thresholds by a new balance, and returns the crossings.
func (c *crossedThresholds) updateCrossed(p PositionThresholds, b accounts.Balance) (alerts []PositionAlert) {
	update := func(t *hysteresis.Threshold, owed, threshold ledger.Amount, reached, cleared accounts.ThresholdEvent) {
		if threshold.IsZero() {
			return
		}
		switch t.Rise(owed.Big(), threshold.Big(), p.Margin.Big()) {
		case hysteresis.Reached:
			alerts = append(alerts, PositionAlert{reached, threshold, b})
		case hysteresis.Cleared:
			alerts = append(alerts, PositionAlert{cleared, threshold, b})
		case hysteresis.Unchanged:
		}
	}
	update(&c.high, b.Payable, p.High, accounts.HighReached, accounts.HighCleared)
	update(&c.low, b.Receivable, p.Low, accounts.LowReached, accounts.LowCleared)
	return alerts
}
