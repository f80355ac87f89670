package embedded

import "github.com/peerledger/peerledger/ledger"

// history knows what the accounts looked like right after every transfer and
// every expiry. Like an index it costs a write nothing: when it is asked, it does
// again what has been done since it was asked last, on its own copy of the
// accounts.
type history struct {
	accounts rows[ledger.Account] // as they were after what has been read
	moments  rows[moment]         // one for each transfer read
	expired  rows[moment]         // one for each expiry read
}

// moment is the two accounts of a transfer as they were right after something
// happened to it.
type moment struct{ debit, credit snapshot }

// catchUp reads on to the end of the books.
func (h *history) catchUp(b *books) {
	for h.accounts.len < b.accounts.len {
		h.addAccount(b.accounts.at(h.accounts.len))
	}
	for {
		switch {
		case h.expired.len < b.expired.len && b.expired.at(h.expired.len).next == h.moments.len:
			hold := b.transfers.at(b.expired.at(h.expired.len).hold)
			debit, credit := h.accounts.at(hold.debit), h.accounts.at(hold.credit)
			release(&hold.Transfer, debit, credit)
			*h.expired.add() = moment{snapshotOf(debit), snapshotOf(credit)}
		case h.moments.len < b.transfers.len:
			t := b.transfers.at(h.moments.len)
			debit, credit := h.accounts.at(t.debit), h.accounts.at(t.credit)
			b.repeat(t, debit, credit)
			*h.moments.add() = moment{snapshotOf(debit), snapshotOf(credit)}
		default:
			return
		}
	}
}

// addAccount begins with the account as it was created: empty, and open, since an
// account that was created closed never has a transfer.
func (h *history) addAccount(a *ledger.Account) {
	created := h.accounts.add()
	*created = ledger.Account{Flags: a.Flags &^ ledger.AccountClosed}
}

// repeat does to the accounts what the stored transfer did.
func (b *books) repeat(t *transfer, debit, credit *ledger.Account) {
	if t.Flags.Any(ledger.TransferPostPending | ledger.TransferVoidPending) {
		hold := b.findTransfer(t.PendingID)
		settle(&t.Transfer, &hold.Transfer, debit, credit)
		return
	}
	move(&t.Transfer, debit, credit)
}
