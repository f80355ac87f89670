package console

import (
	"math/big"
	"time"
)

// sentSum is the sum that peers of an asset have sent by packets, at a look.
type sentSum struct {
	units big.Int
	at    time.Time
}

// rate is what peers sent by packets between two looks.
type rate struct {
	perSecond *big.Int // hundredths of a unit a second, rounded down; nil is unknown
	over      time.Duration
}

// noteRates computes the rates of a look from the sums of the look before, and keeps its sums. The first look has no
// rates. A sum that fell, since a peer's accounts are incomplete for a time, gives none.
func (l *looker) noteRates(k *look) {
	sums := make(map[uint32]sentSum, len(k.totals))
	for i := range k.totals {
		t := &k.totals[i]
		if before, seen := l.sent[t.asset.Ledger]; seen {
			t.rate = computeRate(&before.units, &t.sent, k.at.Sub(before.at))
		}
		sums[t.asset.Ledger] = sentSum{units: t.sent, at: k.at}
	}
	l.sent = sums
}

// computeRate returns the rate of a sum that grew in a time.
func computeRate(before, now *big.Int, over time.Duration) rate {
	grown := new(big.Int).Sub(now, before)
	if over <= 0 || grown.Sign() < 0 {
		return rate{}
	}
	grown.Mul(grown, big.NewInt(100*int64(time.Second)))
	return rate{perSecond: grown.Quo(grown, big.NewInt(int64(over))), over: over}
}

// formatRate formats a rate in whole units a second; "" if it is unknown.
func (t *total) formatRate() string {
	if t.rate.perSecond == nil {
		return ""
	}
	finer := t.asset
	finer.Scale += 2 // hundredths of a unit
	return formatSigned(finer, t.rate.perSecond)
}
