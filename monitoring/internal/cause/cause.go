// Package cause names the reasons of settlement errors, and the results of payments, for labels of metrics. An error's text never becomes a label,
// so the number of labels stays small.
package cause

import (
	"context"
	"errors"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// Other is the label of every unlisted error.
const Other = "other"

// errorLabel is an error and its label.
type errorLabel struct {
	err   error
	label string
}

var voids = []errorLabel{
	{settlement.ErrDeclined, "declined"},
	{settlement.ErrCancelled, "cancelled"},
	{settlement.ErrTooSmall, "too_small"},
	{settlement.ErrCheckFailed, "withdrawn"},
	{settlement.ErrPayoutLimit, "limited"},
	{settlement.ErrPaused, "paused"},
}

// failures are matched in order: the first match gives the label.
var failures = []errorLabel{
	{settlement.ErrOrderConflict, "resolved_otherwise"},
	{settlement.ErrOldEngine, "old_engine"},
	{settlement.ErrOrderVersion, "order_version"},
	{settlement.ErrPrefundLine, "prefund_line"},
	{settlement.ErrRailDown, "rail_down"},
	{settlement.ErrNoRail, "no_rail"},
	{settlement.ErrPending, "pending"},
	{settlement.ErrPanic, "panic"},
	{settlement.ErrInvalidSettledAmount, "impossible_answer"},
	{settlement.ErrDeclined, "declined"},
	{ledger.ErrOutcomeUnknown, "unknown_outcome"},
	{ledger.ErrClosed, "closed"},
	{context.DeadlineExceeded, "deadline"},
}

// LabelVoid returns the label of the reason for which an order was voided.
func LabelVoid(err error) string { return findLabel(err, voids) }

// LabelFailure returns the label of an error with an account, an order or a payment.
func LabelFailure(err error) string { return findLabel(err, failures) }

// VoidLabels returns all results of LabelVoid.
func VoidLabels() []string { return listLabels(voids) }

// FailureLabels returns all results of LabelFailure.
func FailureLabels() []string { return listLabels(failures) }

func findLabel(err error, names []errorLabel) string {
	for _, n := range names {
		if errors.Is(err, n.err) {
			return n.label
		}
	}
	return Other
}

func listLabels(names []errorLabel) []string {
	all := []string{Other}
	for _, n := range names {
		all = append(all, n.label)
	}
	return all
}
