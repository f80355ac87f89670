package embedded

import "github.com/peerledger/peerledger/ledger"

// sum is a+b where the rules have made sure that it fits 128 bits: both are
// parts of one side of an account, or checkOverflows let b pass.
func sum(a, b ledger.Amount) ledger.Amount {
	s, _ := a.Add(b)
	return s
}

// difference is a-b where b is part of a.
func difference(a, b ledger.Amount) ledger.Amount {
	d, _ := a.Sub(b)
	return d
}

func overflows(a, b ledger.Amount) bool {
	_, fits := a.Add(b)
	return !fits
}

// allDebits is what stands on the debit side of the account, pending and posted.
func allDebits(a *ledger.Account) ledger.Amount { return sum(a.DebitsPending, a.DebitsPosted) }

// allCredits is what stands on the credit side of the account.
func allCredits(a *ledger.Account) ledger.Amount { return sum(a.CreditsPending, a.CreditsPosted) }

// balancedAmount is the amount of the transfer, cut by its balancing flags to
// what the accounts can take at the moment. Pending amounts on the side that is
// to be filled up do not count, and limit flags play no part.
func balancedAmount(t *ledger.Transfer, debit, credit *ledger.Account) ledger.Amount {
	amount := t.Amount
	if t.Flags.Has(ledger.TransferBalancingDebit) {
		amount = amount.Min(debit.CreditsPosted.SubFloor(allDebits(debit)))
	}
	if t.Flags.Has(ledger.TransferBalancingCredit) {
		amount = amount.Min(credit.DebitsPosted.SubFloor(allCredits(credit)))
	}
	return amount
}

// checkOverflows sees to it that no balance, and no sum of the pending and the
// posted balance of one side, exceeds 128 bits. A pending transfer has to fit
// the posted balance too.
func checkOverflows(
	t *ledger.Transfer, amount ledger.Amount, debit, credit *ledger.Account, slot uint64,
) ledger.CreateTransferStatus {
	pending := t.Flags.Has(ledger.TransferPending)
	switch {
	case pending && overflows(amount, debit.DebitsPending):
		return ledger.TransferOverflowsDebitsPending
	case pending && overflows(amount, credit.CreditsPending):
		return ledger.TransferOverflowsCreditsPending
	case overflows(amount, debit.DebitsPosted):
		return ledger.TransferOverflowsDebitsPosted
	case overflows(amount, credit.CreditsPosted):
		return ledger.TransferOverflowsCreditsPosted
	case overflows(amount, allDebits(debit)):
		return ledger.TransferOverflowsDebits
	case overflows(amount, allCredits(credit)):
		return ledger.TransferOverflowsCredits
	case slot+nanoseconds(t.Timeout) > ledger.TimestampMax:
		return ledger.TransferOverflowsTimeout
	default:
		return ledger.TransferCreated
	}
}

// checkLimits looks at the two limits that a transfer can strain. The debit
// account's limit on credits and the credit account's limit on debits only get
// looser.
func checkLimits(amount ledger.Amount, debit, credit *ledger.Account) ledger.CreateTransferStatus {
	switch {
	case debit.Flags.Has(ledger.AccountDebitsMustNotExceedCredits) &&
		debit.CreditsPosted.Less(sum(allDebits(debit), amount)):
		return ledger.TransferExceedsCredits
	case credit.Flags.Has(ledger.AccountCreditsMustNotExceedDebits) &&
		credit.DebitsPosted.Less(sum(allCredits(credit), amount)):
		return ledger.TransferExceedsDebits
	default:
		return ledger.TransferCreated
	}
}

// What follows is all that ever changes an account. It works on stored transfers
// only, so that history can do it again.

// move does what a single-phase or pending transfer does to its accounts.
func move(t *ledger.Transfer, debit, credit *ledger.Account) {
	if t.Flags.Has(ledger.TransferPending) {
		debit.DebitsPending = sum(debit.DebitsPending, t.Amount)
		credit.CreditsPending = sum(credit.CreditsPending, t.Amount)
	} else {
		debit.DebitsPosted = sum(debit.DebitsPosted, t.Amount)
		credit.CreditsPosted = sum(credit.CreditsPosted, t.Amount)
	}
	if t.Flags.Has(ledger.TransferClosingDebit) {
		debit.Flags |= ledger.AccountClosed
	}
	if t.Flags.Has(ledger.TransferClosingCredit) {
		credit.Flags |= ledger.AccountClosed
	}
}

// settle does what a post or void does to the accounts of its hold.
func settle(t, hold *ledger.Transfer, debit, credit *ledger.Account) {
	release(hold, debit, credit)
	if t.Flags.Has(ledger.TransferPostPending) {
		debit.DebitsPosted = sum(debit.DebitsPosted, t.Amount)
		credit.CreditsPosted = sum(credit.CreditsPosted, t.Amount)
	}
}

// release frees what the hold holds and opens what it closed. A hold that closed
// an account is never posted, so a post that comes here opens nothing.
func release(hold *ledger.Transfer, debit, credit *ledger.Account) {
	debit.DebitsPending = difference(debit.DebitsPending, hold.Amount)
	credit.CreditsPending = difference(credit.CreditsPending, hold.Amount)
	if hold.Flags.Has(ledger.TransferClosingDebit) {
		debit.Flags &^= ledger.AccountClosed
	}
	if hold.Flags.Has(ledger.TransferClosingCredit) {
		credit.Flags &^= ledger.AccountClosed
	}
}
