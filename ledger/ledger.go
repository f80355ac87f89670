package ledger

import "context"

// Limits of a request, measured on TigerBeetle 0.17.9. A larger request returns [ErrTooMuchData].
const (
	// BatchMax is the largest number of events in a create or look-up request to a server with
	// default settings. A server started with --development takes fewer: 253 creates, 2031
	// look-ups.
	BatchMax = 8189
	// QueryMax is the largest limit of an [AccountFilter] and a [QueryFilter].
	QueryMax = 8189
	// ChangeEventsMax is the largest limit of a [ChangeEventsFilter].
	ChangeEventsMax = 2730
)

// Ledger is a double-entry store with TigerBeetle's semantics: a TigerBeetle cluster, or the
// embedded ledger.
//
// Requests are serializable. Each runs whole and alone, and sees every request that was answered
// before it was sent. All methods may be called concurrently. Slices passed to a method are
// neither changed nor kept; returned slices belong to the caller.
//
// The answer to a create request has one result for each event, in the order of the events. An
// empty request has an empty answer. A refused event is a result and not an error. Errors
// concern the whole request:
//
//   - [ErrOutcomeUnknown]: the request was sent and its answer was lost. Its events may have
//     been applied. With every other error nothing was applied.
//   - [ErrTooMuchData]: the request has more events, or a higher limit, than the ledger takes.
//   - [ErrClosed]: Close was called, or the ledger has ended by itself.
//   - the context's own error: the context ended before the request was sent.
type Ledger interface {
	// CreateAccounts creates accounts, at most [BatchMax].
	CreateAccounts(ctx context.Context, accounts []Account) ([]CreateAccountResult, error)
	// CreateTransfers creates transfers, at most [BatchMax]: single-phase and pending transfers,
	// posts and voids.
	CreateTransfers(ctx context.Context, transfers []Transfer) ([]CreateTransferResult, error)
	// LookupAccounts returns the accounts with the given ids, in the order of the ids. An unknown
	// id has no row in the answer, a repeated id has one row each time.
	LookupAccounts(ctx context.Context, ids []ID) ([]Account, error)
	// LookupTransfers returns the transfers with the given ids, as LookupAccounts does.
	LookupTransfers(ctx context.Context, ids []ID) ([]Transfer, error)
	// GetAccountTransfers returns the transfers of one account, by time.
	GetAccountTransfers(ctx context.Context, filter AccountFilter) ([]Transfer, error)
	// GetAccountBalances returns the account's balances right after each transfer that
	// GetAccountTransfers would return. The answer is empty for an account without
	// [AccountHistory].
	GetAccountBalances(ctx context.Context, filter AccountFilter) ([]AccountBalance, error)
	// QueryAccounts returns the matching accounts, by time of creation.
	QueryAccounts(ctx context.Context, filter QueryFilter) ([]Account, error)
	// QueryTransfers returns the matching transfers, by time.
	QueryTransfers(ctx context.Context, filter QueryFilter) ([]Transfer, error)
	// Close ends the use of the ledger. Requests under way may return [ErrOutcomeUnknown], later
	// requests return [ErrClosed]. A second Close does nothing.
	Close() error
}

// ChangeFeed is an optional interface of a [Ledger]: the changes of the books in the order of
// time. TigerBeetle calls the operation experimental.
type ChangeFeed interface {
	// GetChangeEvents returns change events, oldest first. The limit of the filter is at most
	// [ChangeEventsMax]. The errors are those listed at [Ledger].
	GetChangeEvents(ctx context.Context, filter ChangeEventsFilter) ([]ChangeEvent, error)
}
