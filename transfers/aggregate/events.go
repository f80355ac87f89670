package aggregate

import (
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// Events are callbacks of a [Recorder]; nil fields are skipped. They run in the recorder's
// goroutine, BacklogFull also in those of callers, and before NewRecorder has returned in its
// caller's. They must not block, must not call the Recorder, and must not keep slices.
type Events struct {
	// BalancesChanged receives, after each round with packets, the peers of the round.
	BalancesChanged func([]accounts.PeerAccount)
	// Round is called after each round.
	Round func(Round)
	// BacklogFull is called with true when the journal's disk is so far behind that operations
	// wait ([Recorder.Submit]) or are refused ([Recorder.TrySubmit]), and with false when the disk
	// has caught up.
	BacklogFull func(full bool)
	// Late receives, after each round with any, the results of its packets that came when the
	// sender's reservations did not cover them: see [transfers.Result].Late. Round has what was
	// charged to arrears. The late packets of an earlier process are not known.
	Late func([]transfers.Result)
	// Replayed receives, after each round with any, the fulfills that an earlier process left in the
	// journal and that this round has booked. After a crash the same results may be reported again.
	Replayed func([]transfers.Result)
	// RequestFailed is called when a request to the ledger failed, also a look at suspensions, arrears
	// and headroom. The recorder sends it again.
	RequestFailed func(error)
	// JournalFailed is called with faults of the journal. After an error that matches [ErrStopped]
	// the recorder takes no more operations. Otherwise the journal goes on: it could not be made
	// shorter.
	JournalFailed func(error)
	// Stopped is called once if the recorder takes no more operations. The error matches
	// [ErrStopped].
	Stopped func(error)
}

// Round describes a round that the ledger has.
type Round struct {
	Number   uint64 // from 1, in this journal
	Packets  uint64 // fulfilled packets
	Attempts int    // 1, and more if the ledger refused attempts
	Legs     int    // transfers of the last attempt
	Requests int    // for its attempts, and for look-ups and voids between them
	// Senders are the peers whose reservations the round posts, Renewed those that get a new one,
	// and Receivers the peers that packets were sent to.
	Senders, Renewed, Receivers int
	// Wait is the time from the first fulfill to the cut of the round: 0 for a round without
	// packets, and for fulfills of an earlier process the time since the start.
	Wait time.Duration
	// Duration is the time from the cut, or from the start for a round of an earlier process, to
	// the ledger's answer.
	Duration time.Duration
	// Arrears are the amounts that were charged to the senders' arrears, since no reservation
	// covered them. The round has collected what the senders' accounts have.
	Arrears []Charge
	// Suspense are the earnings of receivers whose accounts are closed. They wait in suspense.
	Suspense []Charge
}

// Charge is an amount of a peer, in units of Asset.
type Charge struct {
	Account accounts.PeerAccount
	Asset   accounts.Asset
	Amount  ledger.Amount
}
