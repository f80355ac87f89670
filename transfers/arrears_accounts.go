package transfers

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// arrearsAccounts remembers which peers have an arrears account in the ledger. Versions
// without arrears provisioned none, and a debit of a missing account burns the transfer's id.
type arrearsAccounts struct {
	book *accounts.Book

	mu    sync.Mutex
	known map[ledger.ID]struct{} // by peer account; accounts are never removed from a ledger
}

func newArrearsAccounts(book *accounts.Book) *arrearsAccounts {
	return &arrearsAccounts{book: book, known: make(map[ledger.ID]struct{})}
}

// ensureCreated creates the arrears accounts of peers not known to have one, in one request.
// The error matches [ledger.ErrClosed] if the ledger is closed, and no ledger error
// besides: the outcome of the request does not matter, since no transfer was sent.
func (e *arrearsAccounts) ensureCreated(ctx context.Context, peers []accounts.PeerAccount) error {
	missing := e.listUnknown(peers)
	if len(missing) == 0 {
		return nil
	}
	err := e.book.EnsureArrears(ctx, missing...)
	var drift *accounts.DriftError
	switch {
	case err == nil, errors.As(err, &drift): // an account with other fields exists all the same
	case errors.Is(err, ledger.ErrClosed):
		return fmt.Errorf("create arrears accounts: %w", ledger.ErrClosed)
	default:
		return fmt.Errorf("create arrears accounts: %v", err) //nolint:errorlint // must not match ErrOutcomeUnknown
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, a := range missing {
		e.known[a.ID()] = struct{}{}
	}
	return nil
}

// listUnknown returns the peers not known to have an arrears account, each once.
func (e *arrearsAccounts) listUnknown(peers []accounts.PeerAccount) []accounts.PeerAccount {
	e.mu.Lock()
	defer e.mu.Unlock()
	var unknown []accounts.PeerAccount
	listed := make(map[ledger.ID]struct{})
	for _, a := range peers {
		_, isKnown := e.known[a.ID()]
		_, isListed := listed[a.ID()]
		if isKnown || isListed {
			continue
		}
		listed[a.ID()] = struct{}{}
		unknown = append(unknown, a)
	}
	return unknown
}
