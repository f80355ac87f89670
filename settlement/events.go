package settlement

// Events are functions that an [Engine] calls; nil functions are left out. Each is called once for each change,
// by the goroutine that makes the change, so calls are concurrent. They must not block and must not call the
// Engine. After a crash or a lost answer an event can be reported twice or never: [Order.ID] identifies a repeat,
// and the ledger has the truth.
type Events struct {
	Placed         func(Order)            // written into the ledger
	Paid           func(Payment)          // paid as ordered, or more, and booked
	PartlyPaid     func(Payment)          // less than ordered was paid, and booked
	Voided         func(Order, error)     // given back; the error matches ErrDeclined, ErrCancelled, ErrTooSmall, ErrWithdrawn, ErrPayoutLimit or ErrPaused
	Retried        func(OpenOrder)        // given to the Settler again, under the same key
	TakenOver      func(Order)            // taken over from an engine that was silent for Config.Lease
	Stuck          func(OpenOrder)        // open for more than Config.StuckAfter; called once, after the next error, also for an order that waits
	Failed         func(error)            // an *OrderError of an account, or the error of a look-up; the Engine tries again later
	AwaitsApproval func(Order)            // above PayoutLimit.ApproveAbove: waits for Approve or Cancel
	Approved       func(Order)            // approved after waiting, and given to the Settler
	PayoutLimited  func(PayoutLimitError) // a limit made an order smaller, or prevented it; called once, until orders fit again
	Paused         func(Pause)            // this Engine read that payments are paused
	Resumed        func(Pause)            // this Engine read that payments go on; Since is the ledger's time of the end
	RailDown       func(name string)      // after Rail.BreakerThreshold errors in a row
	RailUp         func(name string)      // the rail answers again
	PositionAlert  func(PositionAlert)    // a position crossed one of Config.PositionThresholds
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

// reportPaid calls Paid or PartlyPaid.
func (e Events) reportPaid(p Payment) {
	switch {
	case p.Paid.IsZero():
	case p.Paid.Less(p.Order.Amount):
		e.PartlyPaid(p)
	default:
		e.Paid(p)
	}
}
