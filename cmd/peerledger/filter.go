package main

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/bookcheck"
)

// peerFilters are the conditions of the flag --filter. A balance must meet all of them.
type peerFilters []func(accounts.Balance) bool

// addFilterFlag adds the flag --filter.
func addFilterFlag(flags *pflag.FlagSet, texts *[]string) {
	flags.StringArrayVar(texts, "filter", nil, "list only peers that meet a `condition`: near-line=80%, owing, in-arrears or suspended; given several times, all of them")
}

// parseFilters reads the values of the flag --filter.
func parseFilters(texts []string) (peerFilters, error) {
	var filters peerFilters
	for _, text := range texts {
		filter, err := parseFilter(text)
		if err != nil {
			return nil, fmt.Errorf("%w: --filter %s: %w", errUsage, text, err)
		}
		filters = append(filters, filter)
	}
	return filters, nil
}

// parseFilter reads one condition.
func parseFilter(text string) (func(accounts.Balance) bool, error) {
	name, value, hasValue := strings.Cut(text, "=")
	if name == "near-line" {
		var part percent
		if err := part.Set(value); err != nil {
			return nil, fmt.Errorf("near-line %w, as in near-line=80%%", err)
		}
		return func(b accounts.Balance) bool { return bookcheck.ComputeUsed(&b) >= int(part) }, nil
	}
	if hasValue {
		return nil, fmt.Errorf("only near-line has a value")
	}
	switch name {
	case "owing":
		return func(b accounts.Balance) bool { return !b.Receivable.IsZero() }, nil
	case "in-arrears":
		return func(b accounts.Balance) bool { return !b.Arrears.IsZero() }, nil
	case "suspended":
		return func(b accounts.Balance) bool { return b.Suspended && !b.Closed }, nil
	default:
		return nil, fmt.Errorf("there is no such condition; there is near-line=80%%, owing, in-arrears, suspended")
	}
}

// match reports whether a balance meets all conditions.
func (f peerFilters) match(b accounts.Balance) bool {
	for _, holds := range f {
		if !holds(b) {
			return false
		}
	}
	return true
}
