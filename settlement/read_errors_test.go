package settlement_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// A read whose context has ended has changed nothing: its error is not ErrOutcomeUnknown.
func TestReadsAreNoUnknownOutcomes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.earn(w.alice, 100)
	lost := fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, context.Canceled)
	for name, ask := range map[string]func(*settlement.Engine) error{
		"Check":        func(e *settlement.Engine) error { _, err := e.Settle(t.Context(), w.alice); return err },
		"Orders":       func(e *settlement.Engine) error { _, err := e.Orders(t.Context(), w.alice); return err },
		"Refund":       func(e *settlement.Engine) error { return e.Refund(t.Context(), w.alice) },
		"Pauses":       func(e *settlement.Engine) error { _, err := e.Pauses(t.Context()); return err },
		"StopPayments": func(e *settlement.Engine) error { return e.StopPayments(t.Context()) },
		"Cancel": func(e *settlement.Engine) error {
			_, err := e.Cancel(t.Context(), w.alice, ledger.NewID(1, 1))
			return err
		},
		"Approve": func(e *settlement.Engine) error {
			_, err := e.Approve(t.Context(), w.alice, ledger.NewID(1, 1))
			return err
		},
		"Release": func(e *settlement.Engine) error { _, err := e.Release(t.Context(), w.alice); return err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := w.engineOn(&faultyLedger{Ledger: w.ledger, fault: func(c call) fault {
				if c.creates {
					return noFault
				}
				return fault{after: lost}
			}}, manualConfig(newRail(), at100))
			err := ask(e)
			require.ErrorIs(t, err, context.Canceled)
			require.NotErrorIs(t, err, ledger.ErrOutcomeUnknown)
		})
	}
}
