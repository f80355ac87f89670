// Package batch cuts long lists into requests that a ledger takes.
package batch

import (
	"context"
	"errors"

	"github.com/peerledger/peerledger/ledger"
)

// Each sends events in order, in requests as large as the ledger takes (at most
// ledger.BatchMax), and returns all answers in order. Events are cut only at
// multiples of group, so that what must be read in one request stays together.
//
// A request that the ledger finds too large (ledger.ErrTooMuchData: a server
// with smaller requests) is halved. On any other error the answers so far are
// returned with it.
func Each[E, R any](
	ctx context.Context, events []E, group int, send func(context.Context, []E) ([]R, error),
) ([]R, error) {
	answers := make([]R, 0, len(events))
	size := ledger.BatchMax / group * group
	for len(events) > 0 {
		n := min(size, len(events))
		got, err := send(ctx, events[:n])
		if errors.Is(err, ledger.ErrTooMuchData) && n > group {
			size = max(group, n/2/group*group)
			continue
		}
		if err != nil {
			return answers, err
		}
		answers = append(answers, got...)
		events = events[n:]
	}
	return answers, nil
}

// Page reads a page of a query whose limit is *limit rows. While the ledger finds the answer too
// large (ledger.ErrTooMuchData: a server with smaller answers) the limit is halved, and it stays
// so for the next page. Fewer rows than the limit then are the last ones.
func Page[R any, L int | uint32](limit *L, read func() ([]R, error)) ([]R, error) {
	for {
		rows, err := read()
		if !errors.Is(err, ledger.ErrTooMuchData) || *limit <= 1 {
			return rows, err
		}
		*limit /= 2
	}
}
