package accounts

import (
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
// Compare would leave out what was meant by it. A byte order mark at the beginning, as
// spreadsheets write it, is passed over. Files of earlier versions, without the last three
// columns, are read too. A line may have 65,536 bytes and a field 2,048, so a file of any
// size and content takes little memory.
//
// The last pair has the error, if something is wrong: a *CSVError (ErrInvalid) that names
// line and column, or that of r; then what came before it is not the whole statement.
// Counterparties are only as good as their text: of one with a name the id is not known.
// A CSV of an earlier version has fewer columns: arrears are 0 then.
func ReadCSV(r io.Reader, asset Asset) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		in := csvReader{lines: newCSVLines(r), asset: asset}
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
	lines    *csvLines
	columns  []string // those of the file
	asset    Asset
	begun    bool
	position *big.Int // after the line before
	credit   *big.Int // the credit line after the line before
	last     time.Time
	record   []string
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
	behind := &CSVError{Line: in.lines.line + 1, Reason: "is behind the closing balance"}
	_, err := in.lines.read()
	var fault *CSVError
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err == nil, errors.As(err, &fault):
		return behind
	default:
		return err
	}
}

// begin reads the headers and the opening balance.
func (in *csvReader) begin() error {
	if err := in.read(); err != nil {
		return err
	}
	if err := in.readHeaders(); err != nil {
		return err
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

// readHeaders finds out which version's columns the file has.
func (in *csvReader) readHeaders() error {
	all := len(columns)
	switch given := in.record; {
	case slices.Equal(given, columns), slices.Equal(given, columns[:firstColumns]):
		in.columns = slices.Clone(given)
		return nil
	case len(given) > all && slices.Equal(given[:all], columns):
		return &CSVError{Line: 1, Reason: fmt.Sprintf("has the column %.40q, which this version does not know: a newer one has written it", given[all])}
	default:
		return &CSVError{Line: 1, Reason: "must have the headers " + strings.Join(columns, ",")}
	}
}

func (in *csvReader) read() error {
	record, err := in.lines.read()
	if errors.Is(err, io.EOF) {
		return &CSVError{Line: in.lines.line + 1, Reason: "is missing: the statement ends without its closing balance"}
	}
	if err != nil {
		return err
	}
	in.record = record
	for i, field := range record {
		if len(field) > maxField && i < len(in.columns) {
			in.wrong(in.columns[i], fmt.Sprintf("has more than %d bytes", maxField))
		}
	}
	return in.fault
}

// text is a field of the line, "" if the file does not have the column.
func (in *csvReader) text(column string) string {
	if i := slices.Index(in.columns, column); i >= 0 {
		return in.record[i]
	}
	return ""
}

// wrong keeps the first fault of a line.
func (in *csvReader) wrong(column, reason string) {
	if in.fault == nil {
		line, _ := in.lines.csv.FieldPos(slices.Index(in.columns, column))
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
		Packet: in.id("packet"), ConditionTag: in.condition(), Order: in.id("order"), Transfer: in.id("transfer"),
		Code: uint16(in.number("code", 16)), ReasonCode: uint32(in.number("reason", 32)), Late: in.late(),
		Counterparty: in.counterparty(), Direction: in.direction(), KeyHash: in.id("key_hash"), Key: in.key(), Arrears: in.arrears(),
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
