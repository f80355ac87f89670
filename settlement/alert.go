package settlement

import (
	"fmt"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/hysteresis"
	"github.com/peerledger/peerledger/ledger"
)

// PositionThresholds are positions of a peer that somebody wants to hear of, in units. 0 is none.
type PositionThresholds struct {
	// High alerts when what we owe the peer reaches it, which a settlement should have
	// kept from happening: a rail does not pay.
	High ledger.Amount
	// Low alerts when what the peer owes us reaches it: the peer does not pay, and is
	// soon refused.
	Low ledger.Amount
	// Margin is how far the position must be past a mark again before that mark can
	// alert once more, so that a position that goes up and down around a mark alerts
	// once, and not for every packet. Default 0.
	Margin ledger.Amount
}

func (m PositionThresholds) validate() error {
	if m.Margin.IsZero() || !m.High.IsZero() || !m.Low.IsZero() {
		return nil
	}
	return &accounts.FieldError{Subject: "marks", Field: "Margin", Reason: "needs High or Low"}
}

// PositionAlert is one passing of a mark. What was told is remembered in memory: a new Engine
// tells again of a mark that is still passed.
type PositionAlert struct {
	Kind      accounts.ThresholdEvent
	Threshold ledger.Amount    // High or Low, in units
	Balance   accounts.Balance // as it was seen
}

// String is the alert as in "high reached: alice on ledger 1 is at 12.00 USD, the mark is 10.00 USD".
func (a PositionAlert) String() string {
	asset := a.Balance.Asset
	position := a.Balance.Decimal().Position.StringFixed(int32(asset.Scale))
	return fmt.Sprintf("%v: %v is at %s %s, the mark is %s", a.Kind, a.Balance.Account, position, asset.Code, asset.Text(a.Threshold))
}

// passed are the thresholds of an account.
type passed struct{ high, low hysteresis.Threshold }

// see takes a new balance in, and returns the crossings.
func (p *passed) see(m PositionThresholds, b accounts.Balance) (alerts []PositionAlert) {
	pass := func(t *hysteresis.Threshold, owed, threshold ledger.Amount, reached, cleared accounts.ThresholdEvent) {
		if threshold.IsZero() {
			return
		}
		switch t.Rise(owed.Big(), threshold.Big(), m.Margin.Big()) {
		case hysteresis.Reached:
			alerts = append(alerts, PositionAlert{reached, threshold, b})
		case hysteresis.Cleared:
			alerts = append(alerts, PositionAlert{cleared, threshold, b})
		case hysteresis.Unchanged:
		}
	}
	pass(&p.high, b.Payable, m.High, accounts.HighReached, accounts.HighCleared)
	pass(&p.low, b.Receivable, m.Low, accounts.LowReached, accounts.LowCleared)
	return alerts
}
