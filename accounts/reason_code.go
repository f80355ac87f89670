package accounts

// ReasonCodeOption is the option returned by [WithReasonCode]: a [CreditLineOption], a
// [SuspendOption] and a [CloseOption].
type ReasonCodeOption struct{ code uint32 }

// WithReasonCode keeps a number of the caller's with the change: with a change of a credit line for
// [Entry.ReasonCode], with a suspension, or with a closing and its write-offs. Default 0.
func WithReasonCode(code uint32) ReasonCodeOption { return ReasonCodeOption{code} }

func (r ReasonCodeOption) applyToLine(o *lineOptions)          { o.reasonCode = r.code }
func (r ReasonCodeOption) applyToSuspension(o *suspendOptions) { o.reasonCode = r.code }
func (r ReasonCodeOption) applyToClosing(o *closeOptions)      { o.reasonCode = r.code }
