package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// An Equivalent is a mutant that no test can notice, with the reason.
type Equivalent struct {
	Site
	Reason string `json:"reason"`
}

// readEquivalents reads a list of equivalent mutants. The error names every entry without a reason
// and every entry listed twice.
func readEquivalents(name string) ([]Equivalent, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	var list []Equivalent
	if err := decoder.Decode(&list); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: unexpected text after the list", name)
	}
	var errs []error
	seen := make(map[Site]bool)
	for _, e := range list {
		if e.Reason == "" {
			errs = append(errs, fmt.Errorf("%s: the reason is missing for %v", name, e.Site))
		}
		if seen[e.Site] {
			errs = append(errs, fmt.Errorf("%s: listed twice: %v", name, e.Site))
		}
		seen[e.Site] = true
	}
	return list, errors.Join(errs...)
}

// findStale returns the entries of the packages that fit no mutant.
func findStale(list []Equivalent, packages []string, mutants []*mutant) []Equivalent {
	looked, known := make(map[string]bool), make(map[Site]bool)
	for _, p := range packages {
		looked[p] = true
	}
	for _, m := range mutants {
		known[m.Site] = true
	}
	var stale []Equivalent
	for _, e := range list {
		if looked[e.Package] && !known[e.Site] {
			stale = append(stale, e)
		}
	}
	return stale
}
