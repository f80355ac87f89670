package rfc0038

import (
	"context"
	"fmt"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// CreateError is a failed creation of an account. The settlement was not sent, or the engine does not have
// its account. It wraps the error of [Client.CreateAccount], which says nothing about the settlement.
type CreateError struct {
	Account accounts.PeerAccount
	Err     error
}

func (e *CreateError) Error() string {
	return fmt.Sprintf("create the account of %v: %v", e.Account, e.Err)
}

// Unwrap returns the cause.
func (e *CreateError) Unwrap() error { return e.Err }

func (s *Settler) createAccount(ctx context.Context, account accounts.PeerAccount, wire string) error {
	before := s.newestTaken(account)
	if err := s.client.CreateAccount(ctx, wire); err != nil {
		return &CreateError{Account: account, Err: err}
	}
	s.noteCreated(account, before)
	return nil
}

// CreateAccount creates the peer's account in the engine. Call it after [accounts.Book.Provision] and before the
// peer can pay: settlement-core 0.1.1 drops a payment to an account that it does not have, and tells nothing
// (findings/settlement-core-drops-payments-to-missing-accounts.sh). A settlement also creates an account that is
// missing. Repeat the call as often as you like. The errors are a
// [CreateError], [ErrInvalidAccountID] and [ErrDeleting].
func (s *Settler) CreateAccount(ctx context.Context, account accounts.PeerAccount) error {
	wire, err := s.cfg.IDs.WireID(account)
	if err != nil {
		return err
	}
	a, err := s.beginCall(account)
	if err != nil {
		return err
	}
	defer s.endCall(account, a)
	return s.createAccount(ctx, account, wire)
}

// EnsureAccount is [Settler.CreateAccount], and sends nothing if the engine has the account as far as this process
// knows. So [Settler.Wake] keeps its key.
func (s *Settler) EnsureAccount(ctx context.Context, account accounts.PeerAccount) error {
	s.mu.Lock()
	a := s.accounts[account]
	has := a != nil && a.created
	s.mu.Unlock()
	if has {
		return nil
	}
	return s.CreateAccount(ctx, account)
}

// DeleteAccount deletes the peer's account in the engine, after [accounts.Book.ClosePeer], which keeps all
// processes from placing orders. It refuses with [ErrKeyOpen] while an order of the account is open in the
// ledger, whichever process placed it, or has no final answer in this process: the engine would forget the key,
// and with it whether it has paid. [Settler.ForgetClosed] drops the orders that another process has closed. It
// refuses also while another call of the account is under way. Other errors are from [accounts.Book.Balances]:
// nothing was sent; and from [Client.DeleteAccount]: repeat the call.
func (s *Settler) DeleteAccount(ctx context.Context, account accounts.PeerAccount) error {
	wire, err := s.cfg.IDs.WireID(account)
	if err != nil {
		return err
	}
	a, err := s.beginDelete(account)
	if err != nil {
		return err
	}
	defer s.endDelete(account, a)
	balance, err := s.cfg.IDs.book.Balance(ctx, account)
	if err != nil {
		return err
	}
	if !balance.Settling.IsZero() {
		return fmt.Errorf("%w: an order of %v is open", ErrKeyOpen, account)
	}
	s.noteMissing(account)
	return s.client.DeleteAccount(ctx, wire)
}

// ensureAccount returns the entry of an account, a new one if there is none. The caller holds mu.
func (s *Settler) ensureAccount(account accounts.PeerAccount) *settlerAccount {
	a := s.accounts[account]
	if a == nil {
		a = new(settlerAccount)
		s.accounts[account] = a
	}
	return a
}

// setOpen notes the order of an account without a final answer; nil: none. The caller holds mu.
func (s *Settler) setOpen(account accounts.PeerAccount, a *settlerAccount, open *openKey) {
	if a.open = open; open == nil {
		delete(s.keys, account)
	} else {
		s.keys[account] = open
	}
}

// beginCall notes a call that may send requests of an account. It returns [ErrDeleting] while the account is
// being deleted. Otherwise call endCall afterwards.
func (s *Settler) beginCall(account accounts.PeerAccount) (*settlerAccount, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.ensureAccount(account)
	if a.deleting {
		return nil, fmt.Errorf("%w: %v", ErrDeleting, account)
	}
	a.calls++
	return a, nil
}

func (s *Settler) endCall(account accounts.PeerAccount, a *settlerAccount) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.calls--
	s.dropUnknown(account, a)
}

// dropUnknown removes the entry of an account if nothing is known of it. The caller holds mu.
func (s *Settler) dropUnknown(account accounts.PeerAccount, a *settlerAccount) {
	if a.open == nil && a.taken.order.IsZero() && !a.created && a.calls == 0 && !a.deleting {
		delete(s.accounts, account)
	}
}

// beginDelete keeps calls of an account from beginning. It returns an error if a call is under way, or an order
// has no final answer. Otherwise call endDelete afterwards.
func (s *Settler) beginDelete(account accounts.PeerAccount) (*settlerAccount, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.ensureAccount(account)
	switch {
	case a.deleting:
		return nil, fmt.Errorf("%w: %v", ErrDeleting, account)
	case a.open != nil:
		return nil, fmt.Errorf("%w: order %v of %v", ErrKeyOpen, a.open.order.ID, account)
	case a.calls > 0:
		return nil, fmt.Errorf("%w: a request of %v is under way", ErrKeyOpen, account)
	}
	a.deleting = true
	return a, nil
}

func (s *Settler) endDelete(account accounts.PeerAccount, a *settlerAccount) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.deleting = false
	s.dropUnknown(account, a)
}

func (s *Settler) hasCreated(a *settlerAccount) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return a.created
}

// newestTaken returns the key that Wake would send; zero if there is none.
func (s *Settler) newestTaken(account accounts.PeerAccount) ledger.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ensureAccount(account).taken.order
}

// noteCreated notes that the engine has the account. A new account may stand in an engine that has forgotten its
// keys, so Wake must not use the key of before the creation. The engine has taken a later key since.
func (s *Settler) noteCreated(account accounts.PeerAccount, before ledger.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.ensureAccount(account)
	a.created = true
	if a.taken.order == before {
		a.taken.lost = true // the order stays taken
	}
}

// noteMissing notes that the engine does not have the account, nor its keys, so Wake must not use one.
func (s *Settler) noteMissing(account accounts.PeerAccount) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.ensureAccount(account)
	a.taken.lost, a.created = true, false
}
