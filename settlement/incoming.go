package settlement

import (
	"context"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// Incoming is a payment of a peer to us, as a settlement rail reports it.
type Incoming struct {
	Account accounts.Account
	// Key is the sender's name for the payment, not empty: the same in every
	// report of it, and another for every other payment of the account.
	Key    string
	Amount ledger.Amount // units
}

// Outgoing is a payment of ours to a peer that no order asked for: made by hand,
// or by another system.
type Outgoing struct {
	Account accounts.Account
	// Key names the payment, not empty, as in Incoming. Keys of incoming
	// payments and of outgoing ones do not meet.
	Key    string
	Amount ledger.Amount // units
}

// Receive books what a peer paid: it pays down what the peer owes, and the rest
// is shown as prepaid. It may be called any number of times for one payment, from
// any process, and books it once; there is no time after which a key is
// forgotten. The money of a peer whose account is closed is booked into suspense.
//
// Errors are *BookingErrors: ErrKeyReused, accounts.ErrNotProvisioned,
// accounts.ErrUnknownAsset, accounts.ErrInvalid, ErrAccountClosed if suspense is
// closed too, or the error of a request. After ledger.ErrOutcomeUnknown it may be
// booked or not: call again. ErrClosed after Close.
func (e *Engine) Receive(ctx context.Context, in Incoming) (Receipt, error) {
	ids := e.book.PeerIDs(in.Account)
	own, _ := e.book.AssetIDs(in.Account.Ledger())
	return e.record(ctx, in.Account, keyedPayment{
		kind: "in", key: in.Key, suspense: own.Suspense,
		row: ledger.Transfer{
			DebitAccountID: ids.Settlement, CreditAccountID: ids.Peer,
			Amount: in.Amount, Code: chart.CodeIncoming,
		},
	})
}

// RecordPaid books what was paid to a peer without an order. It books one payment
// once, as Receive does.
//
// It waits for an order of the account that is being paid by this Engine, so that
// what one of them pays is seen by the other. Other engines are not waited for: a
// payment by hand while they settle with the peer can make the sum of both more
// than packets earned.
//
// The errors are those of Receive, and two more *BookingErrors that book nothing
// and leave the key free for another call: ErrNotCovered if the peer account has
// less than the amount, ErrAccountClosed if it is closed.
func (e *Engine) RecordPaid(ctx context.Context, out Outgoing) (Receipt, error) {
	ids := e.book.PeerIDs(out.Account)
	return e.record(ctx, out.Account, keyedPayment{
		kind: "out", key: out.Key,
		row: ledger.Transfer{
			DebitAccountID: ids.Peer, CreditAccountID: ids.Settlement,
			Amount: out.Amount, Code: chart.CodeOutgoing,
		},
	})
}

func (e *Engine) record(ctx context.Context, account accounts.Account, p keyedPayment) (Receipt, error) {
	if !e.begin() {
		return Receipt{}, ErrClosed
	}
	defer e.work.Done()
	receipt, err := e.bookInTurn(ctx, account, p)
	if unknownAccount(err) {
		e.register.forget(account) // its turn has made it known
	}
	if err != nil {
		return Receipt{}, &BookingError{Account: account, Key: p.key, Amount: p.row.Amount, Err: err}
	}
	e.Look([]accounts.Account{account})
	return receipt, nil
}

// bookInTurn books a payment. What is taken from the peer takes its turn with
// the account's orders; what comes in need not, since it never makes an order too
// large.
func (e *Engine) bookInTurn(ctx context.Context, account accounts.Account, p keyedPayment) (Receipt, error) {
	if err := e.checkKeyed(account, p.key, p.row.Amount); err != nil {
		return Receipt{}, err
	}
	if p.outgoing() {
		v, err := e.enter(ctx, account)
		if err != nil {
			return Receipt{}, err
		}
		defer func() {
			e.register.release(v)
			e.wakeLoop() // it passes over an account that somebody is at
		}()
	}
	if err := e.mayBook(ctx, account, p); err != nil {
		return Receipt{}, err
	}
	return e.bookOnce(ctx, account, p)
}
