// Package doctor finds faults between a program and its ledger. [Examine] resolves the names of a
// TigerBeetle cluster, asks each replica for its identity, opens a [Session], and checks the
// [Books], the data file and the machine. Instead of a cluster, [Examine] also checks the folder of
// an embedded ledger, and the folder of a recorder's journal. Each [Finding] of level [Warning] or
// [Problem] has a cause and a remedy.
//
// The package writes nothing. Examine briefly uses one connection to each replica, and one session.
package doctor

import "slices"

// Level is the severity of a [Finding].
type Level int

// The levels.
const (
	OK      Level = iota + 1 // no fault
	Warning                  // works, but needs a change
	Problem                  // does not work, or will stop working
)

func (l Level) String() string {
	return [...]string{"?", "ok", "warning", "problem"}[l]
}

// MarshalText returns the level's name.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Finding is the result of one check of [Examine].
type Finding struct {
	// Code identifies the kind of finding for scripts. A code never changes its meaning.
	Code Code `json:"code"`
	// Level is the [Level] of the code.
	Level Level `json:"level"`
	// Subject is the checked thing, e.g. "replica 1 at tb-1:3001".
	Subject string `json:"subject"`
	// Found is the observation.
	Found string `json:"found"`
	// Cause and Remedy explain a fault; "" for the level [OK].
	Cause  string `json:"cause,omitempty"`
	Remedy string `json:"remedy,omitempty"`
}

// Report lists all findings of [Examine], in the order of the checks.
type Report []Finding

// Worst returns the highest [Level] of all findings, or [OK].
func (r Report) Worst() Level {
	worst := OK
	for _, f := range r {
		worst = max(worst, f.Level)
	}
	return worst
}

// Has reports whether the report has a [Finding] with this [Code].
func (r Report) Has(code Code) bool {
	return slices.ContainsFunc(r, func(f Finding) bool { return f.Code == code })
}

// addFinding adds a finding, with level, cause and remedy of its code.
func (r *Report) addFinding(code Code, subject, found string) {
	k := code.lookUpEntry()
	*r = append(*r, Finding{
		Code: code, Level: k.level, Subject: subject, Found: found, Cause: k.cause, Remedy: k.remedy,
	})
}
