package embedded

import (
	"fmt"

	"github.com/peerledger/peerledger/internal/segment"
	"github.com/peerledger/peerledger/ledger"
)

// repetition repeats the events of a segment's time in their order, on the states of the accounts
// before them. So a segment needs no balances after each row.
type repetition struct {
	cold     *coldStore
	segment  coldSegment
	accounts map[accountPosition]*ledger.Account
	// others stands for all other accounts, whose states do not matter; nil if there are none.
	others   *ledger.Account
	holds    map[position]effect // open holds of the segment's time
	expiries []segment.Expiry    // not repeated yet
}

// newRepetition begins a repetition of all events of a segment.
func (c *coldStore) newRepetition(of coldSegment) (*repetition, error) {
	starts, err := of.ReadStarts()
	if err != nil {
		return nil, err
	}
	r := &repetition{cold: c, segment: of, accounts: make(map[accountPosition]*ledger.Account, len(starts))}
	for i := range starts {
		r.addStart(&starts[i])
	}
	return r, r.readExpiries()
}

// newAccountRepetition begins a repetition of the events of one account, which has some.
func (c *coldStore) newAccountRepetition(of coldSegment, account accountPosition) (*repetition, error) {
	start, ok, err := of.FindStart(uint32(account))
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, fmt.Errorf("embedded: %s has a transfer of account %d, and not its state before: %w", of.FileName(), account, ErrCorrupt)
	}
	r := &repetition{cold: c, segment: of, accounts: make(map[accountPosition]*ledger.Account), others: new(ledger.Account)}
	r.addStart(&start)
	return r, r.readExpiries()
}

func (r *repetition) readExpiries() (err error) {
	r.holds = make(map[position]effect)
	r.expiries, err = r.segment.ReadExpiries()
	return err
}

func (r *repetition) addStart(s *segment.Start) {
	r.accounts[accountPosition(s.Account)] = &ledger.Account{
		DebitsPending: s.DebitsPending, DebitsPosted: s.DebitsPosted,
		CreditsPending: s.CreditsPending, CreditsPosted: s.CreditsPosted,
		Flags: s.Flags,
	}
}

// accountAt returns the account at a position.
func (r *repetition) accountAt(pos accountPosition) (*ledger.Account, error) {
	if a := r.accounts[pos]; a != nil {
		return a, nil
	}
	if r.others == nil {
		return nil, fmt.Errorf("embedded: %s has an event of account %d, and not its state before: %w", r.segment.FileName(), pos, ErrCorrupt)
	}
	return r.others, nil
}

// concerns reports whether one of the accounts has a state that matters.
func (r *repetition) concerns(debit, credit uint32) bool {
	return r.others == nil || r.accounts[accountPosition(debit)] != nil || r.accounts[accountPosition(credit)] != nil
}

// holdAt returns the hold at a position: of the segment, or of an older one.
func (r *repetition) holdAt(pos position) (effect, error) {
	if hold, ok := r.holds[pos]; ok {
		return hold, nil
	}
	hold, err := r.cold.readRow(pos)
	if err != nil {
		return effect{}, err
	}
	return effectOf(&hold.Transfer), nil
}

// repeatRow repeats a row. The expiries before it are repeated already.
func (r *repetition) repeatRow(pos position, row *segment.Row) (after statePair, err error) {
	debit, credit, err := r.accountsAt(row.Debit, row.Credit)
	if err != nil {
		return after, err
	}
	if position(row.Hold) == noPosition {
		applyMovement(effectOf(&row.Transfer), debit, credit)
		if row.Flags.Has(ledger.TransferPending) {
			r.holds[pos] = effectOf(&row.Transfer)
		}
		return statePair{stateOf(debit), stateOf(credit)}, nil
	}
	hold, err := r.holdAt(position(row.Hold))
	if err != nil {
		return after, err
	}
	delete(r.holds, position(row.Hold))
	applyResolution(effectOf(&row.Transfer), hold, debit, credit)
	return statePair{stateOf(debit), stateOf(credit)}, nil
}

// repeatExpiry repeats the next expiry.
func (r *repetition) repeatExpiry() (after statePair, err error) {
	e := r.expiries[0]
	r.expiries = r.expiries[1:]
	debit, credit, err := r.accountsAt(e.Debit, e.Credit)
	if err != nil {
		return after, err
	}
	hold, err := r.holdAt(position(e.Hold))
	if err != nil {
		return after, err
	}
	delete(r.holds, position(e.Hold))
	releaseHold(hold, debit, credit)
	return statePair{stateOf(debit), stateOf(credit)}, nil
}

func (r *repetition) accountsAt(debit, credit uint32) (d, c *ledger.Account, err error) {
	if d, err = r.accountAt(accountPosition(debit)); err != nil {
		return nil, nil, err
	}
	c, err = r.accountAt(accountPosition(credit))
	return d, c, err
}

// expiryIsNext reports whether the next expiry comes before the transfer at the position.
func (r *repetition) expiryIsNext(pos position) bool {
	return len(r.expiries) > 0 && position(r.expiries[0].NextTransfer) <= pos
}

// selectedBalances returns the balances of the selection's account, which is at the position, after
// the selected transfers, at most limit.
func (c *coldStore) selectedBalances(account accountPosition, s *selection, limit int) (found []ledger.AccountBalance, err error) {
	for segment := range c.selectSegments(s) {
		rows, err := c.balancesIn(segment, account, s, limit-len(found))
		if err != nil {
			return nil, err
		}
		if found = append(found, rows...); len(found) == limit {
			break
		}
	}
	return found, nil
}

// balancesIn returns the balances of a segment after the selected transfers.
func (c *coldStore) balancesIn(of coldSegment, account accountPosition, s *selection, limit int) ([]ledger.AccountBalance, error) {
	found, err := selectRows(of, s, limit)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	places, last := make(map[uint64]int, len(found)), uint64(0)
	for i := range found {
		places[found[i].Timestamp] = i
		last = max(last, found[i].Timestamp)
	}
	r, err := c.newAccountRepetition(of, account)
	if err != nil {
		return nil, err
	}
	answer := make([]ledger.AccountBalance, len(found))
	err = r.repeatAccount(account, s.account, last, func(timestamp uint64, state *accountState) {
		if i, ok := places[timestamp]; ok {
			answer[i] = balanceAt(state, timestamp)
		}
	})
	return answer, err
}

// repeatAccount repeats the events of an account up to the transfer with the timestamp last, and
// passes the account's state after each of its transfers.
func (r *repetition) repeatAccount(
	account accountPosition, id ledger.ID, last uint64, after func(timestamp uint64, state *accountState),
) error {
	rows, err := r.segment.rowsOfAccount(id)
	if err != nil {
		return err
	}
	for row, err := range rows {
		if err != nil {
			return err
		}
		if row.row.Timestamp > last {
			return nil
		}
		if !r.concerns(row.row.Debit, row.row.Credit) {
			continue
		}
		if err := r.repeatExpiries(row.position); err != nil {
			return err
		}
		states, err := r.repeatRow(row.position, row.row)
		if err != nil {
			return err
		}
		if accountPosition(row.row.Debit) == account {
			after(row.row.Timestamp, &states.debit)
		} else {
			after(row.row.Timestamp, &states.credit)
		}
	}
	return nil
}

// repeatExpiries repeats the expiries before the transfer at a position that concern the accounts.
func (r *repetition) repeatExpiries(before position) error {
	for r.expiryIsNext(before) {
		if e := r.expiries[0]; !r.concerns(e.Debit, e.Credit) {
			r.expiries = r.expiries[1:]
			continue
		}
		if _, err := r.repeatExpiry(); err != nil {
			return err
		}
	}
	return nil
}
