package transfers

import "time"

// Batch describes a batch of operations sent to the ledger.
type Batch struct {
	Lane       int // 0 to Config.Lanes-1
	Operations int // in the batch
	Transfers  int // sent, counting each resend
	Requests   int // 1; more if transfers had to be sent again; 0 if every operation had expired
	Queued     int // operations, with marks of Flush, left for a later batch of the lane

	// QueueWait is the longest time spent by an operation of the batch in the lane's queue
	// before the first request, or before all operations were found expired. Time blocked
	// in Submit is excluded. Arrival is stamped once per drain of the queue, so QueueWait may
	// be too long by a drain interval (at most a batch), and is never too short.
	QueueWait time.Duration
	// Duration is the time from the first request to the last answer, with pauses and
	// repeated requests.
	Duration time.Duration

	// The operations by the Outcome of their Results. The four numbers sum up to Operations.
	// An abandoned prepare counts by the ledger's answer, although the hold was voided.
	Applied        int // applied now
	AlreadyApplied int // applied by an earlier request, or already in the wanted state
	Refused        int // by the ledger, with the id burnt or not; or never sent: expired, or given up
	Unknown        int // given up without an answer, perhaps in the books: record again
}

// Stats are numbers of a running [Recorder], read one after the other: sums need not be
// exact.
type Stats struct {
	Backlog        int  // operations waiting or in flight
	BacklogMax     int  // Config.MaxBacklog; fulfills left in the Journal can make Backlog more
	BacklogFull    bool // Backlog was at BacklogMax, and not at Config.BacklogResume since: prepares wait
	InFlight       int  // operations of Backlog in batches at the ledger
	PeersInArrears int  // peers whose new packets are refused, in arrears at the last refresh; see Config.AllowArrears
	SuspendedPeers int  // accounts whose new packets are refused, as of the last refresh; includes other namespaces on the ledger
}

// Stats returns the current numbers, without sending anything or waiting.
func (r *Recorder) Stats() Stats {
	state := r.backlog.state.Load()
	s := Stats{
		Backlog: int(state >> 1), BacklogMax: r.cfg.MaxBacklog, BacklogFull: state&1 == 1,
		SuspendedPeers: len(*r.admission.suspended.Load()),
	}
	if d := r.admission.debtors; d != nil {
		s.PeersInArrears = len(*d.inArrears.Load())
	}
	for _, ln := range r.lanes {
		s.InFlight += int(ln.sender.inFlight.Load())
	}
	return s
}
