package embedded

import "github.com/peerledger/peerledger/ledger"

// addAmounts returns a+b. The rules guarantee that the sum fits 128 bits: both are parts of one
// side of an account, or checkOverflows passed b.
func addAmounts(a, b ledger.Amount) ledger.Amount {
	s, _ := a.Add(b)
	return s
}

// subtractAmounts returns a-b where b is part of a.
func subtractAmounts(a, b ledger.Amount) ledger.Amount {
	d, _ := a.Sub(b)
	return d
}

func sumOverflows(a, b ledger.Amount) bool {
	_, fits := a.Add(b)
	return !fits
}

// totalDebits returns the account's pending and posted debits.
func totalDebits(a *ledger.Account) ledger.Amount { return addAmounts(a.DebitsPending, a.DebitsPosted) }

// totalCredits returns the account's pending and posted credits.
func totalCredits(a *ledger.Account) ledger.Amount {
	return addAmounts(a.CreditsPending, a.CreditsPosted)
}

// balancedAmount returns the transfer's amount, cut by its balancing flags to the present balances.
// Pending amounts on the side to be filled do not count, and limit flags play no part.
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

// checkOverflows checks that no balance, and no sum of the pending and posted balance of one side,
// exceeds 128 bits. A pending transfer must fit the posted balance too.
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

// checkLimits checks the two limits that a transfer can exceed. A transfer only loosens the debit
// account's limit on credits and the credit account's limit on debits.
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

// Only the following functions change an account. They work on stored transfers, so that history
// can repeat them.

// applyMovement applies a single-phase or pending transfer to its accounts.
func applyMovement(t effect, debit, credit *ledger.Account) {
	if t.flags.Has(ledger.TransferPending) {
		debit.DebitsPending = addAmounts(debit.DebitsPending, t.amount)
		credit.CreditsPending = addAmounts(credit.CreditsPending, t.amount)
	} else {
		debit.DebitsPosted = addAmounts(debit.DebitsPosted, t.amount)
		credit.CreditsPosted = addAmounts(credit.CreditsPosted, t.amount)
	}
	if t.flags.Has(ledger.TransferClosingDebit) {
		debit.Flags |= ledger.AccountClosed
	}
	if t.flags.Has(ledger.TransferClosingCredit) {
		credit.Flags |= ledger.AccountClosed
	}
}

// applyResolution applies a post or void to the accounts of its hold.
func applyResolution(t, hold effect, debit, credit *ledger.Account) {
	releaseHold(hold, debit, credit)
	if t.flags.Has(ledger.TransferPostPending) {
		debit.DebitsPosted = addAmounts(debit.DebitsPosted, t.amount)
		credit.CreditsPosted = addAmounts(credit.CreditsPosted, t.amount)
	}
}

// releaseHold releases the held amounts and reopens the accounts closed by the hold. A hold that
// closed an account is never posted, so a post reopens nothing.
func releaseHold(hold effect, debit, credit *ledger.Account) {
	debit.DebitsPending = subtractAmounts(debit.DebitsPending, hold.amount)
	credit.CreditsPending = subtractAmounts(credit.CreditsPending, hold.amount)
	if hold.flags.Has(ledger.TransferClosingDebit) {
		debit.Flags &^= ledger.AccountClosed
	}
	if hold.flags.Has(ledger.TransferClosingCredit) {
		credit.Flags &^= ledger.AccountClosed
	}
}
