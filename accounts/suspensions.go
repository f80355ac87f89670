package accounts

import (
	"context"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// SuspensionChange is the suspension of a peer, or its end.
type SuspensionChange struct {
	Peer      ledger.ID // the id of the peer's account: [PeerAccount.ID]
	Suspended bool
}

// Suspensions reads the suspensions and resumptions of peers after a moment of the ledger's
// clock, in order; the zero time reads all. next is the moment to continue from, exact to the
// nanosecond.
//
// A connector calls it once a [Config.SuspensionPollInterval]: it sends a single request, however
// many peers there are. Peers of foreign deployments on the ledger are included. The errors are
// of requests.
func (b *Book) Suspensions(ctx context.Context, after time.Time) (changes []SuspensionChange, next time.Time, err error) {
	first := timestampOf(after.Add(1))
	for {
		rows, err := b.ledger.QueryTransfers(ctx, ledger.QueryFilter{
			Code: chart.CodeSuspend, TimestampMin: first, Limit: ledger.QueryMax,
		})
		if err != nil {
			return changes, after, fmt.Errorf("read suspensions: %w", err)
		}
		for i := range rows {
			changes = append(changes, SuspensionChange{
				Peer: ledger.ID(rows[i].UserData128), Suspended: rows[i].Flags.Has(ledger.TransferPending),
			})
			after, first = timeOf(rows[i].Timestamp), rows[i].Timestamp+1
		}
		if len(rows) < ledger.QueryMax {
			return changes, after, nil
		}
	}
}
