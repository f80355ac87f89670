package accounts

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// CSVError is a line of a statement that cannot be read. It matches ErrInvalid.
type CSVError struct {
	Line   int    // from 1
	Column string // its header; "" if it is about the line as a whole
	Reason string
}

func (e *CSVError) Error() string {
	if e.Column == "" {
		return fmt.Sprintf("accounts: statement: line %d %s", e.Line, e.Reason)
	}
	return fmt.Sprintf("accounts: statement: line %d: %s %s", e.Line, e.Column, e.Reason)
}

// Is reports whether target is ErrInvalid.
func (e *CSVError) Is(target error) bool { return target == ErrInvalid }

// ReadCSV reads the entries of a statement in an asset that WriteCSV has written, a
// peer's for example, to Compare it. It reads as it goes, once, and never guesses: the
// positions must follow from the amounts, from the opening balance to the closing one,
// times must go forward, and a kind or a column that it does not know is an error, since
// Compare would leave out what was meant by it.
//
// The last pair has the error, if something is wrong: a *CSVError (ErrInvalid) that names
// line and column, or that of r; then what came before it is not the whole statement.
// Counterparties are only as good as their text: of one with a name the id is not known.
// A CSV of an earlier version has fewer columns: arrears are 0 then.
func ReadCSV(r io.Reader, asset Asset) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		in := csvReader{csv: csv.NewReader(r), asset: asset}
		for {
			e, more, err := in.next()
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

// csvReader reads a statement. The first fault that is found in a line stays in fault.
type csvReader struct {
	csv      *csv.Reader
	asset    Asset
	begun    bool
	position *big.Int // after the line before
	credit   *big.Int // the credit line after the line before
	last     time.Time
	record   []string
	line     int // of record
	fault    error
}

// next reads the next entry; there are no more behind the closing balance.
func (in *csvReader) next() (e Entry, more bool, err error) {
	if !in.begun {
		if err := in.begin(); err != nil {
			return Entry{}, false, err
		}
	}
	if err := in.read(); err != nil {
		return Entry{}, false, err
	}
	in.checkAsset()
	if in.text("kind") != lineClosing {
		e = in.entry()
		return e, in.fault == nil, in.fault
	}
	if in.units("position").Cmp(in.position) != 0 {
		in.wrong("position", "is not that of the entry before it")
	}
	if in.creditLine().Cmp(in.credit) != 0 {
		in.wrong("credit_line", "is not that of the entry before it")
	}
	in.arrears()
	if in.fault != nil {
		return Entry{}, false, in.fault
	}
	return Entry{}, false, in.end()
}

// end requires that nothing follows the closing balance.
func (in *csvReader) end() error {
	_, err := in.csv.Read()
	var parse *csv.ParseError
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err == nil, errors.As(err, &parse):
		return &CSVError{Line: in.line + 1, Reason: "is behind the closing balance"}
	default:
		return readError(err)
	}
}

func readError(err error) error { return fmt.Errorf("read a statement: %w", err) }

// begin reads the headers and the opening balance.
func (in *csvReader) begin() error {
	if err := in.read(); err != nil {
		return err
	}
	if n := len(in.record); n < firstColumns || n > len(columns) || !slices.Equal(in.record, columns[:n]) {
		return &CSVError{Line: 1, Reason: "must have the headers " + strings.Join(columns, ",")}
	}
	if err := in.read(); err != nil {
		return err
	}
	if in.text("kind") != lineOpening {
		in.wrong("kind", "must be that of the opening balance")
	}
	in.checkAsset()
	in.position, in.credit, in.begun = in.units("position"), in.creditLine(), true
	in.arrears()
	return in.fault
}

func (in *csvReader) read() error {
	record, err := in.csv.Read()
	var parse *csv.ParseError
	switch {
	case errors.As(err, &parse):
		return &CSVError{Line: parse.Line, Reason: "cannot be read: " + parse.Err.Error()}
	case errors.Is(err, io.EOF):
		return &CSVError{Line: in.line + 1, Reason: "is missing: the statement ends without its closing balance"}
	case err != nil:
		return readError(err)
	}
	in.record = record
	in.line, _ = in.csv.FieldPos(0)
	return nil
}

// text is a field; "" of a column that the file has not got. All records have as many fields as
// the first.
func (in *csvReader) text(column string) string {
	i := slices.Index(columns, column)
	if i >= len(in.record) {
		return ""
	}
	return in.record[i]
}

// wrong keeps the first fault of a line.
func (in *csvReader) wrong(column, reason string) {
	if in.fault == nil {
		line, _ := in.csv.FieldPos(slices.Index(columns, column))
		in.fault = &CSVError{Line: line, Column: column, Reason: reason}
	}
}

func (in *csvReader) checkAsset() {
	if got := in.text("asset"); got != in.asset.String() {
		in.wrong("asset", fmt.Sprintf("is %.40q, and not %v", got, in.asset))
	}
}

func (in *csvReader) entry() Entry {
	e := Entry{
		Time: in.time(), Kind: EntryKind(in.text("kind")), Amount: in.units("amount"), Position: in.units("position"),
		Packet: in.id("packet"), Condition: in.condition(), Order: in.id("order"), Transfer: in.id("transfer"),
		Code: uint16(in.number("code", 16)), Reason: uint32(in.number("reason", 32)), Late: in.late(),
		Counterparty: in.counterparty(), Arrears: in.arrears(),
	}
	if in.text("held") != "" {
		e.Held = in.units("held")
	}
	line := in.creditLine()
	e.CreditLine, _ = ledger.ParseAmount(line.String()) // it fits
	in.checkKind(&e)
	if line.Cmp(in.credit) != 0 && (e.Amount.Sign() != 0 || e.Kind == EntryHold) {
		in.wrong("credit_line", "changes with an entry that is not about it")
	}
	if in.position.Add(in.position, e.Amount).Cmp(e.Position) != 0 {
		in.wrong("position", "does not follow from the amount")
	}
	in.credit = line
	return e
}

// checkKind refuses what Compare would take for something else than was meant.
func (in *csvReader) checkKind(e *Entry) {
	switch e.Kind {
	case EntryPacket, EntryFee, EntryConversion, EntryDust, EntrySettlement, EntryByHand, EntryReturned,
		EntryCorrection, EntryWriteOff, EntryCreditLine, EntryFunding, EntryHold, EntryOther:
	default:
		in.wrong("kind", fmt.Sprintf("is %.40q, which no entry is", e.Kind))
	}
	switch {
	case (e.Held != nil) != (e.Kind == EntryHold):
		in.wrong("held", "must be there for a hold, and for nothing else")
	case e.Held != nil && e.Amount.Sign() != 0:
		in.wrong("amount", "must be 0 for a hold")
	}
}
