package settlement

// Events are functions that an [Engine] calls; nil functions are left out. Each is called once for each change,
// by the goroutine that makes the change, so calls are concurrent. They must not block and must not call the
// Engine. After a crash or a lost answer an event can be reported twice or never: [Order.ID] identifies a repeat,
// and the ledger has the facts.
type Events struct {
	// Placed is called when an order is in the ledger.
	Placed func(Order)
	// Paid is called when an order was paid as ordered, or more, and booked.
	Paid func(Payment)
	// PartlyPaid is called when less than the order was paid, and booked.
	PartlyPaid func(Payment)
	// Voided is called when an order was given back. The error matches [ErrDeclined], [ErrCancelled],
	// [ErrTooSmall], [ErrCheckFailed], [ErrPayoutLimit] or [ErrPaused].
	Voided func(Order, error)
	// Retried is called when the [Settler] gets an order again, under the same key.
	Retried func(OpenOrder)
	// TakenOver is called when this Engine takes over the order of an engine that was silent for [Config.Lease].
	TakenOver func(Order)
	// Stuck is called when an order of this Engine has been open for more than [Config.StuckAfter]: once, after
	// the next error, also for an order that waits.
	Stuck func(OpenOrder)
	// Failed is called with an *[OrderError] of an account, or the error of a look-up. The Engine tries again
	// later.
	Failed func(error)
	// AwaitsApproval is called when an order above [PayoutLimit.ApproveAbove] waits for [Engine.Approve] or
	// [Engine.Cancel].
	AwaitsApproval func(Order)
	// Approved is called when an order that waited was approved and goes to the [Settler].
	Approved func(Order)
	// PayoutLimited is called when a limit makes an order smaller, or prevents it: once, until orders fit again.
	PayoutLimited func(PayoutLimitError)
	// Paused is called when this Engine reads that payments are paused.
	Paused func(Pause)
	// Resumed is called when this Engine reads that payments go on. [Pause.Since] is the time of the end.
	Resumed func(Pause)
	// RailDown is called after [Rail.BreakerThreshold] errors in a row.
	RailDown func(name string)
	// RailUp is called when the rail answers again.
	RailUp func(name string)
	// PositionAlert is called when a position crosses one of [Config.PositionThresholds].
	PositionAlert func(PositionAlert)
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
