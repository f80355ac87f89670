// Package batch cuts long lists into requests that a ledger takes.
package batch

import (
	"context"
	"errors"
	"slices"

	"github.com/peerledger/peerledger/internal/requestlimit"
	"github.com/peerledger/peerledger/ledger"
)

// Each sends events in order, in requests as large as the ledger takes (at most
// [ledger.BatchMax]), and returns all answers in order. Each cuts only at multiples of group:
// the events of one group go into one request.
//
// A request that the ledger finds too large ([ledger.ErrTooMuchData], from a server with smaller
// requests) is halved. Every other error is returned together with the answers so far.
func Each[E, R any](
	ctx context.Context, events []E, group int, send func(context.Context, []E) ([]R, error),
) ([]R, error) {
	answers := []R{}
	limit := requestlimit.New(ledger.BatchMax, group)
	for len(events) > 0 {
		n := min(limit.Max(), len(events))
		got, err := send(ctx, events[:n])
		if errors.Is(err, ledger.ErrTooMuchData) && limit.Lower(n) {
			continue
		}
		if err != nil {
			return answers, err
		}
		if events = events[n:]; len(events) == 0 && len(answers) == 0 {
			return got, nil // one request sufficed, as almost always
		}
		answers = append(slices.Grow(answers, len(got)+len(events)), got...)
	}
	return answers, nil
}

// Page reads one page of a query with the limit *limit rows. While the ledger finds the answer
// too large ([ledger.ErrTooMuchData], from a server with smaller answers) Page halves *limit,
// which stays so for the next page. A page of fewer rows than *limit is the last page.
func Page[R any, L int | uint32](limit *L, read func() ([]R, error)) ([]R, error) {
	learnt := requestlimit.New(int(*limit), 1)
	for {
		rows, err := read()
		if !errors.Is(err, ledger.ErrTooMuchData) || !learnt.Lower(int(*limit)) {
			return rows, err
		}
		*limit = L(learnt.Max())
	}
}
