package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/effects"
)

// peerRow is a peer in the output. Amounts are in whole units of the asset.
type peerRow struct {
	Peer  string `json:"peer,omitempty"` // "" if the configuration does not list the peer
	Asset string `json:"asset"`
	// State is active, suspended, closed, incomplete (provisioning was interrupted) or missing (not
	// in the ledger).
	State    string `json:"state"`
	Position string `json:"position"` // positive: we owe the peer
	Arrears  string `json:"arrears"`  // the part of the debt that could not be charged to the account
	Prepaid  string `json:"prepaid"`
	// PrepaidAtMost marks Prepaid as an upper bound.
	PrepaidAtMost bool   `json:"prepaid_at_most,omitempty"`
	Due           string `json:"due,omitempty"` // the next order, by the threshold of the configuration
	HeldIn        string `json:"held_in"`       // by packets, and reserved for rounds
	HeldOut       string `json:"held_out"`
	Settling      string `json:"settling"`
	Announced     string `json:"announced"` // payments by the peer that are not final yet
	CreditLine    string `json:"credit_line"`
	Headroom      string `json:"headroom"`
	SettledOut    string `json:"settled_out"`
	SettledIn     string `json:"settled_in"`
	Opened        string `json:"opened,omitempty"`
	Account       string `json:"account"` // the id in the ledger
}

// newPeerRow returns the row of a balance; id is the account's id.
func newPeerRow(b accounts.Balance, id string) peerRow {
	a := b.Asset
	return peerRow{
		Peer: b.Account.Peer(), Asset: a.String(), State: effects.DescribeState(b),
		Position: formatSigned(a, b.Position()), Arrears: a.Format(b.Arrears), Prepaid: a.Format(b.Prepaid), PrepaidAtMost: b.PrepaidAtMost,
		HeldIn: a.Format(b.HeldIn), HeldOut: a.Format(b.HeldOut), Settling: a.Format(b.Settling), Announced: a.Format(b.Announced),
		CreditLine: formatLine(a, b.CreditLine), Headroom: a.Format(b.Headroom),
		SettledOut: a.Format(b.SettledOut), SettledIn: a.Format(b.SettledIn),
		Opened: formatTime(b.Opened), Account: id,
	}
}

// stateColour is the colour of a peer's state.
func stateColour(r peerRow) text.Colors {
	switch r.State {
	case "active":
		return text.Colors{text.FgGreen}
	case "suspended":
		return text.Colors{text.FgYellow}
	default:
		return text.Colors{text.FgRed}
	}
}

// positionColour is the colour of a position; a receivable differs from a payable.
func positionColour(r peerRow) text.Colors {
	if r.Position != "" && r.Position[0] == '-' {
		return text.Colors{text.FgCyan}
	}
	return nil
}

// arrearsColour marks arrears above 0.
func arrearsColour(r peerRow) text.Colors {
	if strings.Trim(r.Arrears, "0.") != "" {
		return text.Colors{text.FgRed}
	}
	return nil
}

var peerColumns = []column[peerRow]{
	{title: "peer", cell: func(r peerRow) string { return orDefault(r.Peer, "("+r.Account+")") }, value: func(r peerRow) string { return r.Peer }},
	{title: "asset", cell: func(r peerRow) string { return r.Asset }},
	{title: "state", cell: func(r peerRow) string { return r.State }, colour: stateColour},
	{title: "position", cell: func(r peerRow) string { return r.Position }, right: true, colour: positionColour},
	{title: "arrears", cell: func(r peerRow) string { return r.Arrears }, right: true, colour: arrearsColour},
	{title: "credit line", cell: func(r peerRow) string { return r.CreditLine }, right: true},
	{title: "headroom", cell: func(r peerRow) string { return r.Headroom }, right: true},
}

// widePeerColumns are the last columns of a wide table.
var widePeerColumns = []column[peerRow]{
	{title: "opened", isTime: true, cell: func(r peerRow) string { return r.Opened }, wide: true},
	{title: "account", cell: func(r peerRow) string { return r.Account }, wide: true},
	{title: "name", cell: peerRow.name, wide: true, names: true},
}

// name returns the peer as other commands take it; for a peer without a name, the id of its account.
func (r peerRow) name() string {
	if r.Peer == "" {
		return r.Account
	}
	return r.Peer + "@" + r.Asset
}

// formatFlag returns "yes", or "" for no.
func formatFlag(set bool) string {
	if set {
		return "yes"
	}
	return ""
}

// orDefault returns text, or otherwise if text is "".
func orDefault(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// ownRow is our own position in an asset.
type ownRow struct {
	Asset     string `json:"asset"`
	Liquidity string `json:"liquidity"`
	Free      string `json:"free"`
	Held      string `json:"held"`
	Revenue   string `json:"revenue"`
	Dust      string `json:"dust"`
	Suspense  string `json:"suspense"`
	Capital   string `json:"capital"`
}

func (a *app) newBalancesCommand() *cobra.Command {
	var asset string
	var own bool
	var conditions []string
	cmd := &cobra.Command{
		Use:   "balances [peer...]",
		Short: "Show the balances between us and peers",
		Long: `Show the balances between us and these peers, or all configured peers:

  position   positive: we owe the peer; negative: the peer owes us
  arrears    the part of the peer's debt that could not be charged to its account
  prepaid    the part of a positive position that the peer paid in and no packet has used
             ("at most" if the ledger keeps no history of the account)
  due        the next order by settle_at and settle_to
  held       the amounts that packets in flight will move, in and out; "in" has also what
             connectors reserve for their rounds (peerledger holds shows both apart)
  settling   the amount of the open order to the peer
  announced  payments by the peer that are not final yet and change no balance

With --own, show our own position in each asset. With --filter, show only some peers:

  near-line=80%  80% of the credit line are used, by debt and by what packets hold
  owing          the peer owes us
  in-arrears     the peer is in arrears
  suspended      the peer is suspended`,
		Example: "  peerledger balances\n  peerledger balances alice bob@USD --json\n  peerledger balances --own\n  peerledger balances --filter near-line=80% --sort headroom -o wide",
		Args:    rangeArgs(0, -1),
		RunE: func(cmd *cobra.Command, names []string) error {
			filters, err := parseFilters(conditions)
			if err == nil && own && len(filters) > 0 {
				err = fmt.Errorf("%w: --filter is for peers, and --own shows none", errUsage)
			}
			if err != nil {
				return err
			}
			return a.withSession(cmd.Context(), func(s *session) error {
				if own {
					return s.showOwnPositions(cmd, asset)
				}
				list, err := s.parseAccounts(cmd.Context(), names, asset)
				if err != nil {
					return err
				}
				balances, err := s.book.Balances(cmd.Context(), list...)
				if err != nil {
					return err
				}
				balances = slices.DeleteFunc(balances, func(b accounts.Balance) bool { return !filters.match(b) })
				rows := make([]peerRow, len(balances))
				for i, b := range balances {
					rows[i] = newPeerRow(b, b.Account.ID().String())
					if rows[i].Due, err = s.formatDue(b); err != nil {
						return err
					}
				}
				return printRows(a, rows, balanceColumns...)
			})
		},
	}
	a.addListFlags(cmd)
	addFilterFlag(cmd.Flags(), &conditions)
	cmd.Flags().StringVar(&asset, "asset", "", "in this `asset` alone, as in USD or USD/9")
	cmd.Flags().BoolVar(&own, "own", false, "show our own position in each asset")
	return cmd
}

var balanceColumns = append(append(peerColumns[:len(peerColumns):len(peerColumns)], []column[peerRow]{
	{title: "prepaid", cell: func(r peerRow) string { return effects.MarkUpperBound(r.Prepaid, r.PrepaidAtMost) }, value: func(r peerRow) string { return r.Prepaid }, right: true},
	{title: "due", cell: func(r peerRow) string { return r.Due }, right: true},
	{title: "held in", cell: func(r peerRow) string { return r.HeldIn }, right: true},
	{title: "held out", cell: func(r peerRow) string { return r.HeldOut }, right: true},
	{title: "settling", cell: func(r peerRow) string { return r.Settling }, right: true},
	{title: "announced", cell: func(r peerRow) string { return r.Announced }, right: true},
	{title: "settled out", cell: func(r peerRow) string { return r.SettledOut }, right: true},
	{title: "settled in", cell: func(r peerRow) string { return r.SettledIn }, right: true},
	{title: "prepaid at most", cell: func(r peerRow) string { return formatFlag(r.PrepaidAtMost) }, wide: true},
}...), widePeerColumns...)

// showOwnPositions prints our own position in each asset.
func (s *session) showOwnPositions(cmd *cobra.Command, asset string) error {
	positions, err := s.book.OwnPositions(cmd.Context())
	if err != nil {
		return err
	}
	var rows []ownRow
	for _, p := range positions {
		a := p.Asset
		if !matchesAsset(a, asset) {
			continue
		}
		rows = append(rows, ownRow{
			Asset: a.String(), Liquidity: formatSigned(a, p.Liquidity), Free: a.Format(p.Free), Held: a.Format(p.Held),
			Revenue: formatSigned(a, p.Revenue), Dust: formatSigned(a, p.Dust), Suspense: formatSigned(a, p.Suspense), Capital: formatSigned(a, p.Capital),
		})
	}
	if len(rows) == 0 {
		return fmt.Errorf("%w: there is no asset %q; there is %s", errUsage, asset, s.cfg.joinAssetNames())
	}
	return printRows(s.app, rows,
		column[ownRow]{title: "asset", cell: func(r ownRow) string { return r.Asset }},
		column[ownRow]{title: "liquidity", cell: func(r ownRow) string { return r.Liquidity }, right: true},
		column[ownRow]{title: "free", cell: func(r ownRow) string { return r.Free }, right: true},
		column[ownRow]{title: "held", cell: func(r ownRow) string { return r.Held }, right: true},
		column[ownRow]{title: "revenue", cell: func(r ownRow) string { return r.Revenue }, right: true},
		column[ownRow]{title: "dust", cell: func(r ownRow) string { return r.Dust }, right: true},
		column[ownRow]{title: "suspense", cell: func(r ownRow) string { return r.Suspense }, right: true},
		column[ownRow]{title: "capital", cell: func(r ownRow) string { return r.Capital }, right: true},
	)
}
