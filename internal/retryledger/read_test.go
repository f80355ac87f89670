package retryledger_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/retryledger"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// everyAnswerLost loses every answer, like a client whose context ends.
type everyAnswerLost struct{ ledger.Ledger }

func (everyAnswerLost) lostAnswer() error {
	return fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, context.Canceled)
}

func (g everyAnswerLost) CreateTransfers(context.Context, []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	return nil, g.lostAnswer()
}

func (g everyAnswerLost) LookupAccounts(context.Context, []ledger.ID) ([]ledger.Account, error) {
	return nil, g.lostAnswer()
}

func (g everyAnswerLost) LookupTransfers(context.Context, []ledger.ID) ([]ledger.Transfer, error) {
	return nil, g.lostAnswer()
}

func (g everyAnswerLost) GetAccountTransfers(context.Context, ledger.AccountFilter) ([]ledger.Transfer, error) {
	return nil, g.lostAnswer()
}

func (g everyAnswerLost) GetAccountBalances(context.Context, ledger.AccountFilter) ([]ledger.AccountBalance, error) {
	return nil, g.lostAnswer()
}

func (g everyAnswerLost) QueryAccounts(context.Context, ledger.QueryFilter) ([]ledger.Account, error) {
	return nil, g.lostAnswer()
}

func (g everyAnswerLost) QueryTransfers(context.Context, ledger.QueryFilter) ([]ledger.Transfer, error) {
	return nil, g.lostAnswer()
}

// A read with a lost answer has changed nothing, so its outcome is not unknown; the outcome of a
// write with a lost answer is.
func TestReadHasNoOutcome(t *testing.T) {
	t.Parallel()
	l := retryledger.Ledger{Ledger: everyAnswerLost{embedded.New()}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	reads := map[string]func() error{
		"LookupAccounts":      func() error { _, err := l.LookupAccounts(ctx, nil); return err },
		"LookupTransfers":     func() error { _, err := l.LookupTransfers(ctx, nil); return err },
		"GetAccountTransfers": func() error { _, err := l.GetAccountTransfers(ctx, ledger.AccountFilter{}); return err },
		"GetAccountBalances":  func() error { _, err := l.GetAccountBalances(ctx, ledger.AccountFilter{}); return err },
		"QueryAccounts":       func() error { _, err := l.QueryAccounts(ctx, ledger.QueryFilter{}); return err },
		"QueryTransfers":      func() error { _, err := l.QueryTransfers(ctx, ledger.QueryFilter{}); return err },
	}
	for name, read := range reads {
		err := read()
		require.NotErrorIs(t, err, ledger.ErrOutcomeUnknown, name)
		require.ErrorIs(t, err, context.Canceled, name)
	}
	_, err := l.CreateTransfers(ctx, nil)
	require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
}
