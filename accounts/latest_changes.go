package accounts

import (
	"context"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/sequence"
	"github.com/peerledger/peerledger/ledger"
)

// LatestChanges has the times of the newest changes of a peer by operators, in one asset. Times are by the ledger's
// clock, exact to the nanosecond; the zero time means that there was none.
type LatestChanges struct {
	Line       time.Time // a change of the credit line
	Suspension time.Time // a suspension, or its end
	Closing    time.Time // a closing, or its end
}

// LatestChanges reads when operators last changed a peer. If two results are equal, no operator has changed the peer between
// them, also not there and back. It sends three requests. The errors are [ErrInvalid], [ErrUnknownAsset], or of a request.
func (b *Book) LatestChanges(ctx context.Context, account PeerAccount) (LatestChanges, error) {
	if err := b.checkPeer(account); err != nil {
		return LatestChanges{}, err
	}
	ids := b.PeerIDs(account)
	var latest LatestChanges
	for _, change := range []struct {
		at     *time.Time
		filter ledger.AccountFilter
	}{
		{&latest.Line, ledger.AccountFilter{AccountID: ids.Line, Code: chart.CodeGrant, Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits}},
		{&latest.Suspension, ledger.AccountFilter{AccountID: ids.Line, Code: chart.CodeSuspend, Flags: ledger.AccountFilterDebits}},
		{&latest.Closing, ledger.AccountFilter{AccountID: ids.Peer, Code: chart.CodeClose, Flags: ledger.AccountFilterDebits}},
	} {
		row, found, err := sequence.Newest(ctx, b.ledger, change.filter)
		switch {
		case err != nil:
			return LatestChanges{}, fmt.Errorf("read the latest changes of %v: %w", account, err)
		case found:
			*change.at = timeOf(row.Timestamp)
		}
	}
	return latest, nil
}
