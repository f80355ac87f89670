package bankfile

import "github.com/shopspring/decimal"

// checkProof tells whether opening balance and booked entries add up to the closing balance. Some banks leave the original's
// mark on a reversal, so the sum may hold with the marks as they stand, or with reversals turned. A statement without both
// balances, and one page of several, proves nothing and is no fault.
func (s *Statement) checkProof(where string) (proven bool, err error) {
	if s.Opening == nil || s.Closing == nil {
		return false, nil
	}
	if s.Opening.Currency != s.Closing.Currency {
		return false, refuse(RefusedBalance, where, "opening in %s, closing in %s", s.Opening.Currency, s.Closing.Currency)
	}
	stands, turned := s.Opening.Amount, s.Opening.Amount
	for _, e := range s.Entries {
		if e.Status != Booked || e.Currency != s.Opening.Currency {
			continue
		}
		stands = addSigned(stands, e.Amount, e.Credit)
		turned = addSigned(turned, e.Amount, e.Credit != e.Reversal)
	}
	if stands.Equal(s.Closing.Amount) || turned.Equal(s.Closing.Amount) {
		return true, nil
	}
	if s.Page && !s.Opening.intermediate && !s.Closing.intermediate { // the balances may be those of all pages
		return false, nil
	}
	return false, refuse(RefusedBalance, where, "opening %s and the booked entries make %s, and closing is %s", s.Opening.Amount, stands, s.Closing.Amount)
}

func addSigned(sum, amount decimal.Decimal, credit bool) decimal.Decimal {
	if credit {
		return sum.Add(amount)
	}
	return sum.Sub(amount)
}

// place is a statement's relation to the statements before it.
type place int

const (
	unproven  place = iota // no proof, a gap or an overlap: entries need a reference
	continues              // a proven statement that begins where the last one ended
	repeated               // a statement that was imported before
)

// findPlace compares a proven statement with the spans before it. A sequence number that differs makes no repetition.
func findPlace(spans []Span, s Span) place {
	for _, before := range spans {
		if before.Date == s.Date && before.Opening == s.Opening && before.Closing == s.Closing {
			if before.Sequence != s.Sequence && before.Sequence != "" && s.Sequence != "" {
				return unproven
			}
			return repeated
		}
	}
	if len(spans) == 0 || spans[len(spans)-1].Closing == s.Opening {
		return continues
	}
	return unproven
}
