package transfers

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// arrearsAccounts is the peers whose arrears accounts the ledger is known to have. A version before
// arrears did not provision them, and a debit of a missing account burns the transfer's id.
type arrearsAccounts struct {
	book *accounts.Book

	mu    sync.Mutex
	known map[ledger.ID]struct{} // by the peer's account; no arrears account is ever taken away
}

func newArrearsAccounts(book *accounts.Book) *arrearsAccounts {
	return &arrearsAccounts{book: book, known: make(map[ledger.ID]struct{})}
}

// ensureCreated has the ledger create the arrears accounts of peers that are not known to have
// one, all in one request. The error matches ledger.ErrClosed if the ledger is closed, and
// no other error of a ledger: whatever became of the accounts, no transfer was sent.
func (e *arrearsAccounts) ensureCreated(ctx context.Context, peers []accounts.PeerAccount) error {
	missing := e.listUnknown(peers)
	if len(missing) == 0 {
		return nil
	}
	err := e.book.EnsureArrears(ctx, missing...)
	var drift *accounts.DriftError
	switch {
	case err == nil, errors.As(err, &drift): // one with other fields is there all the same
	case errors.Is(err, ledger.ErrClosed):
		return fmt.Errorf("create arrears accounts: %w", ledger.ErrClosed)
	default:
		return fmt.Errorf("create arrears accounts: %v", err) //nolint:errorlint // it must not match ErrOutcomeUnknown
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, a := range missing {
		e.known[a.ID()] = struct{}{}
	}
	return nil
}

// listUnknown are the peers among these that are not known, each once.
func (e *arrearsAccounts) listUnknown(peers []accounts.PeerAccount) []accounts.PeerAccount {
	e.mu.Lock()
	defer e.mu.Unlock()
	var missing []accounts.PeerAccount
	seen := make(map[ledger.ID]struct{})
	for _, a := range peers {
		_, known := e.known[a.ID()]
		if _, twice := seen[a.ID()]; known || twice {
			continue
		}
		seen[a.ID()] = struct{}{}
		missing = append(missing, a)
	}
	return missing
}
