package main

import (
	"context"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/effects"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// summarizeBalance returns the summary of a balance.
func (s *session) summarizeBalance(b accounts.Balance) (*effects.Summary, error) {
	due, err := s.formatDue(b)
	return effects.Summarize(b, due), err
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
		due = policy.Due(settlement.PolicyInput{Balance: b}).Amount.Min(effects.ComputeSpendable(b))
	}
	return b.Asset.Format(due), nil
}

// addPreview completes a change with the peer's balance and the effect. It returns the balance.
func (s *session) addPreview(ctx context.Context, c *change, account accounts.PeerAccount, amount ledger.Amount, describe effects.Description) (accounts.Balance, error) {
	b, err := s.book.Balance(ctx, account)
	if err != nil {
		return b, err
	}
	c.Effect = describe(b, amount)
	c.Now, err = s.summarizeBalance(b)
	return b, err
}
