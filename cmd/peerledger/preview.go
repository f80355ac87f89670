package main

import (
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/internal/effects"
	"github.com/peerledger/peerledger/internal/migrate"
	"github.com/peerledger/peerledger/ledger"
)

// change is one write of a command: previewed without --yes, done with it. It is also the JSON
// output.
type change struct {
	Action string `json:"action"` // e.g. "raise the credit line"
	Peer   string `json:"peer,omitempty"`
	Asset  string `json:"asset,omitempty"`
	Amount string `json:"amount,omitempty"` // Amount, Before and After are in whole units
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	Key    string `json:"key,omitempty"`
	// Reason is the number that is kept with the change, and ReasonName its name in the configuration.
	Reason     uint32 `json:"reason,omitempty"`
	ReasonName string `json:"reason_name,omitempty"`
	Order      string `json:"order,omitempty"`
	// Rail is the name of a rail, which may be ""; nil if the change concerns no rail.
	Rail    *string `json:"rail,omitempty"`
	Payment string  `json:"payment,omitempty"` // the key of the returned or failed payment
	// Now is the peer's balance before the change, and Effect the expected effect of the change.
	Now    *effects.Summary `json:"now,omitempty"`
	Effect string           `json:"effect,omitempty"`
	Note   string           `json:"note,omitempty"` // advice for the operator
	// Context is the context in use, and Ledger its ledger; "" without a context.
	Context string `json:"context,omitempty"`
	Ledger  string `json:"ledger,omitempty"`
	Written bool   `json:"written"`
	// Already is set if an earlier command had written the change, so this one changed nothing.
	Already  bool   `json:"already,omitempty"`
	Transfer string `json:"transfer,omitempty"` // the id of the transfer that books the change
	// Migrated counts what migrate has copied; nil for other changes, and in the preview.
	Migrated *migrate.Result `json:"migrated,omitempty"`

	// noop is set if there is nothing to do; Note gives the reason.
	noop bool
	// peerPrefix precedes Peer in the text, default " of "; afterPrefix precedes After, default "
	// to ".
	peerPrefix, afterPrefix string
	// checkFirst is the check to make after an unknown outcome, before the command is repeated; ""
	// if repeating is safe.
	checkFirst string
	// detail completes the entry in the operator's journal.
	detail string
	// wait, which may be nil, runs when the change is written and in the journal, and before it is printed. An error does
	// not unwrite it.
	wait func(*change) error
}

// unknownError is the error of a change with unknown outcome, with the next step.
type unknownError struct {
	err    error
	remedy string
}

func (e *unknownError) Error() string { return e.err.Error() + "\n" + e.remedy }
func (e *unknownError) Unwrap() error { return e.err }

// sentence returns the change as a sentence without its beginning.
func (c *change) sentence() effects.Sentence {
	return effects.Sentence{
		Wording: effects.Wording{Action: c.Action, Prefix: c.peerPrefix}, Peer: c.Peer, Asset: c.Asset, Amount: c.Amount, Rail: c.Rail,
		Before: c.Before, AfterPrefix: c.afterPrefix, After: c.After, Key: c.Key, Reason: c.Reason, ReasonName: c.ReasonName,
		Payment: c.Payment, Order: c.Order, Transfer: c.Transfer,
	}
}

// previewOrWrite prints the change without --yes. With --yes it calls do first, which may complete
// the change, and prints the result. The operator's journal has the change before do is called.
func (a *app) previewOrWrite(c change, do func(*change) error) error {
	if a.yes {
		switch err := a.recordAct(&c, do); {
		case errors.Is(err, ledger.ErrOutcomeUnknown) && c.checkFirst != "":
			return &unknownError{err, effects.UnknownOutcome + c.checkFirst}
		case errors.Is(err, ledger.ErrOutcomeUnknown):
			return &unknownError{err, effects.RepeatHint}
		case err != nil:
			return err
		}
		if c.Written = true; c.Already {
			c.Effect = ""
		}
	}
	var waitErr error
	if c.Written && c.wait != nil {
		waitErr = c.wait(&c)
	}
	c.Context, c.Ledger = a.usedContext, a.usedLedger
	return errors.Join(a.printChange(&c), waitErr)
}

// printChange prints a change as JSON or as text.
func (a *app) printChange(c *change) error {
	if a.json {
		return a.printJSON(c)
	}
	state := "Would"
	switch {
	case c.Already:
		state = "Done before:"
	case c.Written:
		state = "Done:"
	}
	fmt.Fprintf(a.stdout, "%s %v.\n", state, c.sentence())
	if c.Context != "" {
		fmt.Fprintf(a.stdout, "Ledger: context %s, %s.\n", c.Context, c.Ledger)
	}
	if c.Now != nil {
		when := "Before"
		if c.Already {
			when = "Now" // the balance was read after the earlier command
		}
		fmt.Fprintf(a.stdout, "%s: %v.\n", when, c.Now)
	}
	if c.Effect != "" {
		fmt.Fprintln(a.stdout, c.Effect)
	}
	if c.Note != "" {
		fmt.Fprintln(a.stdout, c.Note)
	}
	if !c.Written && c.Key != "" {
		fmt.Fprintln(a.stdout, effects.KeyNote)
	}
	if !c.Written {
		fmt.Fprintln(a.stdout, "Nothing was written. Add --yes to write it.")
	}
	return nil
}
