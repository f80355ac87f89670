package settlement

import (
	"context"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/sequence"
	"github.com/peerledger/peerledger/ledger"
)

// Packets are on the peer account one by one (chart.CodePacket), or in sums: what a round credits has
// chart.CodeRound, and what a round debits is the post of a reservation, which has chart.CodeReserve.

// readNewestPacket returns when the newest packet from or to a peer was booked, alone or in a round; zero if
// none was.
func (e *Engine) readNewestPacket(ctx context.Context, a accounts.PeerAccount) (newest time.Time, err error) {
	for _, code := range []uint16{chart.CodePacket, chart.CodeRound} {
		row, found, err := sequence.Newest(ctx, e.ledger, e.packetFilter(a, code))
		if err != nil {
			return time.Time{}, wrap("read the newest packet", err)
		}
		if found {
			newest = latestTime(newest, timeOf(row.Timestamp))
		}
	}
	posted, err := e.readNewestPost(ctx, a)
	return latestTime(newest, posted), err
}

// postsRead is how many rows of reservations are read to find a post with an amount. A sender without packets gets a
// post of 0 and a smaller reservation per renewal, and fewer than 64 renewals until it has no reservation.
const postsRead = 200

// readNewestPost returns when a round last charged a peer's reservations.
func (e *Engine) readNewestPost(ctx context.Context, a accounts.PeerAccount) (time.Time, error) {
	filter := e.packetFilter(a, chart.CodeReserve)
	filter.Limit, filter.Flags = postsRead, ledger.AccountFilterDebits|ledger.AccountFilterReversed
	rows, err := e.ledger.GetAccountTransfers(ctx, filter)
	if err != nil {
		return time.Time{}, wrap("read the newest round", err)
	}
	for i := range rows {
		isPost := rows[i].Flags.Has(ledger.TransferPostPending) && !rows[i].Amount.IsZero()
		if isPost || i == postsRead-1 { // the packets are older than what was read
			return timeOf(rows[i].Timestamp), nil
		}
	}
	return time.Time{}, nil
}

// readFirstPacket returns when the first packet to a peer was booked, alone or in a round; zero if none was.
func (e *Engine) readFirstPacket(ctx context.Context, a accounts.PeerAccount) (first time.Time, err error) {
	for _, code := range []uint16{chart.CodePacket, chart.CodeRound} {
		filter := e.packetFilter(a, code)
		filter.Limit = 1
		rows, err := e.ledger.GetAccountTransfers(ctx, filter)
		if err != nil {
			return time.Time{}, wrap("read the first packet", err)
		}
		if len(rows) > 0 && (first.IsZero() || timeOf(rows[0].Timestamp).Before(first)) {
			first = timeOf(rows[0].Timestamp)
		}
	}
	return first, nil
}

// packetFilter selects the rows of a peer account with a code.
func (e *Engine) packetFilter(a accounts.PeerAccount, code uint16) ledger.AccountFilter {
	return ledger.AccountFilter{
		AccountID: e.book.PeerIDs(a).Peer, Code: code, Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits,
	}
}
