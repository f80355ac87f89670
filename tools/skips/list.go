package main

import (
	"fmt"
	"regexp"
	"strings"
)

// shortList is the list of reasons for which a test may be skipped.
type shortList []*regexp.Regexp

// parseList reads a list: one regular expression a line, for a whole reason, under a comment of one
// or more lines "# ..." that says why the thing cannot be had. An expression without a comment is an
// error. The list is not nil.
func parseList(text string) (list shortList, err error) {
	list = shortList{}
	commented := false
	for number, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
			commented = false
		case strings.HasPrefix(line, "#"):
			commented = true
		case !commented:
			return nil, fmt.Errorf("line %d: no comment above %q", number+1, line)
		default:
			expression, err := regexp.Compile(`^(?:` + line + `)$`)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", number+1, err)
			}
			list = append(list, expression)
			commented = false
		}
	}
	return list, nil
}

// matchReason reports whether a reason is on the list.
func (l shortList) matchReason(reason string) bool {
	for _, expression := range l {
		if expression.MatchString(reason) {
			return true
		}
	}
	return false
}
