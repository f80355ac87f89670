package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/peerledger/peerledger/internal/effects"
)

// addReasonFlag adds the flag --reason. parseReason reads the value. more completes the sentence.
func addReasonFlag(flags *pflag.FlagSet, text *string, more string) {
	flags.StringVar(text, "reason", "", "a `number`, or a name of reasons in the configuration, "+more)
}

// addParsedReasonFlag adds the flag --reason to a command, which reads it before it runs.
func (a *app) addParsedReasonFlag(cmd *cobra.Command) *uint32 {
	var text string
	number := new(uint32)
	addReasonFlag(cmd.Flags(), &text, "to keep with the change")
	cmd.PreRunE = func(*cobra.Command, []string) (err error) {
		*number, err = a.parseReason(text)
		return err
	}
	return number
}

// parseReason reads the flag --reason. "" is 0. A number needs no configuration.
func (a *app) parseReason(text string) (uint32, error) {
	if number, isNumber := effects.ParseReason(text, nil); isNumber {
		return number, nil
	}
	cfg, err := a.readConfig()
	if err != nil {
		return 0, err
	}
	if number, found := effects.ParseReason(text, cfg.Reasons); found {
		return number, nil
	}
	known := "it has none"
	if len(cfg.Reasons) > 0 {
		known = "there is " + strings.Join(slices.Sorted(maps.Keys(cfg.Reasons)), ", ")
	}
	return 0, fmt.Errorf("%w: --reason %q is neither a number from 0 to 4294967295 nor a name of reasons: in %s; %s", errUsage, text, cfg.fileName(), known)
}

// nameReason returns the name of a reason; "" if the configuration has none.
func (c config) nameReason(number uint32) string {
	return effects.NameReason(number, c.Reasons)
}

// setReason notes the reason of a change.
func (c *change) setReason(cfg config, number uint32) {
	c.Reason, c.ReasonName = number, cfg.nameReason(number)
}

// validateReasons returns the errors in the names of reasons. A number has one name, so that a reason is
// shown under the name that was given.
func (c config) validateReasons() []error {
	var errs []error
	names := map[uint32]string{}
	for _, name := range slices.Sorted(maps.Keys(c.Reasons)) {
		number := c.Reasons[name]
		if err := checkReasonName(name); err != nil {
			errs = append(errs, faultAt(fmt.Errorf("reasons: %q: %w", name, err), "reasons", name))
		}
		switch other, taken := names[number]; {
		case number == 0:
			errs = append(errs, faultAt(fmt.Errorf("reasons: %s: must not be 0, which is no reason", name), "reasons", name))
		case taken:
			errs = append(errs, faultAt(fmt.Errorf("reasons: %s: %d is %s already", name, number, other), "reasons", name))
		}
		names[number] = name
	}
	return errs
}

// checkReasonName refuses names that --reason would take for a number, or that are hard to type.
func checkReasonName(name string) error {
	if name == "" || strings.TrimSpace(name) != name {
		return errors.New("a name must not be empty, nor begin or end with white space")
	}
	if _, err := strconv.ParseUint(name, 0, 64); err == nil {
		return errors.New("a name must not be a number")
	}
	return nil
}
