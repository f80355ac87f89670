package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/peerledger/peerledger/ledger"
)

// change is something that is written with --yes, and said without.
type change struct {
	Action string `json:"action"` // e.g. "raise the credit line"
	Peer   string `json:"peer,omitempty"`
	Asset  string `json:"asset,omitempty"`
	Amount string `json:"amount,omitempty"` // in whole units, as are the next two
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	Key    string `json:"key,omitempty"`
	Order  string `json:"order,omitempty"`
	// Rail is the name of a rail, which may be ""; nil if the change is of none.
	Rail    *string `json:"rail,omitempty"`
	Payment string  `json:"payment,omitempty"` // the key of the payment that came back, or has failed
	// Now is what stood before the change, and Effect what the change does to it.
	Now     *balanceSummary `json:"now,omitempty"`
	Effect  string    `json:"effect,omitempty"`
	Note    string    `json:"note,omitempty"` // what to mind
	Written bool      `json:"written"`
	// Already says that it had been written before, so that nothing was changed now.
	Already  bool   `json:"already,omitempty"`
	Transfer string `json:"transfer,omitempty"` // that books it

	// noop says that there is nothing to do; Note is why.
	noop bool
	// peerPrefix stands between the action and the peer, "" is " of "; and into before After, "" is " to ".
	peerPrefix, afterPrefix string
	// checkFirst says what to look at when the outcome is unknown, before the command is given
	// again; "" if giving it again is safe.
	checkFirst string
}

// unknownError is a change of which nobody knows whether it is written.
type unknownError struct {
	err    error
	remedy string
}

func (e *unknownError) Error() string { return e.err.Error() + "\n" + e.remedy }
func (e *unknownError) Unwrap() error { return e.err }

// repeatHint is the remedy for changes that are written once, however often they are asked for.
const repeatHint = "It may be written or not. Give the same command again: what is written already is not written twice."

// previewOrWrite says what would be done, or does it with --yes and says what was done. do may
// change what is told.
func (a *app) previewOrWrite(c change, do func(*change) error) error {
	if a.yes {
		switch err := do(&c); {
		case errors.Is(err, ledger.ErrOutcomeUnknown) && c.checkFirst != "":
			return &unknownError{err, "It may be written or not. " + c.checkFirst}
		case errors.Is(err, ledger.ErrOutcomeUnknown):
			return &unknownError{err, repeatHint}
		case err != nil:
			return err
		}
		if c.Written = true; c.Already {
			c.Effect = ""
		}
	}
	if a.json {
		return a.printJSON(c)
	}
	state := "Would " + c.Action
	switch {
	case c.Already:
		state = "Done before: " + c.Action
	case c.Written:
		state = "Done: " + c.Action
	}
	fmt.Fprint(a.stdout, state)
	rail := ""
	if c.Rail != nil {
		rail = strconv.Quote(*c.Rail)
	}
	for _, part := range []struct{ name, value string }{
		{orDefault(c.peerPrefix, " of "), c.Peer},
		{" by rail ", rail},
		{" in ", c.Asset},
		{", ", c.Amount},
		{", from ", c.Before},
		{orDefault(c.afterPrefix, " to "), c.After},
		{", key ", c.Key},
		{", payment ", c.Payment},
		{", order ", c.Order},
		{", transfer ", c.Transfer},
	} {
		if part.value != "" {
			fmt.Fprint(a.stdout, part.name, part.value)
		}
	}
	fmt.Fprintln(a.stdout, ".")
	if c.Now != nil {
		fmt.Fprintf(a.stdout, "Before: %v.\n", c.Now)
	}
	if c.Effect != "" {
		fmt.Fprintln(a.stdout, c.Effect)
	}
	if c.Note != "" {
		fmt.Fprintln(a.stdout, c.Note)
	}
	if !c.Written && c.Key != "" {
		fmt.Fprintln(a.stdout, "If this key was booked before, nothing is booked again.")
	}
	if !c.Written {
		fmt.Fprintln(a.stdout, "Nothing was written. Add --yes to write it.")
	}
	return nil
}
