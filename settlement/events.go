package settlement

// Events are functions that an Engine calls; nil ones are left out. They are called
// once for each thing that happens to an order, by whichever goroutine does it, so
// concurrently. They must not block and must not call the Engine. A crash or a lost
// answer can make a thing be told twice, or never: Order.ID tells it apart, and the
// ledger knows.
type Events struct {
	Placed         func(Order)            // written into the ledger
	Paid           func(Payment)          // paid as ordered, or more, and booked
	PartlyPaid     func(Payment)          // less than ordered was paid, and booked
	Voided         func(Order, error)     // given back; the error matches ErrDeclined, ErrCancelled, ErrTooSmall, ErrWithdrawn, ErrPayoutLimit or ErrPaused
	Retried        func(OpenOrder)        // given to the Settler again, under the same key
	TakenOver      func(Order)            // of an engine that was silent for Config.Lease; now ours
	Stuck          func(OpenOrder)        // of ours, open for more than Config.StuckAfter; told once, after the next error, also if it waits
	Failed         func(error)            // of an account (*OrderError) or a look-up; it is tried again later
	AwaitsApproval func(Order)            // its amount is above Limit.ApproveAbove: it waits for Approve or Cancel
	Approved       func(Order)            // an order that waited was approved, and is given to the Settler
	PayoutLimited  func(PayoutLimitError) // nothing is ordered, or less, since a limit is reached; told once, until orders fit again
	Paused         func(Pause)            // this Engine found out that payments are paused
	Resumed        func(Pause)            // and that they go on; Since is when
	RailDown       func(name string)      // after Rail.BreakerThreshold errors in a row
	RailUp         func(name string)      // it answers again
	PositionAlert  func(PositionAlert)    // a position passed one of the Config.PositionThresholds
}

func (e Events) withDefaults() Events {
	e.Placed = orNoop(e.Placed)
	e.Paid = orNoop(e.Paid)
	e.PartlyPaid = orNoop(e.PartlyPaid)
	if e.Voided == nil {
		e.Voided = func(Order, error) {}
	}
	e.Retried = orNoop(e.Retried)
	e.TakenOver = orNoop(e.TakenOver)
	e.Stuck = orNoop(e.Stuck)
	e.Failed = orNoop(e.Failed)
	e.AwaitsApproval = orNoop(e.AwaitsApproval)
	e.Approved = orNoop(e.Approved)
	e.PayoutLimited = orNoop(e.PayoutLimited)
	e.Paused = orNoop(e.Paused)
	e.Resumed = orNoop(e.Resumed)
	e.RailDown = orNoop(e.RailDown)
	e.RailUp = orNoop(e.RailUp)
	e.PositionAlert = orNoop(e.PositionAlert)
	return e
}

func orNoop[T any](f func(T)) func(T) {
	if f == nil {
		return func(T) {}
	}
	return f
}

// reportPaid tells of a payment, whole or in part.
func (e Events) reportPaid(p Payment) {
	switch {
	case p.Paid.IsZero():
	case p.Paid.Less(p.Order.Amount):
		e.PartlyPaid(p)
	default:
		e.Paid(p)
	}
}
