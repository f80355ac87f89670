package retryledger

import (
	"context"
	"errors"

	"github.com/peerledger/peerledger/ledger"
)

// readError is the error of a read with a lost answer. A read changes nothing, so its outcome
// cannot be unknown: a caller about to book must not learn from a failed look-up that the booking
// may have been made.
type readError struct{ cause error }

func (e *readError) Error() string { return "read, nothing changed: " + e.cause.Error() }

// Is reports whether the cause matches target, unless target is [ledger.ErrOutcomeUnknown].
func (e *readError) Is(target error) bool {
	return target != ledger.ErrOutcomeUnknown && errors.Is(e.cause, target)
}

// As finds a typed error in the cause.
func (e *readError) As(target any) bool { return errors.As(e.cause, target) }

// wrapReadError turns [ledger.ErrOutcomeUnknown] into a readError.
func wrapReadError(err error) error {
	if errors.Is(err, ledger.ErrOutcomeUnknown) {
		return &readError{err}
	}
	return err
}

// LookupAccounts looks accounts up. Like the other reads, it never returns
// [ledger.ErrOutcomeUnknown].
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
