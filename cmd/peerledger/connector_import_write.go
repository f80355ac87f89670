package main

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/effects"
	"github.com/peerledger/peerledger/ledger"
)

// writeImport makes an import: peer by peer, then the liquidity of the assets, which need their accounts. Each step may be
// repeated, so an interrupted import is completed by the same command.
func (s *session) writeImport(ctx context.Context, plan *importPlan, reason uint32) error {
	for _, p := range plan.peers {
		if p.state == importDone {
			continue
		}
		c := change{Action: "import a peer", Peer: p.ID, Asset: p.asset.String(), Amount: formatSigned(p.asset, p.Position), After: p.entry.CreditLine, Key: p.key}
		c.setReason(s.cfg, reason)
		if err := s.recordAct(&c, func(c *change) error { return s.writePeer(ctx, c, p, reason) }); err != nil {
			return explainImport(fmt.Errorf("import %s in %v: %w", p.ID, p.asset, err))
		}
		p.state = importWritten
	}
	for _, a := range plan.assets {
		if a.state == importDone {
			continue
		}
		amount := ledger.ClampAmount(a.Liquidity)
		c := change{Action: effects.Fund.Action, Asset: a.asset.String(), Amount: a.asset.Format(amount), Key: a.key}
		c.setReason(s.cfg, reason)
		err := s.recordAct(&c, func(c *change) error {
			if _, err := s.book.Provision(ctx); err != nil { // an asset without peers
				return err
			}
			booking, err := s.book.Fund(ctx, accounts.Capital{Asset: a.asset, Key: a.key, Amount: amount, ReasonCode: reason})
			c.Already, c.Transfer = booking.AlreadyBooked, booking.Transfer.String()
			return err
		})
		if err != nil {
			return explainImport(fmt.Errorf("import the liquidity of %v: %w", a.asset, err))
		}
		a.state = importWritten
	}
	return nil
}

// explainImport adds the next step to a lost answer.
func explainImport(err error) error {
	if errors.Is(err, ledger.ErrOutcomeUnknown) {
		return &unknownError{err, effects.RepeatHint}
	}
	return err
}

// writePeer provisions a peer, lists the peer in the configuration, books its position, and reads the result back.
func (s *session) writePeer(ctx context.Context, c *change, p *plannedPeer, reason uint32) error {
	peer, err := p.entry.parsePeer(p.asset)
	if err != nil {
		return err
	}
	if _, err := s.book.Provision(ctx, peer); err != nil {
		return err
	}
	if !p.listed {
		if err := addPeerToFile(s.cfg, p.entry); err != nil {
			return fmt.Errorf("the peer is provisioned and not listed in %s; repeat the command when the file can be written: %w", s.cfg.fileName(), err)
		}
	}
	if p.Position.Sign() != 0 {
		booking, err := s.book.Adjust(ctx, p.makeAdjustment(reason))
		if err != nil {
			return err
		}
		c.Already, c.Transfer = booking.AlreadyBooked, booking.Transfer.String()
	}
	return s.checkImported(ctx, p)
}

// makeAdjustment returns the booking of a position. What a peer owes beyond its line becomes arrears.
func (p *plannedPeer) makeAdjustment(reason uint32) accounts.Adjustment {
	a := accounts.Adjustment{Account: p.account, Key: p.key, ReasonCode: reason}
	if p.Position.Sign() > 0 {
		a.Credit = ledger.ClampAmount(p.Position)
		return a
	}
	a.Debit, a.BeyondHeadroom = ledger.ClampAmount(new(big.Int).Abs(p.Position)), true
	return a
}

// checkImported compares the ledger with the plan.
func (s *session) checkImported(ctx context.Context, p *plannedPeer) error {
	b, err := s.book.Balance(ctx, p.account)
	switch {
	case err != nil:
		return err
	case b.Position().Cmp(p.Position) != 0, b.CreditLine != p.line():
		return fmt.Errorf("the ledger has position %s and credit line %s, and the plan %s and %s: another program has changed the peer meanwhile",
			formatSigned(p.asset, b.Position()), formatLine(p.asset, b.CreditLine), formatSigned(p.asset, p.Position), formatLine(p.asset, p.line()))
	default:
		return nil
	}
}
