package ledger

import "fmt"

// Outcome is the outcome of an event or of a linked chain. The zero value is [OutcomeUnknown].
type Outcome uint8

// The outcomes. The package documentation lists the next step after each.
const (
	OutcomeUnknown        Outcome = iota // the answer was lost: see [ErrOutcomeUnknown]
	OutcomeApplied                       // in the ledger, by this request
	OutcomeAlreadyApplied                // in the ledger, by an earlier request
	OutcomeIDBurnt                       // refused for ever under this id: see [ErrIDBurnt]
	OutcomeRefused                       // refused: see [ErrRefused] and [ErrIDConflict]
)

// String returns the outcome in words, for example "already applied".
func (o Outcome) String() string {
	names := [...]string{"unknown", "applied", "already applied", "refused, id burnt", "refused"}
	if int(o) < len(names) {
		return names[o]
	}
	return fmt.Sprintf("Outcome(%d)", uint8(o))
}

// Done reports whether the event is in the ledger: [OutcomeApplied] or [OutcomeAlreadyApplied].
func (o Outcome) Done() bool { return o == OutcomeApplied || o == OutcomeAlreadyApplied }

// Outcome classifies the status. No status burns the id of an account.
func (s CreateAccountStatus) Outcome() Outcome {
	switch s { //nolint:exhaustive // every other status is a refusal
	case AccountCreated:
		return OutcomeApplied
	case AccountExists:
		return OutcomeAlreadyApplied
	default:
		return OutcomeRefused
	}
}

// Conflict reports whether another account has the id: the status is an exists_with_different_*.
func (s CreateAccountStatus) Conflict() bool {
	return s >= AccountExistsWithDifferentFlags && s <= AccountExistsWithDifferentCode
}

// Outcome classifies the status of a transfer outside of a chain. For the members of a chain use
// [ChainOutcome].
func (s CreateTransferStatus) Outcome() Outcome {
	switch {
	case s == TransferCreated:
		return OutcomeApplied
	case s == TransferExists:
		return OutcomeAlreadyApplied
	case s.Transient() || s == TransferIDAlreadyFailed:
		return OutcomeIDBurnt
	default:
		return OutcomeRefused
	}
}

// Transient reports whether the refusal depends on the state of the ledger: a missing account or
// pending transfer, a limit, a closed account. TigerBeetle never accepts the id of such a transfer
// again: it answers [TransferIDAlreadyFailed] from then on.
// (https://docs.tigerbeetle.com/reference/requests/create_transfers/#id_already_failed)
func (s CreateTransferStatus) Transient() bool {
	switch s { //nolint:exhaustive // the seven transient ones
	case TransferDebitAccountNotFound, TransferCreditAccountNotFound, TransferPendingTransferNotFound,
		TransferExceedsCredits, TransferExceedsDebits,
		TransferDebitAccountAlreadyClosed, TransferCreditAccountAlreadyClosed:
		return true
	default:
		return false
	}
}

// Conflict reports whether another transfer has the id: the status is an exists_with_different_*.
func (s CreateTransferStatus) Conflict() bool {
	return (s >= TransferExistsWithDifferentFlags && s <= TransferExistsWithDifferentCode) ||
		s == TransferExistsWithDifferentLedger
}

// Chain is the result of a linked chain as a whole.
type Chain struct {
	Outcome Outcome
	// Breaker is the position of the member that decided the outcome, -1 if all were created.
	Breaker int
	// Status is the breaker's, TransferCreated if all were created.
	Status CreateTransferStatus
}

// ChainOutcome reads the results of the members of one linked chain, or of a single transfer, in
// order.
//
// The breaker decides a chain: the one member whose status is neither [TransferCreated] nor
// [TransferLinkedEventFailed]. If the first member answers [TransferExists], an earlier request
// applied the whole chain, because a chain is applied whole or not at all. If a later member
// answers [TransferExists], its id belongs to another transfer: the earlier members are not in the
// ledger, so the chain never was.
//
// Without results the outcome is [OutcomeUnknown].
func ChainOutcome(results []CreateTransferResult) Chain {
	failed := false
	for i, r := range results {
		switch r.Status { //nolint:exhaustive // every other status is a breaker
		case TransferCreated:
		case TransferLinkedEventFailed:
			failed = true
		default:
			return chainBrokenBy(i, r.Status)
		}
	}
	if failed || len(results) == 0 {
		return Chain{Breaker: -1}
	}
	return Chain{Outcome: OutcomeApplied, Breaker: -1, Status: TransferCreated}
}

func chainBrokenBy(breaker int, status CreateTransferStatus) Chain {
	outcome := status.Outcome()
	if status == TransferExists && breaker > 0 {
		outcome = OutcomeRefused
	}
	return Chain{Outcome: outcome, Breaker: breaker, Status: status}
}

// Conflict reports whether the chain was refused because the id of a member belongs to another
// transfer.
func (c Chain) Conflict() bool {
	return c.Status.Conflict() || (c.Status == TransferExists && c.Breaker > 0)
}
