package ledger

import "context"

const (
	// BatchMax is how many events one create or look-up request may carry on a
	// server with default settings. A server started with --development takes
	// fewer (253 creates, 2031 look-ups); whoever exceeds what the ledger at
	// hand takes learns it from ErrTooMuchData. These limits, and those below,
	// were measured on TigerBeetle 0.17.9.
	BatchMax = 8189
	// QueryMax is the largest limit of a filter.
	QueryMax = 8189
	// ChangeEventsMax is the largest limit of a change events filter.
	ChangeEventsMax = 2730
)

// Ledger is a double-entry store with TigerBeetle's semantics: the embedded
// ledger, or a TigerBeetle cluster.
//
// Requests are serializable: each is executed whole and alone, in an order in
// which every request sees all that was answered before it was sent. All
// methods may be called concurrently; slices given to a method are not changed
// and not kept, slices returned belong to the caller.
//
// Creates answer densely: one result per event, in the order of the events; an
// empty request is answered with an empty slice. A refused event is a result,
// not an error. The errors are those of the request as a whole, and nothing was
// applied but with the first of them:
//
//   - ErrOutcomeUnknown: the request was handed over and its answer is lost;
//   - ErrTooMuchData: more events or a higher limit than the ledger takes;
//   - ErrClosed: Close was called, or the ledger has come to its end by itself;
//   - the context's own error: it ended before the request was handed over.
type Ledger interface {
	// CreateAccounts creates accounts, at most BatchMax.
	CreateAccounts(ctx context.Context, accounts []Account) ([]CreateAccountResult, error)
	// CreateTransfers creates transfers, at most BatchMax: single-phase,
	// pending, posts and voids.
	CreateTransfers(ctx context.Context, transfers []Transfer) ([]CreateTransferResult, error)
	// LookupAccounts returns the accounts with these ids, in the order asked.
	// Unknown ids are left out, an id asked twice is answered twice.
	LookupAccounts(ctx context.Context, ids []ID) ([]Account, error)
	// LookupTransfers returns the transfers with these ids, like LookupAccounts.
	LookupTransfers(ctx context.Context, ids []ID) ([]Transfer, error)
	// GetAccountTransfers returns the transfers of one account by time.
	GetAccountTransfers(ctx context.Context, filter AccountFilter) ([]Transfer, error)
	// GetAccountBalances returns the account's balances after each transfer
	// that GetAccountTransfers would return; nothing for an account without
	// the history flag.
	GetAccountBalances(ctx context.Context, filter AccountFilter) ([]AccountBalance, error)
	// QueryAccounts returns the accounts that match, by time of creation.
	QueryAccounts(ctx context.Context, filter QueryFilter) ([]Account, error)
	// QueryTransfers returns the transfers that match, by time.
	QueryTransfers(ctx context.Context, filter QueryFilter) ([]Transfer, error)
	// Close ends the ledger's use. Requests under way may end with
	// ErrOutcomeUnknown, later ones with ErrClosed. A second Close does nothing.
	Close() error
}

// ChangeFeed is the optional second interface of a Ledger: what happened to the
// books, in order of time. TigerBeetle calls the operation experimental.
type ChangeFeed interface {
	// GetChangeEvents returns change events, oldest first. The errors are those
	// of Ledger; the limit may be at most ChangeEventsMax.
	GetChangeEvents(ctx context.Context, filter ChangeEventsFilter) ([]ChangeEvent, error)
}
