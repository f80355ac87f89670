package embedded

import "github.com/peerledger/peerledger/ledger"

// history has the states of the accounts right after every transfer and every expiry of a
// generation. Like an index it costs a write nothing: a query first repeats all transfers since the
// last query on its own copies of the accounts touched.
type history struct {
	// accounts are those touched, after the transfers and expiries read so far; nil once all of a
	// frozen generation are read.
	accounts       map[accountPosition]*ledger.Account
	startsRead     place           // starts put into accounts so far
	transferStates rows[statePair] // one for each transfer read
	expiryStates   rows[statePair] // one for each expiry read
}

// statePair is the states of a transfer's two accounts right after a change.
type statePair struct{ debit, credit accountState }

// catchUp reads up to the end of the generation. An error comes from reading an older hold.
func (b *books) catchUp(g *generation) error {
	h := &g.history
	if h.accounts == nil {
		h.accounts = make(map[accountPosition]*ledger.Account)
	}
	for ; h.startsRead < g.starts.count; h.startsRead++ {
		start := g.starts.rowAt(h.startsRead)
		start.state.setOn(b.accountIn(h, start.account))
	}
	for {
		switch {
		case h.expiryStates.count < g.expired.count &&
			g.expired.rowAt(h.expiryStates.count).nextTransfer == g.positionOf(h.transferStates.count):
			e := g.expired.rowAt(h.expiryStates.count)
			hold, err := b.transferAt(e.hold)
			if err != nil {
				return err
			}
			debit, credit := b.accountIn(h, e.debit), b.accountIn(h, e.credit)
			releaseHold(hold.effect(), debit, credit)
			*h.expiryStates.appendRow() = statePair{stateOf(debit), stateOf(credit)}
		case h.transferStates.count < g.transfers.count:
			t := g.transfers.rowAt(h.transferStates.count)
			debit, credit := b.accountIn(h, t.debit), b.accountIn(h, t.credit)
			if err := b.repeatTransfer(t, debit, credit); err != nil {
				return err
			}
			*h.transferStates.appendRow() = statePair{stateOf(debit), stateOf(credit)}
		default:
			if g != b.hot {
				h.accounts = nil
			}
			return nil
		}
	}
}

// accountIn returns an account of a history. In memory every account is empty and open before its first
// change, as it was created: an account created closed never has a transfer. In a folder the starts say
// how it was.
func (b *books) accountIn(h *history, pos accountPosition) *ledger.Account {
	a := h.accounts[pos]
	if a == nil {
		a = &ledger.Account{Flags: b.accountAt(pos).Flags &^ ledger.AccountClosed}
		h.accounts[pos] = a
	}
	return a
}

// repeatTransfer applies a stored transfer to the accounts.
func (b *books) repeatTransfer(t *storedTransfer, debit, credit *ledger.Account) error {
	holdPos := t.hold.position()
	if holdPos == noPosition {
		applyMovement(t.effect(), debit, credit)
		return nil
	}
	hold, err := b.transferAt(holdPos)
	if err != nil {
		return err
	}
	applyResolution(t.effect(), hold.effect(), debit, credit)
	return nil
}
