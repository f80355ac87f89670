package enginetest

import (
	"errors"
	"fmt"
	"slices"
)

// ErrInvalidConfig is returned when a field of a [Config], a [RustConfig] or a [Fault] is out of its
// range. The error names the field.
var ErrInvalidConfig = errors.New("enginetest: invalid configuration")

// Mode names how an engine answers its connector.
type Mode string

// The modes. All but Draft3 differ from it only as described.
const (
	// Draft3 answers as the present RFC and the readers of older drafts want it: 201 with the
	// request's own Quantity, repeats like first requests, 400 for another value under a key. The
	// engine keeps the remainder below its unit and adds later settlements to it. The default.
	Draft3 Mode = "draft-3"
	// Draft2 answers with the Quantity taken over in the engine's own scale, as settlement-core 0.1.1
	// and the Java connector know it. The remainder stays with the connector. The engine also reads
	// the Quantity in answers to its reports: an amount that the connector did not take, without a
	// Quantity the whole amount, is part of the next report. A 4xx other than 409 counts as nothing taken.
	Draft2 Mode = "draft-2"
	// Text answers with the words CREATED, EXECUTED and RECEIVED under the type application/json, and
	// 405 for a body that it cannot read or without an id, as the engine layer of interledger-rs does.
	Text Mode = "text"
	// Conflict answers 409 to every repeat of a key, as the engine layer of interledger-rs with its
	// Redis store does.
	Conflict Mode = "conflict"
	// Early is the text before draft 2: settlements go to the path /settlement, have no key, and are
	// answered with 200 and the Quantity in the engine's scale. Each request is a settlement of its own.
	Early Mode = "early"
)

// Modes returns all modes.
func Modes() []Mode { return []Mode{Draft3, Draft2, Text, Conflict, Early} }

// Reports names how an engine reports incoming payments.
type Reports string

const (
	// ReportsByKey repeats a report under its one key until the answer is a 2xx. The default.
	ReportsByKey Reports = "by-key"
	// ReportsPutAside has the habits of settlement-core f82d09d. A report is repeated under its key only
	// when there was no answer within ReportTimeout. After any HTTP error the amount is put aside, and
	// is part of the account's next report under another key. The scale of a report is the number of
	// decimals of its amount. Unlike settlement-core, the engine keeps the amount put aside over a
	// restart with its store.
	ReportsPutAside Reports = "put-aside"
)

func (c Config) validate() error {
	switch {
	case !slices.Contains(Modes(), c.Mode):
		return fmt.Errorf("%w: Mode: %q is none of %v", ErrInvalidConfig, c.Mode, Modes())
	case c.Reports != ReportsByKey && c.Reports != ReportsPutAside:
		return fmt.Errorf("%w: Reports: %q is neither %s nor %s", ErrInvalidConfig, c.Reports, ReportsByKey, ReportsPutAside)
	case c.RetryMin < 0 || c.RetryMax < c.RetryMin:
		return fmt.Errorf("%w: RetryMin: %v is negative or above RetryMax of %v", ErrInvalidConfig, c.RetryMin, c.RetryMax)
	}
	return nil
}
