package ledger

import "fmt"

// Outcome is what became of an event or of a chain of events. The zero value is
// OutcomeUnknown: what nobody filled in is not known.
type Outcome uint8

// The outcomes; the package comment says what each asks for.
const (
	OutcomeUnknown Outcome = iota
	OutcomeApplied
	OutcomeAlreadyApplied
	OutcomeIDSpent
	OutcomeRefused
)

// String names the outcome in words, e.g. "already applied".
func (o Outcome) String() string {
	names := [...]string{"unknown", "applied", "already applied", "refused, id spent", "refused"}
	if int(o) < len(names) {
		return names[o]
	}
	return fmt.Sprintf("Outcome(%d)", uint8(o))
}

// Done reports whether the event is in the ledger: applied now or before.
func (o Outcome) Done() bool { return o == OutcomeApplied || o == OutcomeAlreadyApplied }

// Outcome classifies the status. No status of an account spends its id.
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

// Conflict reports whether another account is stored under the id: one of the
// exists_with_different statuses.
func (s CreateAccountStatus) Conflict() bool {
	return s >= AccountExistsWithDifferentFlags && s <= AccountExistsWithDifferentCode
}

// Outcome classifies the status of a transfer that is not part of a chain; what
// became of a whole chain is told by ChainOutcome.
func (s CreateTransferStatus) Outcome() Outcome {
	switch {
	case s == TransferCreated:
		return OutcomeApplied
	case s == TransferExists:
		return OutcomeAlreadyApplied
	case s.Transient() || s == TransferIDAlreadyFailed:
		return OutcomeIDSpent
	default:
		return OutcomeRefused
	}
}

// Transient reports whether the status depends on the moment (a missing account
// or pending transfer, a limit, a closed account). TigerBeetle never accepts the
// id of such a transfer again: from then on it answers id_already_failed.
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

// Conflict reports whether another transfer is stored under the id: one of the
// exists_with_different statuses.
func (s CreateTransferStatus) Conflict() bool {
	return (s >= TransferExistsWithDifferentFlags && s <= TransferExistsWithDifferentCode) ||
		s == TransferExistsWithDifferentLedger
}

// Chain is what became of a linked chain as a whole.
type Chain struct {
	Outcome Outcome
	// Breaker is the position of the member that decided, -1 if all were created.
	Breaker int
	// Status is the breaker's, TransferCreated if all were created.
	Status CreateTransferStatus
}

// ChainOutcome reads the results of the members of one linked chain (or of a
// single transfer), in order.
//
// A chain is decided by its breaker, the one member that is neither created nor
// linked_event_failed. If the first member answers exists, the whole chain was
// applied by an earlier request, since a chain is applied whole or not at all.
// If a later member does, the id belongs to something else: the earlier members
// are not in the ledger, so the chain never was.
//
// No results at all give OutcomeUnknown.
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

// Conflict reports whether the chain was refused because an id in it belongs to
// something else.
func (c Chain) Conflict() bool {
	return c.Status.Conflict() || (c.Status == TransferExists && c.Breaker > 0)
}
