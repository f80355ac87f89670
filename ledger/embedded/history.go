package embedded

import "github.com/peerledger/peerledger/ledger"

// history has the states of the accounts right after every transfer and every expiry. Like an index
// it costs a write nothing: a query first repeats all transfers since the last query on its own
// copy of the accounts.
type history struct {
	accounts       rows[ledger.Account] // after the transfers and expiries read so far
	transferStates rows[statePair]      // one for each transfer read
	expiryStates   rows[statePair]      // one for each expiry read
}

// statePair is the states of a transfer's two accounts right after a change.
type statePair struct{ debit, credit accountState }

// catchUp reads up to the end of the books.
func (h *history) catchUp(b *books) {
	for h.accounts.count < b.accounts.count {
		h.addAccount(b.accounts.rowAt(h.accounts.count))
	}
	for {
		switch {
		case h.expiryStates.count < b.expired.count && b.expired.rowAt(h.expiryStates.count).nextTransfer == h.transferStates.count:
			hold := b.transfers.rowAt(b.expired.rowAt(h.expiryStates.count).hold)
			debit, credit := h.accounts.rowAt(hold.debit), h.accounts.rowAt(hold.credit)
			releaseHold(&hold.Transfer, debit, credit)
			*h.expiryStates.appendRow() = statePair{stateOf(debit), stateOf(credit)}
		case h.transferStates.count < b.transfers.count:
			t := b.transfers.rowAt(h.transferStates.count)
			debit, credit := h.accounts.rowAt(t.debit), h.accounts.rowAt(t.credit)
			b.repeatTransfer(t, debit, credit)
			*h.transferStates.appendRow() = statePair{stateOf(debit), stateOf(credit)}
		default:
			return
		}
	}
}

// addAccount adds the account as it was created: empty and open, because an account created closed
// never has a transfer.
func (h *history) addAccount(a *ledger.Account) {
	created := h.accounts.appendRow()
	*created = ledger.Account{Flags: a.Flags &^ ledger.AccountClosed}
}

// repeatTransfer applies a stored transfer to the accounts.
func (b *books) repeatTransfer(t *storedTransfer, debit, credit *ledger.Account) {
	if t.Flags.Any(ledger.TransferPostPending | ledger.TransferVoidPending) {
		hold := b.findTransfer(t.PendingID)
		applyResolution(&t.Transfer, &hold.Transfer, debit, credit)
		return
	}
	applyMovement(&t.Transfer, debit, credit)
}
