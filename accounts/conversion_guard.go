package accounts

// ConversionGuard is a check of new packets between two assets. The recorders make the check with
// the fields of the same names of their configurations. The zero ConversionGuard allows all
// packets. It may be used concurrently.
type ConversionGuard struct {
	// GuardConversions refuses packets that deliver 0 for more than 0, or more than 0 for 0 unless
	// the receiver's asset has AllowLoss.
	GuardConversions bool
	// Rate returns the exchange rate between whole units of two assets, or nil for no check.
	// A packet paying out more than the worth of its incoming amount is refused, unless the
	// receiver's asset has AllowLoss.
	Rate func(from, to Asset) *Converter
}

// Allows reports whether a packet between two assets passes: in is in units of from, out in
// units of to.
func (g ConversionGuard) Allows(from, to Asset, in, out uint64) bool {
	if g.GuardConversions && (in == 0) != (out == 0) && (out == 0 || !to.AllowLoss) {
		return false
	}
	if g.Rate == nil || out == 0 || to.AllowLoss {
		return true
	}
	converter := g.Rate(from, to)
	return converter == nil || converter.Covers(in, out)
}
