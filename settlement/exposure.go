package settlement

import (
	"context"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// Exposure is the sum of a peer's vouchers, and the part of the sum that is not final: the loss if the peer's
// channels paid no more.
type Exposure struct {
	Account  accounts.PeerAccount
	Channels []ChannelExposure // channels with vouchers, in the order of their first voucher

	// Sums over all channels, in units.
	Claimed, Final, Unredeemed ledger.Amount
}

// ChannelExposure is the [Exposure] of one channel.
type ChannelExposure struct {
	Channel    string        // "" if the caller did not give the name
	Claimed    ledger.Amount // units: the highest booked voucher
	Final      ledger.Amount // units: the highest redeemed voucher
	Unredeemed ledger.Amount // units: Claimed less Final
	BookedAt   time.Time     // the ledger's time of the highest voucher
}

// Exposure reports the claimed and the unredeemed amounts of a peer's vouchers. The ledger keeps a hash of a
// channel's name, so the caller gives the names that it knows. Other channels are reported without a name.
//
// The report takes two requests for each channel, and is not of one moment. The errors are
// [accounts.ErrUnknownAsset] and the errors of requests.
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
		report.Claimed, _ = report.Claimed.Add(channel.Claimed) // no overflow: sums of booked amounts
		report.Final, _ = report.Final.Add(channel.Final)
		report.Unredeemed, _ = report.Unredeemed.Add(channel.Unredeemed)
	}
	return report, nil
}

// readChannelExposure reads the redemption before the voucher: a redemption between the two reads then counts as
// unredeemed, and never the reverse.
func (e *Engine) readChannelExposure(ctx context.Context, a accounts.PeerAccount, tag uint64) (ChannelExposure, error) {
	final, err := e.readNewestRow(ctx, a, tag, chart.CodeFinal)
	if err != nil {
		return ChannelExposure{}, wrap("read the highest redeemed voucher", err)
	}
	claimed, err := e.readNewestRow(ctx, a, tag, chart.CodeVoucher)
	if err != nil {
		return ChannelExposure{}, wrap("read the highest voucher", err)
	}
	return ChannelExposure{
		Claimed: claimed.Cumulative, Final: final.Cumulative,
		Unredeemed: claimed.Cumulative.SubFloor(final.Cumulative), BookedAt: claimed.BookedAt,
	}, nil
}

// readChannelTags reads the tags of an account's channels from the first voucher of each.
func (e *Engine) readChannelTags(ctx context.Context, account accounts.PeerAccount) (tags []uint64, err error) {
	rows, err := e.readAllRows(ctx, ledger.AccountFilter{
		AccountID: e.book.PeerIDs(account).Settlement, Code: chart.CodeVoucher, UserData32: 1, Flags: ledger.AccountFilterDebits,
	})
	for _, row := range rows {
		tags = append(tags, row.UserData64)
	}
	return tags, wrap("read the channels", err)
}
