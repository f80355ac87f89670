package embedded

import "github.com/peerledger/peerledger/ledger"

// history has the states of the accounts right after every transfer and every expiry of a
// generation. Like an index it costs a write nothing: a query first repeats all transfers since the
// last query on its own copy of the accounts.
type history struct {
	accounts       rows[ledger.Account] // after the transfers and expiries read so far
	startsRead     position             // starts put into accounts so far
	transferStates rows[statePair]      // one for each transfer read
	expiryStates   rows[statePair]      // one for each expiry read
}

// statePair is the states of a transfer's two accounts right after a change.
type statePair struct{ debit, credit accountState }

// catchUp reads up to the end of the generation. An error comes from reading an older hold.
func (b *books) catchUp(g *generation) error {
	h := &g.history
	for h.accounts.count < b.accounts.count {
		h.addAccount(b.accounts.rowAt(h.accounts.count))
	}
	for ; h.startsRead < g.starts.count; h.startsRead++ {
		start := g.starts.rowAt(h.startsRead)
		start.state.setOn(h.accounts.rowAt(start.account))
	}
	for {
		switch {
		case h.expiryStates.count < g.expired.count &&
			g.expired.rowAt(h.expiryStates.count).nextTransfer == g.first+h.transferStates.count:
			e := g.expired.rowAt(h.expiryStates.count)
			hold, err := b.transferAt(e.hold)
			if err != nil {
				return err
			}
			debit, credit := h.accounts.rowAt(e.debit), h.accounts.rowAt(e.credit)
			releaseHold(&hold.Transfer, debit, credit)
			*h.expiryStates.appendRow() = statePair{stateOf(debit), stateOf(credit)}
		case h.transferStates.count < g.transfers.count:
			t := g.transfers.rowAt(h.transferStates.count)
			debit, credit := h.accounts.rowAt(t.debit), h.accounts.rowAt(t.credit)
			if err := b.repeatTransfer(t, debit, credit); err != nil {
				return err
			}
			*h.transferStates.appendRow() = statePair{stateOf(debit), stateOf(credit)}
		default:
			return nil
		}
	}
}

// addAccount adds an account that is empty and open, as it was created: an account created closed
// never has a transfer. The start of an account of an older generation comes before its first change.
func (h *history) addAccount(a *ledger.Account) {
	created := h.accounts.appendRow()
	*created = ledger.Account{Flags: a.Flags &^ ledger.AccountClosed}
}

// repeatTransfer applies a stored transfer to the accounts.
func (b *books) repeatTransfer(t *storedTransfer, debit, credit *ledger.Account) error {
	if t.hold == noPosition {
		applyMovement(&t.Transfer, debit, credit)
		return nil
	}
	hold, err := b.transferAt(t.hold)
	if err != nil {
		return err
	}
	applyResolution(&t.Transfer, &hold.Transfer, debit, credit)
	return nil
}
