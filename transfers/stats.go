package transfers

import "time"

// Batch is one batch of operations that went to the ledger.
type Batch struct {
	Lane       int // 0 to Config.Lanes-1
	Operations int // in the batch
	Transfers  int // sent, those sent again included
	Requests   int // made for it: 1, more if something had to be sent again, 0 if all had expired
	Queued     int // operations, with marks of Flush, that waited for a later batch of the lane when it was cut

	// QueueWait is how long the operation that waited longest was in the lane before the first
	// request of the batch, or before all were found to have expired. The time in which
	// Submit waited for room is not in it. Operations that came between two looks of the lane
	// at what has come, which are at most a batch apart, count as having come with the
	// first of them: so it is never too short, and too long, by that time at most, if those
	// before were more than a batch.
	QueueWait time.Duration
	// Duration is the time from the first request to the last answer, pauses and what is sent
	// again included.
	Duration time.Duration

	// What became of the operations, by the Outcome of their Results. The four sum up to
	// Operations. A prepare whose caller was gone counts as what the ledger answered to it,
	// though what it held was given back.
	Applied        int // applied now
	AlreadyApplied int // applied by an earlier request, or as the operation wants it without it
	Refused        int // by the ledger, its id spent or not, or never sent: expired, or given up at the end
	Unknown        int // given up at the end, and nobody knows: record them again
}

// Stats are numbers of a Recorder at a moment. They are read one after another, while
// others go on, so that they need not fit together exactly.
type Stats struct {
	Backlog     int  // operations that are waiting or in flight
	BacklogMax  int  // Config.MaxBacklog; what was left in the Journal can make Backlog more
	BacklogFull bool // the backlog was at BacklogMax, and has not sunk to Config.BacklogResume since: prepares wait
	InFlight    int  // of Backlog, those in the batches that are at the ledger
	InArrears   int  // peers whose new packets are refused since they were in arrears at the last look; see Config.AllowArrears
	Suspended   int  // accounts whose new packets are refused, as of the last look; those of other namespaces on the ledger too
}

// Stats returns the numbers of this moment. It asks nobody and never waits.
func (r *Recorder) Stats() Stats {
	state := r.backlog.state.Load()
	s := Stats{
		Backlog: int(state >> 1), BacklogMax: r.cfg.MaxBacklog, BacklogFull: state&1 == 1,
		Suspended: len(*r.admission.suspended.Load()),
	}
	if d := r.admission.debtors; d != nil {
		s.InArrears = len(*d.inArrears.Load())
	}
	for _, ln := range r.lanes {
		s.InFlight += int(ln.sender.inFlight.Load())
	}
	return s
}
