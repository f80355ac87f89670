package ledgertest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/peerledger/peerledger/ledger"
)

// model is the books that follow from a ledger's results: a created event has had its effect, any
// other event had none. The model does not decide when an event is refused, but returns an error
// for an event that no ledger may create.
type model struct {
	accounts  []*ledger.Account    // current state, by timestamp
	transfers []ledger.Transfer    // by timestamp
	changes   []ledger.ChangeEvent // in the order in which they happened

	usedTimes     map[uint64]bool // timestamps of accounts and transfers
	accountsByID  map[ledger.ID]*ledger.Account
	transferIndex map[ledger.ID]int  // indexes of transfers
	openHolds     map[ledger.ID]bool // holds not resolved and not expired
	lastExpiry    [2]uint64          // expiry and timestamp of the hold that expired last
}

func newModel() *model {
	return &model{
		usedTimes:     make(map[uint64]bool),
		accountsByID:  make(map[ledger.ID]*ledger.Account),
		transferIndex: make(map[ledger.ID]int),
		openHolds:     make(map[ledger.ID]bool),
	}
}

// errRuleBroken is matched by all errors of a model: the ledger has broken a rule for every ledger.
var errRuleBroken = errors.New("a rule of every ledger is broken")

func (m *model) findTransfer(id ledger.ID) (ledger.Transfer, bool) {
	at, ok := m.transferIndex[id]
	if !ok {
		return ledger.Transfer{}, false
	}
	return m.transfers[at], true
}

func (m *model) createAccount(a ledger.Account, timestamp uint64) error {
	if m.accountsByID[a.ID] != nil {
		return fmt.Errorf("%w: account %v created twice", errRuleBroken, a.ID)
	}
	if n := len(m.accounts); m.usedTimes[timestamp] || (n > 0 && timestamp <= m.accounts[n-1].Timestamp) {
		return fmt.Errorf("%w: account %v created at a past timestamp", errRuleBroken, a.ID)
	}
	m.usedTimes[timestamp] = true
	a.Timestamp = timestamp
	m.accounts = append(m.accounts, &a)
	m.accountsByID[a.ID] = &a
	return nil
}

// createTransfer applies a transfer that the ledger reported as created.
func (m *model) createTransfer(t ledger.Transfer, timestamp uint64) error {
	if _, ok := m.transferIndex[t.ID]; ok {
		return fmt.Errorf("%w: transfer %v created twice", errRuleBroken, t.ID)
	}
	if n := len(m.transfers); m.usedTimes[timestamp] || (n > 0 && timestamp <= m.transfers[n-1].Timestamp) {
		return fmt.Errorf("%w: transfer %v created at a past timestamp", errRuleBroken, t.ID)
	}
	m.usedTimes[timestamp] = true
	t.Timestamp = timestamp
	var changeType ledger.ChangeEventType
	var err error
	switch {
	case t.Flags.Any(ledger.TransferPostPending | ledger.TransferVoidPending):
		changeType, err = m.applyResolution(&t)
	default:
		changeType, err = m.applyMovement(&t)
	}
	if err != nil {
		return fmt.Errorf("%w: transfer %v created though %w", errRuleBroken, t.ID, err)
	}
	m.transferIndex[t.ID] = len(m.transfers)
	m.transfers = append(m.transfers, t)
	m.recordChange(&t, changeType, timestamp)
	return nil
}

var (
	errNoAccount = errors.New("an account does not exist, or is not older than the transfer")
	errClosed    = errors.New("an account is closed")
	errOverflow  = errors.New("a balance overflows")
	errLimit     = errors.New("a limit is exceeded")
	errNotHeld   = errors.New("nothing is held under the pending id")
	errAmount    = errors.New("the hold does not allow the amount")
	errExpired   = errors.New("the hold has expired")
)

// applyMovement applies a single-phase or pending transfer. Balancing flags fix the amount.
func (m *model) applyMovement(t *ledger.Transfer) (ledger.ChangeEventType, error) {
	debit, credit := m.accountsByID[t.DebitAccountID], m.accountsByID[t.CreditAccountID]
	if debit == nil || credit == nil || t.Timestamp <= debit.Timestamp || t.Timestamp <= credit.Timestamp {
		return 0, errNoAccount
	}
	if debit.Closed() || credit.Closed() {
		return 0, errClosed
	}
	if t.Flags.Has(ledger.TransferBalancingDebit) {
		taken, _ := debit.DebitsPosted.Add(debit.DebitsPending)
		t.Amount = t.Amount.Min(debit.CreditsPosted.SubFloor(taken))
	}
	if t.Flags.Has(ledger.TransferBalancingCredit) {
		taken, _ := credit.CreditsPosted.Add(credit.CreditsPending)
		t.Amount = t.Amount.Min(credit.DebitsPosted.SubFloor(taken))
	}
	kind, out, in := ledger.ChangeEventSinglePhase, &debit.DebitsPosted, &credit.CreditsPosted
	if t.Flags.Has(ledger.TransferPending) {
		kind, out, in = ledger.ChangeEventTwoPhasePending, &debit.DebitsPending, &credit.CreditsPending
		m.openHolds[t.ID] = true
	}
	*out, _ = out.Add(t.Amount)
	*in, _ = in.Add(t.Amount)
	if out.Less(t.Amount) || in.Less(t.Amount) || overflowsBalance(debit) || overflowsBalance(credit) {
		return 0, errOverflow
	}
	if exceedsLimit(debit) || exceedsLimit(credit) {
		return 0, errLimit
	}
	if t.Flags.Has(ledger.TransferClosingDebit) {
		debit.Flags |= ledger.AccountClosed
	}
	if t.Flags.Has(ledger.TransferClosingCredit) {
		credit.Flags |= ledger.AccountClosed
	}
	return kind, nil
}

func overflowsBalance(a *ledger.Account) bool {
	_, debits := a.DebitsPending.Add(a.DebitsPosted)
	_, credits := a.CreditsPending.Add(a.CreditsPosted)
	return !debits || !credits
}

func exceedsLimit(a *ledger.Account) bool {
	debits, _ := a.DebitsPending.Add(a.DebitsPosted)
	credits, _ := a.CreditsPending.Add(a.CreditsPosted)
	return (a.Flags.Has(ledger.AccountDebitsMustNotExceedCredits) && a.CreditsPosted.Less(debits)) ||
		(a.Flags.Has(ledger.AccountCreditsMustNotExceedDebits) && a.DebitsPosted.Less(credits))
}

// applyResolution applies a post or a void. Fields left out are taken from the hold.
func (m *model) applyResolution(t *ledger.Transfer) (ledger.ChangeEventType, error) {
	hold, ok := m.findTransfer(t.PendingID)
	if !ok || !m.openHolds[t.PendingID] {
		return 0, errNotHeld
	}
	if hold.Timeout != 0 && !t.Flags.Has(ledger.TransferImported) && expiryTime(&hold) <= t.Timestamp {
		return 0, errExpired
	}
	inheritFromHold(t, &hold)
	void := t.Flags.Has(ledger.TransferVoidPending)
	if hold.Amount.Less(t.Amount) || (void && hold.Amount != t.Amount) {
		return 0, errAmount
	}
	debit, credit := m.accountsByID[hold.DebitAccountID], m.accountsByID[hold.CreditAccountID]
	if void {
		m.releaseHold(&hold)
		return ledger.ChangeEventTwoPhaseVoided, nil
	}
	if debit.Closed() || credit.Closed() {
		return 0, errClosed
	}
	m.releaseHold(&hold)
	debit.DebitsPosted, _ = debit.DebitsPosted.Add(t.Amount)
	credit.CreditsPosted, _ = credit.CreditsPosted.Add(t.Amount)
	return ledger.ChangeEventTwoPhasePosted, nil
}

// inheritFromHold fills a post or a void from its hold.
func inheritFromHold(t, hold *ledger.Transfer) {
	void := t.Flags.Has(ledger.TransferVoidPending)
	if (void && t.Amount.IsZero()) || (!void && t.Amount == ledger.AmountMax) {
		t.Amount = hold.Amount
	}
	t.DebitAccountID, t.CreditAccountID = hold.DebitAccountID, hold.CreditAccountID
	t.Ledger, t.Code = hold.Ledger, hold.Code
	if t.UserData128.IsZero() {
		t.UserData128 = hold.UserData128
	}
	if t.UserData64 == 0 {
		t.UserData64 = hold.UserData64
	}
	if t.UserData32 == 0 {
		t.UserData32 = hold.UserData32
	}
}

// releaseHold releases the held amount, and reopens the accounts closed by the hold.
func (m *model) releaseHold(hold *ledger.Transfer) {
	delete(m.openHolds, hold.ID)
	debit, credit := m.accountsByID[hold.DebitAccountID], m.accountsByID[hold.CreditAccountID]
	debit.DebitsPending, _ = debit.DebitsPending.Sub(hold.Amount)
	credit.CreditsPending, _ = credit.CreditsPending.Sub(hold.Amount)
	if hold.Flags.Has(ledger.TransferClosingDebit) {
		debit.Flags &^= ledger.AccountClosed
	}
	if hold.Flags.Has(ledger.TransferClosingCredit) {
		credit.Flags &^= ledger.AccountClosed
	}
}

func expiryTime(hold *ledger.Transfer) uint64 { return hold.Timestamp + uint64(hold.Timeout)*1e9 }

// expireHold releases an expired hold. Holds expire in the order of their expiry times, and holds
// with the same expiry time in the order of creation.
func (m *model) expireHold(id ledger.ID, timestamp uint64) error {
	hold, _ := m.findTransfer(id)
	end := [2]uint64{expiryTime(&hold), hold.Timestamp}
	switch {
	case !m.openHolds[id]:
		return fmt.Errorf("%w: %v expired, but is not held", errRuleBroken, id)
	case hold.Timeout == 0 || timestamp < end[0]:
		return fmt.Errorf("%w: %v expired before its time", errRuleBroken, id)
	case slices.Compare(end[:], m.lastExpiry[:]) <= 0:
		return fmt.Errorf("%w: %v expired after a hold with a later expiry", errRuleBroken, id)
	}
	m.lastExpiry = end
	m.releaseHold(&hold)
	m.recordChange(&hold, ledger.ChangeEventTwoPhaseExpired, timestamp)
	return nil
}

// findDueHolds returns the holds that expire at the moment or before, in the order of expiry.
func (m *model) findDueHolds(moment uint64) []ledger.Transfer {
	var due []ledger.Transfer
	for id := range m.openHolds {
		if hold, _ := m.findTransfer(id); hold.Timeout != 0 && expiryTime(&hold) <= moment {
			due = append(due, hold)
		}
	}
	slices.SortFunc(due, func(a, b ledger.Transfer) int {
		return slices.Compare([]uint64{expiryTime(&a), a.Timestamp}, []uint64{expiryTime(&b), b.Timestamp})
	})
	return due
}
