package embedded

import "github.com/peerledger/peerledger/ledger"

// addAmounts is a+b where the rules have made sure that it fits 128 bits: both are
// parts of one side of an account, or checkOverflows let b pass.
func addAmounts(a, b ledger.Amount) ledger.Amount {
	s, _ := a.Add(b)
	return s
}

// subtractAmounts is a-b where b is part of a.
func subtractAmounts(a, b ledger.Amount) ledger.Amount {
	d, _ := a.Sub(b)
	return d
}

func sumOverflows(a, b ledger.Amount) bool {
	_, fits := a.Add(b)
	return !fits
}

// totalDebits is what stands on the debit side of the account, pending and posted.
func totalDebits(a *ledger.Account) ledger.Amount { return addAmounts(a.DebitsPending, a.DebitsPosted) }

// totalCredits is what stands on the credit side of the account.
func totalCredits(a *ledger.Account) ledger.Amount {
	return addAmounts(a.CreditsPending, a.CreditsPosted)
}

// balancedAmount is the amount of the transfer, cut by its balancing flags to
// what the accounts can take at the moment. Pending amounts on the side that is
// to be filled up do not count, and limit flags play no part.
func balancedAmount(t *ledger.Transfer, debit, credit *ledger.Account) ledger.Amount {
	amount := t.Amount
	if t.Flags.Has(ledger.TransferBalancingDebit) {
		amount = amount.Min(debit.CreditsPosted.SubFloor(totalDebits(debit)))
	}
	if t.Flags.Has(ledger.TransferBalancingCredit) {
		amount = amount.Min(credit.DebitsPosted.SubFloor(totalCredits(credit)))
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
	case pending && sumOverflows(amount, debit.DebitsPending):
		return ledger.TransferOverflowsDebitsPending
	case pending && sumOverflows(amount, credit.CreditsPending):
		return ledger.TransferOverflowsCreditsPending
	case sumOverflows(amount, debit.DebitsPosted):
		return ledger.TransferOverflowsDebitsPosted
	case sumOverflows(amount, credit.CreditsPosted):
		return ledger.TransferOverflowsCreditsPosted
	case sumOverflows(amount, totalDebits(debit)):
		return ledger.TransferOverflowsDebits
	case sumOverflows(amount, totalCredits(credit)):
		return ledger.TransferOverflowsCredits
	case slot+toNanoseconds(t.Timeout) > ledger.TimestampMax:
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
		debit.CreditsPosted.Less(addAmounts(totalDebits(debit), amount)):
		return ledger.TransferExceedsCredits
	case credit.Flags.Has(ledger.AccountCreditsMustNotExceedDebits) &&
		credit.DebitsPosted.Less(addAmounts(totalCredits(credit), amount)):
		return ledger.TransferExceedsDebits
	default:
		return ledger.TransferCreated
	}
}

// What follows is all that ever changes an account. It works on stored transfers
// only, so that history can do it again.

// applyMovement does what a single-phase or pending transfer does to its accounts.
func applyMovement(t *ledger.Transfer, debit, credit *ledger.Account) {
	if t.Flags.Has(ledger.TransferPending) {
		debit.DebitsPending = addAmounts(debit.DebitsPending, t.Amount)
		credit.CreditsPending = addAmounts(credit.CreditsPending, t.Amount)
	} else {
		debit.DebitsPosted = addAmounts(debit.DebitsPosted, t.Amount)
		credit.CreditsPosted = addAmounts(credit.CreditsPosted, t.Amount)
	}
	if t.Flags.Has(ledger.TransferClosingDebit) {
		debit.Flags |= ledger.AccountClosed
	}
	if t.Flags.Has(ledger.TransferClosingCredit) {
		credit.Flags |= ledger.AccountClosed
	}
}

// applyResolution does what a post or void does to the accounts of its hold.
func applyResolution(t, hold *ledger.Transfer, debit, credit *ledger.Account) {
	releaseHold(hold, debit, credit)
	if t.Flags.Has(ledger.TransferPostPending) {
		debit.DebitsPosted = addAmounts(debit.DebitsPosted, t.Amount)
		credit.CreditsPosted = addAmounts(credit.CreditsPosted, t.Amount)
	}
}

// releaseHold frees what the hold holds and opens what it closed. A hold that closed
// an account is never posted, so a post that comes here opens nothing.
func releaseHold(hold *ledger.Transfer, debit, credit *ledger.Account) {
	debit.DebitsPending = subtractAmounts(debit.DebitsPending, hold.Amount)
	credit.CreditsPending = subtractAmounts(credit.CreditsPending, hold.Amount)
	if hold.Flags.Has(ledger.TransferClosingDebit) {
		debit.Flags &^= ledger.AccountClosed
	}
	if hold.Flags.Has(ledger.TransferClosingCredit) {
		credit.Flags &^= ledger.AccountClosed
	}
}
