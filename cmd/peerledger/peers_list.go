package main

import (
	"slices"

	"github.com/spf13/cobra"
)

// newListColumns returns the columns of the list of peers: the first ones of balances with the time of
// provisioning, and the others in wide tables. The list has no orders that are due.
func newListColumns() []column[peerRow] {
	list := slices.Clone(peerColumns)
	list = append(list, column[peerRow]{title: "opened", isTime: true, cell: func(r peerRow) string { return r.Opened }})
	for _, c := range balanceColumns[len(peerColumns):] {
		if c.title != "due" && c.title != "opened" {
			c.wide = true
			list = append(list, c)
		}
	}
	return list
}

// listPeers prints the peers of the ledger, and the missing ones. A peer without a balance meets no
// condition.
func (s *session) listPeers(cmd *cobra.Command, asset string, filters peerFilters) error {
	assets, err := s.selectAssets(asset)
	if err != nil {
		return err
	}
	var rows []peerRow
	for _, a := range assets {
		found := map[string]bool{}
		names := s.listConfigured(a)
		for listing, err := range s.book.Peers(cmd.Context(), a, names...) {
			if err != nil {
				return err
			}
			row := peerRow{Peer: listing.Account.Peer(), Asset: a.String(), State: "incomplete", Account: listing.ID.String()}
			if !listing.Incomplete {
				row = newPeerRow(listing.Balance, listing.ID.String())
			}
			found[row.Peer] = true
			if len(filters) == 0 || !listing.Incomplete && filters.match(listing.Balance) {
				rows = append(rows, row)
			}
		}
		for _, name := range names {
			if !found[name] && len(filters) == 0 {
				rows = append(rows, peerRow{Peer: name, Asset: a.String(), State: "missing"})
			}
		}
	}
	if len(filters) == 0 {
		s.list.whenEmpty = "The ledger has no peers in this namespace, and none are configured. namespace in peerledger.yaml must be the connector's Config.Namespace. Add a peer with peerledger peers add."
	}
	return printRows(s.app, rows, newListColumns()...)
}
