// Package bookcheck judges figures of the books for operators: credit lines near their end, arrears, money in suspense,
// stuck orders, short liquidity, and a trial balance that does not balance. The caller reads the figures; no function
// sends a request.
package bookcheck

import (
	"cmp"
	"strings"
	"time"
)

// Status is the verdict of a check, and an exit status as the guidelines of monitoring plugins define them
// (https://www.monitoring-plugins.org/doc/guidelines.html).
type Status int

// The statuses.
const (
	OK Status = iota
	Warning
	Critical
	Unknown // the check could not judge
)

// String returns the name of the status in the first words of a plugin's line.
func (s Status) String() string { return [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[s] }

// MarshalText writes the name of the status into JSON.
func (s Status) MarshalText() ([]byte, error) { return []byte(strings.ToLower(s.String())), nil }

// Rank orders statuses by their weight in a report: a known problem outweighs an unknown answer.
func (s Status) Rank() int { return [...]int{0, 2, 3, 1}[s] }

// The names of the checks.
const (
	CreditLine   = "credit line"
	Arrears      = "arrears"
	Suspense     = "suspense"
	Orders       = "orders"
	TrialBalance = "trial balance"
	Liquidity    = "liquidity"
	Peers        = "peers" // configured peers that are missing in the ledger
)

// Finding is the result of one check. A finding of status [OK] has no text.
type Finding struct {
	Status Status `json:"status"`
	Check  string `json:"check"`
	Text   string `json:"text"`
}

// Thresholds are the values from which a check warns, and from which it reports a problem.
type Thresholds struct {
	Line  [2]int           // the used part of a credit line, in percent
	Stuck [2]time.Duration // the age of an open order
}

// gradeValue compares a value with the thresholds of a warning and of a problem.
func gradeValue[T cmp.Ordered](value T, thresholds [2]T) Status {
	switch {
	case value >= thresholds[1]:
		return Critical
	case value >= thresholds[0]:
		return Warning
	default:
		return OK
	}
}
