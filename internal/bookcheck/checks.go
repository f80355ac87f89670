package bookcheck

import (
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/shopspring/decimal"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// newFinding returns a finding; without a fault it has no text.
func newFinding(status Status, check, format string, values ...any) Finding {
	if status == OK {
		return Finding{Check: check}
	}
	return Finding{status, check, fmt.Sprintf(format, values...)}
}

// CheckLine judges the used part of a peer's credit line. A suspended or closed peer needs no line.
func CheckLine(asset accounts.Asset, name string, b *accounts.Balance, t Thresholds) Finding {
	if b.Suspended || b.Closed {
		return Finding{Check: CreditLine}
	}
	used := ComputeUsed(b)
	return newFinding(gradeValue(used, t.Line), CreditLine, "%s has used %d%% of its line in %v", name, used, asset)
}

// MaxPercent is the largest percentage that is told.
const MaxPercent = 999

// ComputeUsed returns the used part of a peer's credit line, in percent rounded down, at most 999: by debt, and by
// holds of packets and reservations; with arrears more than 100. A peer without a line has used 0.
func ComputeUsed(b *accounts.Balance) int {
	if b.CreditLine.IsZero() {
		return 0
	}
	return ComputePercent(TakenOfLine(b), b.CreditLine)
}

// TakenOfLine returns the units of a peer's line that packets cannot use any more; more than the line with arrears.
// What the peer owes takes of the line, and so do holds from it and orders to it beyond what we owe the peer: its own
// money pays them first. The headroom has all that; what it has beyond the line is the peer's money. Arrears await
// the headroom.
func TakenOfLine(b *accounts.Balance) *big.Int {
	taken := new(big.Int).Add(b.CreditLine.Big(), b.Arrears.Big())
	if taken.Sub(taken, b.Headroom.Big()); taken.Sign() < 0 {
		taken.SetUint64(0)
	}
	return taken
}

// ComputePercent returns a part in percent of a whole that is not 0, rounded down, at most [MaxPercent].
func ComputePercent(part *big.Int, whole ledger.Amount) int {
	percent := new(big.Int).Mul(part, big.NewInt(100))
	if percent.Quo(percent, whole.Big()); !percent.IsInt64() || percent.Int64() > MaxPercent {
		return MaxPercent
	}
	return int(percent.Int64())
}

// CheckArrears warns of a peer in arrears.
func CheckArrears(asset accounts.Asset, name string, b *accounts.Balance) Finding {
	return warnOf(!b.Arrears.IsZero(), Arrears, "%s is in arrears with %s", name, asset.Text(b.Arrears))
}

// CheckSuspense warns of money that waits in suspense for a peer ([accounts.Book.WaitingInSuspense]).
func CheckSuspense(asset accounts.Asset, name string, waiting ledger.Amount) Finding {
	return warnOf(!waiting.IsZero(), Suspense, "%s waits in suspense for %s", asset.Text(waiting), name)
}

// CheckConfigured warns of a configured peer that is not complete in the ledger.
func CheckConfigured(asset accounts.Asset, name string, isComplete bool) Finding {
	return warnOf(!isComplete, Peers, "%s in %v is configured, and not in the ledger", name, asset)
}

// CheckLiquidity judges our liquidity in an asset: by levels, at or below which it is reported, and below 0, where we are
// short of the asset. A nil level is none.
func CheckLiquidity(p *accounts.AssetPosition, warning, critical *big.Int) Finding {
	asset := p.Asset
	amount := decimal.NewFromBigInt(p.Liquidity, -int32(asset.Scale)).StringFixed(int32(asset.Scale))
	isAt := func(level *big.Int) bool { return level != nil && p.Liquidity.Cmp(level) <= 0 }
	switch {
	case isAt(critical):
		return newFinding(Critical, Liquidity, "our liquidity is %s %s", amount, asset.Code)
	case isAt(warning) && p.Liquidity.Sign() >= 0:
		return newFinding(Warning, Liquidity, "our liquidity is %s %s", amount, asset.Code)
	default:
		return warnOf(p.Liquidity.Sign() < 0, Liquidity, "we are short of %v: the liquidity is %s", asset, amount)
	}
}

// CheckOrder judges the age of an open order.
func CheckOrder(o *settlement.OpenOrder, now time.Time, t Thresholds) Finding {
	age := o.Age(now)
	return newFinding(gradeValue(age, t.Stuck), Orders, "order %v of %s to %s is open for %v", o.ID, o.Asset.Text(o.Amount), o.Account.Peer(), age.Round(time.Second))
}

// CheckTrial judges the error of a trial balance ([accounts.Book.TrialBalance]). Books that move too fast to be added
// up are unknown, and not wrong. Any other error is no verdict, and is returned.
func CheckTrial(err error) (Finding, error) {
	switch {
	case err == nil:
		return Finding{Check: TrialBalance}, nil
	case errors.Is(err, accounts.ErrUnbalanced), errors.Is(err, accounts.ErrTransit):
		return Finding{Critical, TrialBalance, err.Error()}, nil
	case errors.Is(err, accounts.ErrMoving):
		return Finding{Unknown, TrialBalance, err.Error()}, nil
	default:
		return Finding{Check: TrialBalance}, err
	}
}

// warnOf returns a warning if there is a fault.
func warnOf(isFault bool, check, format string, values ...any) Finding {
	if !isFault {
		return Finding{Check: check}
	}
	return newFinding(Warning, check, format, values...)
}
