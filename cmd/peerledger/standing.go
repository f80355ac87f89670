package main

import (
	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/effects"
)

// standingRow says since when a peer is suspended, closed or in arrears. Times are as in RFC 3339, and "" if it is not.
type standingRow struct {
	Peer           string `json:"peer"`
	Asset          string `json:"asset"`
	SuspendedSince string `json:"suspended_since,omitempty"`
	ClosedSince    string `json:"closed_since,omitempty"`
	Reason         uint32 `json:"reason,omitempty"`      // the number given with --reason
	ReasonName     string `json:"reason_name,omitempty"` // by the configuration
	ArrearsSince   string `json:"arrears_since,omitempty"`
	Arrears        string `json:"arrears"` // in whole units of the asset
}

func (a *app) newStandingCommand(asset *string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "standing [peer...]",
		Short: "Show which peers are suspended, closed or in arrears, and since when",
		Long: `Show those of these peers, or of all configured peers, that are suspended, closed or in arrears:
since when, by the ledger's clock, and the number that was given with --reason when the peer was
suspended or closed. The ledger keeps no text and no person. A closed peer is suspended too. Arrears
are since the booking after which they have always been above 0; peerledger statement shows it.`,
		Example: "  peerledger peers standing\n  peerledger peers standing alice@USD --json",
		Args:    rangeArgs(0, -1),
		RunE: func(cmd *cobra.Command, names []string) error {
			return a.withSession(cmd.Context(), func(s *session) error {
				list, err := s.parseAccounts(cmd.Context(), names, *asset)
				if err != nil {
					return err
				}
				standings, err := s.book.Standings(cmd.Context(), list...)
				if err != nil {
					return err
				}
				return showStandings(s, standings)
			})
		},
	}
	a.addListFlags(cmd)
	return cmd
}

// showStandings prints the standings of peers that are suspended, closed or in arrears.
func showStandings(s *session, standings []accounts.Standing) error {
	rows := []standingRow{}
	for _, st := range standings {
		b := st.Balance
		if !b.Suspended && !b.Closed && b.Arrears.IsZero() {
			continue
		}
		rows = append(rows, standingRow{
			Peer: b.Account.Peer(), Asset: b.Asset.String(), SuspendedSince: formatExactTime(st.SuspendedSince), ClosedSince: formatExactTime(st.ClosedSince),
			Reason: st.ReasonCode, ReasonName: s.cfg.nameReason(st.ReasonCode), ArrearsSince: formatExactTime(st.ArrearsSince), Arrears: b.Asset.Format(b.Arrears),
		})
	}
	s.list.whenEmpty = "No peer is suspended, closed or in arrears."
	return printRows(s.app, rows,
		column[standingRow]{title: "peer", cell: func(r standingRow) string { return r.Peer }},
		column[standingRow]{title: "asset", cell: func(r standingRow) string { return r.Asset }},
		column[standingRow]{title: "suspended since", isTime: true, cell: func(r standingRow) string { return cutSeconds(r.SuspendedSince) }, value: func(r standingRow) string { return r.SuspendedSince }},
		column[standingRow]{title: "closed since", isTime: true, cell: func(r standingRow) string { return cutSeconds(r.ClosedSince) }, value: func(r standingRow) string { return r.ClosedSince }},
		column[standingRow]{title: "reason", cell: func(r standingRow) string { return effects.DescribeReason(r.Reason, r.ReasonName) }},
		column[standingRow]{title: "arrears since", isTime: true, cell: func(r standingRow) string { return cutSeconds(r.ArrearsSince) }, value: func(r standingRow) string { return r.ArrearsSince }},
		column[standingRow]{title: "arrears", cell: func(r standingRow) string { return r.Arrears }, right: true},
	)
}
