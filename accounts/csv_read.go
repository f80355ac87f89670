package accounts

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"math/big"
	"slices"
	"strings"

	"github.com/peerledger/peerledger/ledger"
)

// CSVError is an unreadable line of a statement. It matches [ErrInvalid].
type CSVError struct {
	LineNumber int    // from 1
	Column     string // the column's header; "" for the line as a whole
	Reason     string
}

func (e *CSVError) Error() string {
	if e.Column == "" {
		return fmt.Sprintf("accounts: statement: line %d %s", e.LineNumber, e.Reason)
	}
	return fmt.Sprintf("accounts: statement: line %d: %s %s", e.LineNumber, e.Column, e.Reason)
}

// Is reports whether target is [ErrInvalid].
func (e *CSVError) Is(target error) bool { return target == ErrInvalid }

// ReadCSV reads the entries of a statement in an asset, as written by [WriteCSV], for example a
// peer's statement for [Compare]. It reads as the caller iterates, once.
//
// ReadCSV never guesses. Positions must follow from the amounts, from the opening balance to the
// closing balance. Times must increase, except among the packets of one row of a round. An unknown kind or column is an error: Compare would
// ignore its meaning. A byte order mark at the beginning, as spreadsheets write, is skipped.
// Files of earlier versions without the last columns are accepted; their arrears are 0. A line
// may have 65,536 bytes and a field 2,048, so a file of any size and content takes little memory.
//
// If an error ends it, the last pair has a *[CSVError] ([ErrInvalid]) that names line and column,
// or the error of r. The entries before the error are not the whole statement. A named
// counterparty has no id: the file has only its name.
func ReadCSV(r io.Reader, asset Asset) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		in := csvReader{lines: newCSVLines(r), asset: asset}
		for {
			e, more, err := in.readEntry()
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if !more || !yield(e, nil) {
				return
			}
		}
	}
}

// csvReader reads a statement. fault is the first fault in a line.
type csvReader struct {
	lines      *csvLines
	columns    []string // of the file
	asset      Asset
	opened     bool
	position   *big.Int // after the last line
	creditLine *big.Int // after the last line
	last       Entry    // the entry before
	record     []string
	fault      error
}

// readEntry reads the next entry; more is false at the closing balance.
func (in *csvReader) readEntry() (e Entry, more bool, err error) {
	if !in.opened {
		if err := in.readOpening(); err != nil {
			return Entry{}, false, err
		}
	}
	if err := in.readLine(); err != nil {
		return Entry{}, false, err
	}
	in.checkAsset()
	if in.field("kind") != lineClosing {
		e = in.parseEntry()
		return e, in.fault == nil, in.fault
	}
	if in.parseUnits("position").Cmp(in.position) != 0 {
		in.setFault("position", "differs from the entry before")
	}
	if in.parseCreditLine().Cmp(in.creditLine) != 0 {
		in.setFault("credit_line", "differs from the entry before")
	}
	in.parseArrears()
	if in.fault != nil {
		return Entry{}, false, in.fault
	}
	return Entry{}, false, in.requireEnd()
}

// requireEnd requires the end of the file after the closing balance.
func (in *csvReader) requireEnd() error {
	trailing := &CSVError{LineNumber: in.lines.line + 1, Reason: "follows the closing balance"}
	_, err := in.lines.readRecord()
	var fault *CSVError
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err == nil, errors.As(err, &fault):
		return trailing
	default:
		return err
	}
}

// readOpening reads the headers and the opening balance.
func (in *csvReader) readOpening() error {
	if err := in.readLine(); err != nil {
		return err
	}
	if err := in.readHeaders(); err != nil {
		return err
	}
	if err := in.readLine(); err != nil {
		return err
	}
	if in.field("kind") != lineOpening {
		in.setFault("kind", fmt.Sprintf("must be %q", lineOpening))
	}
	in.checkAsset()
	in.position, in.creditLine, in.opened = in.parseUnits("position"), in.parseCreditLine(), true
	in.parseArrears()
	return in.fault
}

// readHeaders recognizes the columns of a version.
func (in *csvReader) readHeaders() error {
	known := len(csvColumns)
	switch given := in.record; {
	case slices.Equal(given, csvColumns), slices.ContainsFunc(earlierColumns, func(n int) bool { return slices.Equal(given, csvColumns[:n]) }):
		in.columns = slices.Clone(given)
		return nil
	case len(given) > known && slices.Equal(given[:known], csvColumns):
		return &CSVError{LineNumber: 1, Reason: fmt.Sprintf("has the unknown column %.40q: a newer version has written the file", given[known])}
	default:
		return &CSVError{LineNumber: 1, Reason: "must have the headers " + strings.Join(csvColumns, ",")}
	}
}

func (in *csvReader) readLine() error {
	record, err := in.lines.readRecord()
	if errors.Is(err, io.EOF) {
		return &CSVError{LineNumber: in.lines.line + 1, Reason: "is missing: the statement ends without its closing balance"}
	}
	if err != nil {
		return err
	}
	in.record = record
	for i, field := range record {
		if len(field) > maxField && i < len(in.columns) {
			in.setFault(in.columns[i], fmt.Sprintf("has more than %d bytes", maxField))
		}
	}
	return in.fault
}

// field returns a field of the line, "" if the file lacks the column.
func (in *csvReader) field(column string) string {
	if i := slices.Index(in.columns, column); i >= 0 {
		return in.record[i]
	}
	return ""
}

// setFault keeps the first fault of a line.
func (in *csvReader) setFault(column, reason string) {
	if in.fault == nil {
		line, _ := in.lines.csv.FieldPos(slices.Index(in.columns, column))
		in.fault = &CSVError{LineNumber: line, Column: column, Reason: reason}
	}
}

func (in *csvReader) checkAsset() {
	if got := in.field("asset"); got != in.asset.String() {
		in.setFault("asset", fmt.Sprintf("is %.40q, want %v", got, in.asset))
	}
}

func (in *csvReader) parseEntry() Entry {
	e := Entry{
		Kind: EntryKind(in.field("kind")), Amount: in.parseUnits("amount"), Position: in.parseUnits("position"),
		Packet: in.parseID("packet"), ConditionTag: in.parseCondition(), Order: in.parseID("order"), Transfer: in.parseID("transfer"),
		Code: uint16(in.parseNumber("code", 16)), ReasonCode: uint32(in.parseNumber("reason", 32)), Late: in.parseLate(),
		Counterparty: in.parseCounterparty(), Direction: in.parseDirection(), KeyHash: in.parseID("key_hash"), Key: in.parseKey(), Arrears: in.parseArrears(),
		Journal: in.parseJournal(), Round: in.parseNumber("round", 64), PacketsGone: in.parsePacketsGone(),
	}
	e.Time = in.parseTime(&e)
	if in.field("held") != "" {
		e.Held = in.parseUnits("held")
	}
	line := in.parseCreditLine()
	e.CreditLine, _ = ledger.ParseAmount(line.String()) // it fits
	in.checkKind(&e)
	if line.Cmp(in.creditLine) != 0 && (e.Amount.Sign() != 0 || e.Kind == EntryHold) {
		in.setFault("credit_line", "changes with an entry of a different kind")
	}
	if in.position.Add(in.position, e.Amount).Cmp(e.Position) != 0 {
		in.setFault("position", "does not follow from the amount and the line before: it must be "+in.asset.formatSigned(in.position))
	}
	in.creditLine, in.last = line, e
	return e
}

// checkKind refuses entries that [Compare] would misunderstand.
func (in *csvReader) checkKind(e *Entry) {
	switch e.Kind {
	case EntryPacket, EntryFee, EntryConversion, EntryDust, EntrySettlement, EntryByHand, EntryReturned,
		EntryCorrection, EntryWriteOff, EntryCreditLine, EntryFunding, EntryHold, EntryRound, EntryOther:
	default:
		in.setFault("kind", fmt.Sprintf("is %.40q, which is no kind of entry", e.Kind))
	}
	switch {
	case (e.Held != nil) != (e.Kind == EntryHold):
		in.setFault("held", "must be set for a hold, and only for a hold")
	case e.Held != nil && e.Amount.Sign() != 0:
		in.setFault("amount", "must be 0 for a hold")
	}
}
