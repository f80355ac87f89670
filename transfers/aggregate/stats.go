package aggregate

import (
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// Stats are numbers of a running [Recorder]. The counts begin with the recorder.
type Stats struct {
	// Operations counts the answered operations, by kind and outcome.
	Operations OperationCounts
	// Requests counts the requests that the ledger has answered, by purpose. RequestFailures counts
	// those that failed and were sent again.
	Requests        RequestCounts
	RequestFailures uint64
	// Rounds counts the rounds that the ledger has. RefusedAttempts counts the attempts of rounds
	// that the ledger refused; each was followed by another.
	Rounds          uint64
	RefusedAttempts uint64
	// TopUpsGranted counts the new reservations that the ledger has created beside those of rounds, and
	// TopUpsRefused those that it refused, because others have taken the headroom.
	TopUpsGranted uint64
	TopUpsRefused uint64

	// OpenPackets are prepared and not resolved. WaitingPrepares wait for a look-up or a top-up.
	// RememberedPackets are all whose horizon has not passed, with the open ones.
	OpenPackets       int
	WaitingPrepares   int
	RememberedPackets int
	// UnbookedPackets are fulfilled, and in no round that the ledger has. OldestUnbooked is the
	// time since the first of them was fulfilled, 0 without any.
	UnbookedPackets uint64
	OldestUnbooked  time.Duration
	// UnsyncedBytes are appended to the journal and not on disk yet.
	UnsyncedBytes int64

	// Assets has the reservations, by asset, in the order of [accounts.Book.Assets].
	Assets []AssetStats
	// Stopped is set when the recorder takes no more operations after a fault ([ErrStopped]).
	Stopped bool
}

// AssetStats are the reservations of all peers in an asset, in units of the asset.
type AssetStats struct {
	Asset accounts.Asset
	// Senders is the number of peers with a reservation.
	Senders int
	// Reserved is the sum of the reservations, Held the part that open packets hold, and Used the
	// part that fulfilled packets have used since the last round was cut.
	Reserved, Held, Used ledger.Amount
	// Headroom is the headroom of the senders at their last look-ups, with Reserved, less what
	// rounds have taken since.
	Headroom ledger.Amount
}

// OperationCounts counts operations by kind and outcome.
type OperationCounts struct {
	counts [transfers.KindForward + 1][ledger.OutcomeRefused + 1]uint64
}

// Of returns the number of operations of a kind with an outcome: applied, already applied or
// refused. It returns 0 for all others.
func (c *OperationCounts) Of(kind transfers.Kind, outcome ledger.Outcome) uint64 {
	if int(kind) >= len(c.counts) || int(outcome) >= len(c.counts[0]) {
		return 0
	}
	return c.counts[kind][outcome]
}

// RequestCounts counts answered requests to the ledger by purpose.
type RequestCounts struct {
	Rounds   uint64 // attempts of rounds
	TopUps   uint64 // new reservations
	LookUps  uint64 // of peers' accounts: after the poll interval, and before top-ups
	Repairs  uint64 // look-ups and voids between two attempts of a round
	Recovery uint64 // what the start after an earlier process needed
}

// Total returns the number of all requests.
func (c RequestCounts) Total() uint64 {
	return c.Rounds + c.TopUps + c.LookUps + c.Repairs + c.Recovery
}
