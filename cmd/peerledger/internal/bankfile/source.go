package bankfile

import "fmt"

// SourceError is returned when an account books from another kind of file than before, without a start date after all payments
// that are booked. The other kind has reported these payments under other keys.
type SourceError struct {
	Before, Now Kind
	Last        string // the last booking date in the book, YYYY-MM-DD
}

// Error names both kinds and the date.
func (e *SourceError) Error() string {
	return fmt.Sprintf("books: payments up to %s are booked from %s: to book from %s, set from: to a later date", e.Last, e.Before, e.Now)
}

// findStart returns the first booking date to book, "" without a bound. The book remembers the date of a change, so that the
// configuration may drop it later.
func (b *Book) findStart(a Account) (string, error) {
	if b.Kind == "" || b.Kind == a.Books {
		return max(a.From, b.From), nil
	}
	last := ""
	for _, p := range b.Booked {
		last = max(last, p.Date)
	}
	if a.From <= last {
		return "", &SourceError{Before: b.Kind, Now: a.Books, Last: last}
	}
	return a.From, nil
}
