// Package doctor finds out what is wrong between a program and its TigerBeetle: it
// resolves the names, asks each replica who it is, opens a session, looks at the books, the
// data file and the machine, or at an embedded ledger's folder, and at a recorder's journal,
// and says of each fault what caused it and what to do.
//
// It writes nothing. It takes one connection of each replica for a moment, and a session.
package doctor

import "slices"

// Level is how bad a finding is.
type Level int

// The levels.
const (
	OK      Level = iota + 1 // as it should be
	Warning                  // works, but should be changed
	Problem                  // does not work, or will not
)

func (l Level) String() string {
	return [...]string{"?", "ok", "warning", "problem"}[l]
}

// MarshalText is the level's name.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Finding is one thing that was looked at.
type Finding struct {
	// Code tells findings apart for scripts; it is never given another meaning.
	Code Code `json:"code"`
	// Level is that of the code.
	Level Level `json:"level"`
	// Subject is what was looked at, e.g. "replica 1 at tb-1:3001".
	Subject string `json:"subject"`
	// Found is what was seen.
	Found string `json:"found"`
	// Cause and Remedy are why that happens and what to do; "" if all is well.
	Cause  string `json:"cause,omitempty"`
	Remedy string `json:"remedy,omitempty"`
}

// Report is all that was found, in the order in which it was looked at.
type Report []Finding

// Worst is the highest level of all findings.
func (r Report) Worst() Level {
	worst := OK
	for _, f := range r {
		worst = max(worst, f.Level)
	}
	return worst
}

// Has reports whether there is a finding with this code.
func (r Report) Has(code Code) bool {
	return slices.ContainsFunc(r, func(f Finding) bool { return f.Code == code })
}

// addFinding adds a finding, with what is known about its code.
func (r *Report) addFinding(code Code, subject, found string) {
	k := code.lookUpEntry()
	*r = append(*r, Finding{
		Code: code, Level: k.level, Subject: subject, Found: found, Cause: k.cause, Remedy: k.remedy,
	})
}
