package main

import (
	"context"
	"fmt"
	"math/big"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// balanceSummary is a peer's balance as a preview shows it. Amounts are in whole units.
type balanceSummary struct {
	Position string `json:"position"` // positive: we owe the peer
	Prepaid  string `json:"prepaid"`
	// PrepaidAtMost marks Prepaid as an upper bound.
	PrepaidAtMost bool   `json:"prepaid_at_most,omitempty"`
	Arrears       string `json:"arrears"`
	// Due is the amount of the next order by settle_at and settle_to of the configuration; ""
	// without them.
	Due string `json:"due,omitempty"`
}

// summarizeBalance returns the summary of a balance.
func (s *session) summarizeBalance(b accounts.Balance) (*balanceSummary, error) {
	due, err := s.formatDue(b)
	return &balanceSummary{
		Position: formatSigned(b.Asset, b.Position()), Prepaid: b.Asset.Format(b.Prepaid), PrepaidAtMost: b.PrepaidAtMost,
		Arrears: b.Asset.Format(b.Arrears), Due: due,
	}, err
}

// formatDue returns the amount of the next order to a peer, by settle_at and settle_to of the
// configuration; "" without them.
func (s *session) formatDue(b accounts.Balance) (string, error) {
	entry, ok := s.findConfigured(b.Account)
	if !ok {
		return "", nil
	}
	policy, err := entry.parsePolicy(b.Asset)
	if err != nil || policy == nil {
		return "", err
	}
	var due ledger.Amount
	if b.Settling.IsZero() && !b.Closed {
		due = policy.Due(settlement.PolicyInput{Balance: b}).Amount.Min(computeSpendable(b))
	}
	return b.Asset.Format(due), nil
}

func (s *balanceSummary) String() string {
	text := fmt.Sprintf("position %s, prepaid %s, arrears %s", s.Position, markUpperBound(s.Prepaid, s.PrepaidAtMost), s.Arrears)
	if s.Due != "" {
		text += ", due " + s.Due
	}
	return text
}

// markUpperBound prefixes an upper bound with "at most".
func markUpperBound(amount string, upperBound bool) string {
	if upperBound {
		return "at most " + amount
	}
	return amount
}

// computeSpendable returns how much a peer's account can be charged beyond its arrears.
func computeSpendable(b accounts.Balance) ledger.Amount { return b.Headroom.SubFloor(b.Arrears) }

// effectFunc describes the effect of a change of this amount on a balance, provided that nothing
// else changes the balance before.
type effectFunc func(b accounts.Balance, amount ledger.Amount) string

// describePaidIn is the effect of a payment by the peer, or of a credit.
func describePaidIn(b accounts.Balance, amount ledger.Amount) string {
	owes := ledger.ClampAmount(new(big.Int).Neg(b.Net()))
	pays := amount.Min(owes)
	return fmt.Sprintf("Of the amount, %s pays the peer's debt, and %s is prepaid.", b.Asset.Format(pays), b.Asset.Format(amount.SubFloor(pays)))
}

// describeReceived is the effect of a received payment. For a closed account the payment goes to
// suspense.
func describeReceived(b accounts.Balance, amount ledger.Amount) string {
	if b.Closed {
		return "The peer's account is closed: the payment waits in our suspense account (peerledger settle release)."
	}
	return describePaidIn(b, amount)
}

// describeCharge is the effect of a charge that may exceed the account's headroom.
func describeCharge(b accounts.Balance, amount ledger.Amount) string {
	if b.Closed {
		return "The peer's account is closed: all of it is arrears."
	}
	charged := amount.Min(computeSpendable(b))
	if charged == amount {
		return "The peer's account covers the amount."
	}
	return fmt.Sprintf("Of the amount, %s is charged to the peer's account, and %s is arrears until the account has headroom.",
		b.Asset.Format(charged), b.Asset.Format(amount.SubFloor(charged)))
}

// describeCoveredCharge is the effect of a charge that is refused beyond the account's headroom,
// unless beyond is set.
func describeCoveredCharge(beyond *bool) effectFunc {
	return func(b accounts.Balance, amount ledger.Amount) string {
		if *beyond || !b.Closed && !computeSpendable(b).Less(amount) {
			return describeCharge(b, amount)
		}
		return "It will be refused: " + explainRefusedCharge(b)
	}
}

// explainRefusedCharge returns why a charge is refused, and the remedy.
func explainRefusedCharge(b accounts.Balance) string {
	if b.Closed {
		return "the peer's account is closed. With --beyond-headroom all of it is arrears."
	}
	return fmt.Sprintf("the peer's account covers %s %s. With --beyond-headroom the rest is arrears.", b.Asset.Format(computeSpendable(b)), b.Asset.Code)
}

// describeReturned is the effect of a returned payment.
func describeReturned(b accounts.Balance, amount ledger.Amount) string {
	if b.Closed {
		return "If the payment waits in suspense for this closed account, it leaves suspense; else all of it is arrears."
	}
	return describeCharge(b, amount)
}

// describeWriteOff is the effect of writing arrears off.
func describeWriteOff(b accounts.Balance, amount ledger.Amount) string {
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

// addPreview completes a change with the peer's balance and the effect. It returns the balance.
func (s *session) addPreview(ctx context.Context, c *change, account accounts.PeerAccount, amount ledger.Amount, describe effectFunc) (accounts.Balance, error) {
	b, err := s.book.Balance(ctx, account)
	if err != nil {
		return b, err
	}
	c.Effect = describe(b, amount)
	c.Now, err = s.summarizeBalance(b)
	return b, err
}
