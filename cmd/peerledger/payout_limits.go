package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// limitRow is a limit of payments, with what counts against its sum of a day. Amounts are in whole units of the
// asset; "" is no limit.
type limitRow struct {
	Scope        string `json:"scope"` // asset or peer
	Peer         string `json:"peer,omitempty"`
	Asset        string `json:"asset"`
	Order        string `json:"order,omitempty"`
	Day          string `json:"day,omitempty"`
	ApproveAbove string `json:"approve_above,omitempty"`
	Counts       string `json:"counts,omitempty"`    // paid in 24 hours, with open orders; "" without Day
	Remaining    string `json:"remaining,omitempty"` // of Day
}

func (a *app) newLimitsCommand() *cobra.Command {
	var asset string
	cmd := &cobra.Command{
		Use:   "limits [peer...]",
		Short: "Show the limits of payments, and what they leave today",
		Long: `Show the limits of payments in the configuration: of each asset, and of these peers, or of all
configured peers.

  order          the largest order
  day            the largest sum in any 24 hours
  approve above  the largest order that is paid without settle approve
  counts         what counts against day: payments of the last 24 hours, and open orders
  remaining      what day leaves

The sums are those of all connectors, from the ledger. The limits are those of this configuration
file: connectors have their own (settlement.Config), and the limits of packets (accounts.Limits) are
theirs alone.`,
		Example: "  peerledger limits\n  peerledger limits alice bob -o csv",
		Args:    rangeArgs(0, -1),
		RunE: func(cmd *cobra.Command, names []string) error {
			return a.withSession(cmd.Context(), func(s *session) error {
				list, err := s.parseAccounts(cmd.Context(), names, asset)
				if err != nil {
					return err
				}
				if _, err := s.book.Balances(cmd.Context(), list...); err != nil { // all of them are in the ledger
					return err
				}
				uses, err := s.readPayoutUses(cmd.Context(), list)
				if err != nil {
					return err
				}
				return showLimits(a, uses)
			})
		},
	}
	cmd.Flags().StringVar(&asset, "asset", "", "in this `asset` alone, as in USD or USD/9")
	a.addListFlags(cmd)
	return cmd
}

// readPayoutUses reads the limits of accounts, with an engine that has them and pays nothing.
func (s *session) readPayoutUses(ctx context.Context, list []accounts.PeerAccount) (uses []settlement.PayoutUse, err error) {
	limits, err := s.cfg.parseLimits()
	if err != nil {
		return nil, err
	}
	engine, err := settlement.NewEngine(s.ledger, s.book, settlement.Config{
		Manual: true, Instance: operatorInstance, NoTakeover: true, Rails: nameEngineRails(s.cfg),
		PeerPayoutLimits: limits.peers, AssetPayoutLimits: limits.assets,
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, engine.Close(ctx)) }()
	return engine.PayoutUses(ctx, list...)
}

// newLimitRow returns the row of a limit.
func newLimitRow(u settlement.PayoutUse) limitRow {
	format := func(amount ledger.Amount) string {
		if amount.IsZero() {
			return ""
		}
		return u.Asset.Format(amount)
	}
	row := limitRow{
		Scope: u.Scope.String(), Peer: u.Account.Peer(), Asset: u.Asset.String(),
		Order: format(u.MaxOrder), Day: format(u.MaxPerDay), ApproveAbove: format(u.ApproveAbove),
	}
	if row.Day != "" {
		row.Counts, row.Remaining = u.Asset.Format(u.Counts), u.Asset.Format(u.Remaining)
	}
	return row
}

// showLimits prints limits.
func showLimits(a *app, uses []settlement.PayoutUse) error {
	rows := make([]limitRow, len(uses))
	for i := range uses {
		rows[i] = newLimitRow(uses[i])
	}
	a.list.whenEmpty = "The configuration has no limits of payments."
	return printRows(a, rows,
		column[limitRow]{title: "scope", cell: func(r limitRow) string { return r.Scope }},
		column[limitRow]{title: "peer", cell: func(r limitRow) string { return r.Peer }, names: true},
		column[limitRow]{title: "asset", cell: func(r limitRow) string { return r.Asset }},
		column[limitRow]{title: "order", cell: func(r limitRow) string { return r.Order }, right: true},
		column[limitRow]{title: "day", cell: func(r limitRow) string { return r.Day }, right: true},
		column[limitRow]{title: "approve above", cell: func(r limitRow) string { return r.ApproveAbove }, right: true},
		column[limitRow]{title: "counts", cell: func(r limitRow) string { return r.Counts }, right: true},
		column[limitRow]{title: "remaining", cell: func(r limitRow) string { return r.Remaining }, right: true},
	)
}
