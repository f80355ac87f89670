package main

import (
	"errors"
	"math/big"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
)

// trialRow is the sum of the accounts of one kind. Amounts are in whole units of the asset.
type trialRow struct {
	Asset          string `json:"asset"`
	Kind           string `json:"kind"` // as in accounts.TrialLine, or "total"
	Accounts       int    `json:"accounts"`
	DebitsPosted   string `json:"debits_posted"`
	CreditsPosted  string `json:"credits_posted"`
	DebitsPending  string `json:"debits_pending"`
	CreditsPending string `json:"credits_pending"`
}

func (a *app) newTrialBalanceCommand() *cobra.Command {
	var asset string
	cmd := &cobra.Command{
		Use:   "trial-balance",
		Short: "Add up all accounts and check that debits equal credits",
		Long: `Add up all accounts that the ledger has in each asset, by kind. The exit status is 5 if posted
or pending debits differ from credits. The sums belong to one moment, also while connectors
write; the command fails if too many accounts change all the time. Accounts of other namespaces
and programs under the asset's ledger number are listed as "other".

Connectors that record in rounds have a transit account: its pending credits are what they have
reserved of peers' headroom, and its debits and credits are equal. If they differ, the exit
status is 5 too: an amount has left a peer and reached nobody.`,
		Example: "  peerledger trial-balance\n  peerledger trial-balance --asset USD --json",
		Args:    exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withSession(cmd.Context(), func(s *session) error { return s.trialBalance(cmd, asset) })
		},
	}
	a.addListFlags(cmd)
	cmd.Flags().StringVar(&asset, "asset", "", "in this `asset` alone, as in USD or USD/9")
	return cmd
}

// trialBalance prints the trial balance of each asset, and fails if one does not balance.
func (s *session) trialBalance(cmd *cobra.Command, asset string) error {
	assets, err := s.selectAssets(asset)
	if err != nil {
		return err
	}
	var rows []trialRow
	var unbalanced error
	for _, a := range assets {
		balance, err := s.book.TrialBalance(cmd.Context(), a)
		switch {
		case errors.Is(err, accounts.ErrUnbalanced), errors.Is(err, accounts.ErrTransit):
			unbalanced = errors.Join(unbalanced, err)
		case err != nil:
			return err
		}
		for i := range balance.Lines {
			rows = append(rows, newTrialRow(a, balance.Lines[i].AccountKind, &balance.Lines[i].Sums))
		}
		rows = append(rows, newTrialRow(a, "total", &balance.Total))
	}
	if err := printRows(s.app, rows, trialColumns...); err != nil || unbalanced == nil {
		return err
	}
	s.printError(unbalanced, statusFound)
	return errFound
}

// newTrialRow returns the row of a sum.
func newTrialRow(a accounts.Asset, kind string, s *accounts.Sums) trialRow {
	format := func(units *big.Int) string { return formatSigned(a, units) }
	return trialRow{
		Asset: a.String(), Kind: kind, Accounts: s.Accounts,
		DebitsPosted: format(&s.DebitsPosted), CreditsPosted: format(&s.CreditsPosted),
		DebitsPending: format(&s.DebitsPending), CreditsPending: format(&s.CreditsPending),
	}
}

var trialColumns = []column[trialRow]{
	{title: "asset", cell: func(r trialRow) string { return r.Asset }},
	{title: "accounts of", field: "kind", names: true, cell: func(r trialRow) string { return r.Kind }},
	{title: "number", field: "accounts", cell: func(r trialRow) string { return strconv.Itoa(r.Accounts) }, right: true},
	{title: "debits", field: "debits_posted", cell: func(r trialRow) string { return r.DebitsPosted }, right: true},
	{title: "credits", field: "credits_posted", cell: func(r trialRow) string { return r.CreditsPosted }, right: true},
	{title: "pending debits", field: "debits_pending", cell: func(r trialRow) string { return r.DebitsPending }, right: true},
	{title: "pending credits", field: "credits_pending", cell: func(r trialRow) string { return r.CreditsPending }, right: true},
}
