package effects

import (
	"fmt"
	"math/big"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// MarkUpperBound prefixes an upper bound with "at most".
func MarkUpperBound(amount string, upperBound bool) string {
	if upperBound {
		return "at most " + amount
	}
	return amount
}

// ComputeSpendable returns how much a peer's account can be charged beyond its arrears.
func ComputeSpendable(b accounts.Balance) ledger.Amount { return b.Headroom.SubFloor(b.Arrears) }

// Description describes the effect of a change of this amount on a balance, provided that nothing
// else changes the balance before.
type Description func(b accounts.Balance, amount ledger.Amount) string

// DescribePaidIn is the effect of a payment by the peer, or of a credit.
func DescribePaidIn(b accounts.Balance, amount ledger.Amount) string {
	owes := ledger.ClampAmount(new(big.Int).Neg(b.Net()))
	pays := amount.Min(owes)
	return fmt.Sprintf("Of the amount, %s pays the peer's debt, and %s is prepaid. %s",
		b.Asset.Format(pays), b.Asset.Format(amount.SubFloor(pays)), describePosition(b, amount.Big()))
}

// describePosition tells the position after a change by this many units; above 0 we owe the peer more.
func describePosition(b accounts.Balance, change *big.Int) string {
	return fmt.Sprintf("The position becomes %s.", FormatSigned(b.Asset, change.Add(change, b.Position())))
}

// DescribeReceived is the effect of a received payment. For a closed account the payment goes to
// suspense.
func DescribeReceived(b accounts.Balance, amount ledger.Amount) string {
	if b.Closed {
		return "The peer's account is closed: the payment waits in our suspense account (peerledger settle release)."
	}
	return DescribePaidIn(b, amount)
}

// DescribeCharge is the effect of a charge that may exceed the account's headroom.
func DescribeCharge(b accounts.Balance, amount ledger.Amount) string {
	if b.Closed {
		return "The peer's account is closed: all of it is arrears."
	}
	becomes := describePosition(b, new(big.Int).Neg(amount.Big()))
	charged := amount.Min(ComputeSpendable(b))
	if charged == amount {
		return "The peer's account covers the amount. " + becomes
	}
	return fmt.Sprintf("Of the amount, %s is charged to the peer's account, and %s is arrears until the account has headroom. %s",
		b.Asset.Format(charged), b.Asset.Format(amount.SubFloor(charged)), becomes)
}

// DescribeCoveredCharge is the effect of a charge that is refused beyond the account's headroom,
// unless beyond is set.
func DescribeCoveredCharge(beyond *bool) Description {
	return func(b accounts.Balance, amount ledger.Amount) string {
		if *beyond || !b.Closed && !ComputeSpendable(b).Less(amount) {
			return DescribeCharge(b, amount)
		}
		return "It will be refused: " + explainRefusedCharge(b)
	}
}

// explainRefusedCharge returns why a charge is refused, and the remedy.
func explainRefusedCharge(b accounts.Balance) string {
	if b.Closed {
		return "the peer's account is closed. With --beyond-headroom all of it is arrears."
	}
	return fmt.Sprintf("the peer's account covers %s %s. With --beyond-headroom the rest is arrears.", b.Asset.Format(ComputeSpendable(b)), b.Asset.Code)
}

// DescribeReturned is the effect of a returned payment.
func DescribeReturned(b accounts.Balance, amount ledger.Amount) string {
	if b.Closed {
		return "If the payment waits in suspense for this closed account, it leaves suspense; else all of it is arrears."
	}
	return DescribeCharge(b, amount)
}

// DescribeWriteOff is the effect of writing arrears off.
func DescribeWriteOff(b accounts.Balance, amount ledger.Amount) string {
	var collected ledger.Amount
	if !b.Closed {
		collected = b.Arrears.Min(b.Headroom)
	}
	uncollected := b.Arrears.SubFloor(collected)
	if uncollected.IsZero() {
		return "It will be refused: the peer has no arrears that its account cannot pay."
	}
	return fmt.Sprintf("Of its arrears, %s is collected first, and %s is given up.", b.Asset.Format(collected), b.Asset.Format(amount.Min(uncollected)))
}
