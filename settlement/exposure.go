package settlement

import (
	"context"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// Exposure is what a peer has paid with vouchers, and what of it is not final: what would
// be lost if its channels paid no more.
type Exposure struct {
	Account  accounts.PeerAccount
	Channels []ChannelExposure // those with vouchers, in the order of their first one

	// Sums of all channels, in units.
	Claimed, Final, Unredeemed ledger.Amount
}

// ChannelExposure is that of one channel.
type ChannelExposure struct {
	Channel    string        // "" if it is not among the names that were given
	Claimed    ledger.Amount // units: the highest voucher that is booked
	Final      ledger.Amount // units: the highest that was redeemed
	Unredeemed ledger.Amount // units: the difference
	BookedAt   time.Time     // when the highest voucher was booked, by the ledger's time
}

// Exposure reports what is claimed and not final of a peer's vouchers. The ledger keeps a
// hash of a channel's name, so the caller gives the names that it knows; channels that it
// does not name are in the report without one.
//
// It is read in two requests for each channel, and so not of one moment. The errors are
// accounts.ErrUnknownAsset and those of the requests.
func (e *Engine) Exposure(ctx context.Context, account accounts.PeerAccount, channels ...string) (Exposure, error) {
	if _, known := e.book.Asset(account.Ledger()); !known || account.IsOwn() {
		return Exposure{}, fmt.Errorf("%w: %v", accounts.ErrUnknownAsset, account)
	}
	names := make(map[uint64]string, len(channels))
	for _, name := range channels {
		names[channelTag(e.ns, name)] = name
	}
	tags, err := e.readChannelTags(ctx, account)
	if err != nil {
		return Exposure{}, err
	}
	report := Exposure{Account: account}
	for _, tag := range tags {
		channel, err := e.readChannelExposure(ctx, account, tag)
		if err != nil {
			return Exposure{}, err
		}
		channel.Channel = names[tag]
		report.Channels = append(report.Channels, channel)
		report.Claimed, _ = report.Claimed.Add(channel.Claimed) // sums of what was booked fit
		report.Final, _ = report.Final.Add(channel.Final)
		report.Unredeemed, _ = report.Unredeemed.Add(channel.Unredeemed)
	}
	return report, nil
}

// readChannelExposure reads the mark before the voucher: what is redeemed between the two then
// counts as open, and never the other way round.
func (e *Engine) readChannelExposure(ctx context.Context, a accounts.PeerAccount, tag uint64) (ChannelExposure, error) {
	final, err := e.readNewestRow(ctx, a, tag, chart.CodeFinal)
	if err != nil {
		return ChannelExposure{}, wrap("read what is final", err)
	}
	claimed, err := e.readNewestRow(ctx, a, tag, chart.CodeVoucher)
	if err != nil {
		return ChannelExposure{}, wrap("read what is claimed", err)
	}
	return ChannelExposure{
		Claimed: claimed.Cumulative, Final: final.Cumulative,
		Unredeemed: claimed.Cumulative.SubFloor(final.Cumulative), BookedAt: claimed.BookedAt,
	}, nil
}

// readChannelTags are the tags of an account's channels: of the first voucher of each.
func (e *Engine) readChannelTags(ctx context.Context, account accounts.PeerAccount) (tags []uint64, err error) {
	rows, err := e.readAllRows(ctx, ledger.AccountFilter{
		AccountID: e.book.PeerIDs(account).Settlement, Code: chart.CodeVoucher, UserData32: 1, Flags: ledger.AccountFilterDebits,
	})
	for _, row := range rows {
		tags = append(tags, row.UserData64)
	}
	return tags, wrap("read the channels", err)
}
