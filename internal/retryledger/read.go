package retryledger

import (
	"context"
	"errors"

	"github.com/peerledger/peerledger/ledger"
)

// readError is the error of a read whose answer is lost. A read changes nothing, so it has no
// outcome that could be unknown: whoever asks for something to be booked must not be told that
// it may be booked because a look-up before it has failed.
type readError struct{ cause error }

func (e *readError) Error() string { return "read, nothing changed: " + e.cause.Error() }

// Is reports whether target is anything of the cause but ledger.ErrOutcomeUnknown.
func (e *readError) Is(target error) bool {
	return target != ledger.ErrOutcomeUnknown && errors.Is(e.cause, target)
}

// As finds a typed error in the cause.
func (e *readError) As(target any) bool { return errors.As(e.cause, target) }

// wrapReadError is the error of a read.
func wrapReadError(err error) error {
	if errors.Is(err, ledger.ErrOutcomeUnknown) {
		return &readError{err}
	}
	return err
}

// LookupAccounts never ends with ledger.ErrOutcomeUnknown, nor do the other reads.
func (r Ledger) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	rows, err := r.Ledger.LookupAccounts(ctx, ids)
	return rows, wrapReadError(err)
}

// LookupTransfers looks transfers up.
func (r Ledger) LookupTransfers(ctx context.Context, ids []ledger.ID) ([]ledger.Transfer, error) {
	rows, err := r.Ledger.LookupTransfers(ctx, ids)
	return rows, wrapReadError(err)
}

// GetAccountTransfers reads the transfers of an account.
func (r Ledger) GetAccountTransfers(ctx context.Context, f ledger.AccountFilter) ([]ledger.Transfer, error) {
	rows, err := r.Ledger.GetAccountTransfers(ctx, f)
	return rows, wrapReadError(err)
}

// GetAccountBalances reads the balances of an account.
func (r Ledger) GetAccountBalances(ctx context.Context, f ledger.AccountFilter) ([]ledger.AccountBalance, error) {
	rows, err := r.Ledger.GetAccountBalances(ctx, f)
	return rows, wrapReadError(err)
}

// QueryAccounts finds accounts.
func (r Ledger) QueryAccounts(ctx context.Context, f ledger.QueryFilter) ([]ledger.Account, error) {
	rows, err := r.Ledger.QueryAccounts(ctx, f)
	return rows, wrapReadError(err)
}

// QueryTransfers finds transfers.
func (r Ledger) QueryTransfers(ctx context.Context, f ledger.QueryFilter) ([]ledger.Transfer, error) {
	rows, err := r.Ledger.QueryTransfers(ctx, f)
	return rows, wrapReadError(err)
}
