package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/settlement"
)

// exposureRow is a channel with vouchers. Amounts are in whole units of the asset.
type exposureRow struct {
	Peer       string `json:"peer"`
	Asset      string `json:"asset"`
	Channel    string `json:"channel,omitempty"` // "" if the name was not given
	Claimed    string `json:"claimed"`           // the highest booked voucher
	Final      string `json:"final"`             // the highest redeemed voucher
	Unredeemed string `json:"unredeemed"`        // the loss if the channel paid no more
	Booked     string `json:"booked"`            // the time of the highest voucher
}

func (a *app) newExposureCommand() *cobra.Command {
	var asset string
	var channels []string
	cmd := &cobra.Command{
		Use:   "exposure [peer...]",
		Short: "Show the vouchers of payment channels that are not redeemed",
		Long: `Show the channels of these peers, or of all configured peers, that have booked vouchers: the
highest voucher, the highest redeemed one, and the difference, which is lost if the channel pays no
more. Redeem a channel before the difference is more than you trust the peer with.

The ledger keeps a hash of a channel's name. Give the names that you know with --channel; other
channels are shown without a name. The figures take two requests for each channel.`,
		Example: "  peerledger exposure --sort unredeemed:desc\n  peerledger exposure alice --channel 0xc0ffee --json",
		Args:    rangeArgs(0, -1),
		RunE: func(cmd *cobra.Command, names []string) error {
			return a.withEngine(cmd.Context(), nil, func(s *session, engine *settlement.Engine) error {
				list, err := s.parseAccounts(cmd.Context(), names, asset)
				if err != nil {
					return err
				}
				return s.showExposure(cmd.Context(), engine, channels, list)
			})
		},
	}
	cmd.Flags().StringVar(&asset, "asset", "", "in this `asset` alone, as in USD or USD/9")
	cmd.Flags().StringArrayVar(&channels, "channel", nil, "the `name` of a channel; may be given several times")
	a.addListFlags(cmd)
	return cmd
}

// showExposure prints the channels of accounts.
func (s *session) showExposure(ctx context.Context, engine *settlement.Engine, channels []string, list []accounts.PeerAccount) error {
	rows := []exposureRow{}
	for _, account := range list {
		if _, err := s.book.Balance(ctx, account); err != nil { // a peer that is not in the ledger has no channels
			return err
		}
		exposure, err := engine.Exposure(ctx, account, channels...)
		if err != nil {
			return err
		}
		asset, _ := s.book.Asset(account.Ledger())
		for _, c := range exposure.Channels {
			rows = append(rows, exposureRow{
				Peer: account.Peer(), Asset: asset.String(), Channel: c.Channel, Claimed: asset.Format(c.Claimed), Final: asset.Format(c.Final),
				Unredeemed: asset.Format(c.Unredeemed), Booked: formatTime(c.BookedAt),
			})
		}
	}
	s.list.whenEmpty = "No vouchers are booked."
	return printRows(s.app, rows,
		column[exposureRow]{title: "peer", cell: func(r exposureRow) string { return r.Peer }},
		column[exposureRow]{title: "asset", cell: func(r exposureRow) string { return r.Asset }},
		column[exposureRow]{title: "channel", cell: func(r exposureRow) string { return orDefault(r.Channel, "?") }, value: func(r exposureRow) string { return r.Channel }},
		column[exposureRow]{title: "claimed", cell: func(r exposureRow) string { return r.Claimed }, right: true},
		column[exposureRow]{title: "final", cell: func(r exposureRow) string { return r.Final }, right: true},
		column[exposureRow]{title: "unredeemed", cell: func(r exposureRow) string { return r.Unredeemed }, right: true},
		column[exposureRow]{title: "booked", cell: func(r exposureRow) string { return r.Booked }, isTime: true},
	)
}
