package main

import (
	"fmt"

	"github.com/peerledger/peerledger/cmd/peerledger/internal/connectorbooks"
)

// importRow is a line of the plan: a peer, an asset's liquidity, or a note. Amounts are in whole units.
type importRow struct {
	Item       string `json:"item"` // peer, asset, assumption, left out or obstacle
	Peer       string `json:"peer,omitempty"`
	Asset      string `json:"asset,omitempty"`
	CreditLine string `json:"credit_line,omitempty"`
	Position   string `json:"position,omitempty"` // of an asset its liquidity
	SettleAt   string `json:"settle_at,omitempty"`
	SettleTo   string `json:"settle_to,omitempty"`
	Engine     string `json:"engine,omitempty"`
	Key        string `json:"key,omitempty"`
	State      string `json:"state,omitempty"` // new, unfinished, imported, written or blocked
	Note       string `json:"note,omitempty"`
}

var importColumns = []column[importRow]{
	{title: "item", cell: func(r importRow) string { return r.Item }, wide: true},
	{title: "peer", cell: func(r importRow) string { return r.Peer }, names: true},
	{title: "asset", cell: func(r importRow) string { return r.Asset }},
	{title: "credit line", cell: func(r importRow) string { return r.CreditLine }, right: true},
	{title: "position", cell: func(r importRow) string { return r.Position }, right: true},
	{title: "settle at", cell: func(r importRow) string { return r.SettleAt }, right: true},
	{title: "settle to", cell: func(r importRow) string { return r.SettleTo }, right: true},
	{title: "engine", cell: func(r importRow) string { return r.Engine }, wide: true},
	{title: "key", cell: func(r importRow) string { return r.Key }, wide: true},
	{title: "state", cell: func(r importRow) string { return r.State }},
	{title: "note", cell: func(r importRow) string { return r.Note }, wide: true},
}

// makeRows returns the rows of the peers and assets, and those of the notes.
func (p *importPlan) makeRows() (steps, notes []importRow) {
	for _, peer := range p.peers {
		r := importRow{Item: "peer", Peer: peer.ID, Asset: peer.Asset.String(), Key: peer.key, State: peer.state}
		if !peer.account.IsZero() {
			r.CreditLine, r.Position = formatLine(peer.asset, peer.line()), formatSigned(peer.asset, peer.Position)
			r.SettleAt, r.SettleTo, r.Engine = peer.entry.SettleAt, peer.entry.SettleTo, peer.entry.Engine
		}
		steps = append(steps, r)
	}
	for _, a := range p.assets {
		r := importRow{Item: "asset", Asset: a.String(), Key: a.key, State: a.state}
		if a.asset.Ledger != 0 {
			r.Position = formatSigned(a.asset, a.Liquidity)
		}
		steps = append(steps, r)
	}
	for _, n := range p.notes {
		r := importRow{Item: string(n.Kind), Peer: n.Peer, Note: n.Text}
		if n.Asset != (connectorbooks.AssetName{}) {
			r.Asset = n.Asset.String()
		}
		notes = append(notes, r)
	}
	return steps, notes
}

// printImport prints the plan: for people a table with the notes below it, for programs one list. -o name has the peers alone.
func (s *session) printImport(p *importPlan) error {
	steps, notes := p.makeRows()
	if s.list.output == outputName {
		return printRows(s.app, steps, importColumns...)
	}
	if !s.printsTable() {
		return printRows(s.app, append(steps, notes...), importColumns...)
	}
	if err := printRows(s.app, steps, importColumns...); err != nil {
		return err
	}
	for _, group := range []struct {
		kind  connectorbooks.NoteKind
		title string
	}{{connectorbooks.Assumption, "Assumptions"}, {connectorbooks.LeftOut, "Not carried over"}, {connectorbooks.Obstacle, "In the way"}} {
		title := group.title + ":\n"
		for _, n := range p.notes {
			if n.Kind == group.kind {
				fmt.Fprintf(s.stdout, "%s  - %s\n", title, formatNote(n))
				title = ""
			}
		}
	}
	if !s.yes {
		fmt.Fprintln(s.stdout, "Nothing was written. Add --yes to write it.")
	}
	return nil
}
