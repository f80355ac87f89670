package accounts

import (
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/big"
	"slices"
	"strconv"
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
// peer's for example, to Compare it. It reads as it goes and never guesses: the positions
// must follow from the amounts, from the opening balance to the closing one.
//
// The last pair has the error, if something is wrong: a *CSVError (ErrInvalid) that names
// line and column, or that of r. Counterparties are as they are written: of one with a
// name the id is not known.
func ReadCSV(r io.Reader, asset Asset) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		in := csvReader{csv: csv.NewReader(r), asset: asset}
		in.csv.FieldsPerRecord = len(columns)
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
	position *big.Int
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
	if in.text("kind") != lineClosing {
		e = in.entry()
		return e, in.fault == nil, in.fault
	}
	if in.units("position").Cmp(in.position) != 0 {
		in.wrong("position", "is not that of the entry before it")
	}
	if in.fault != nil {
		return Entry{}, false, in.fault
	}
	if _, err := in.csv.Read(); !errors.Is(err, io.EOF) {
		return Entry{}, false, &CSVError{Line: in.line + 1, Reason: "is behind the closing balance"}
	}
	return Entry{}, false, nil
}

// begin reads the headers and the opening balance.
func (in *csvReader) begin() error {
	if err := in.read(); err != nil {
		return err
	}
	if !slices.Equal(in.record, columns) {
		return &CSVError{Line: 1, Reason: "must have the headers " + strings.Join(columns, ",")}
	}
	if err := in.read(); err != nil {
		return err
	}
	if in.text("kind") != lineOpening {
		in.wrong("kind", "must be that of the opening balance")
	}
	in.position, in.begun = in.units("position"), true
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
		return fmt.Errorf("read a statement: %w", err)
	}
	in.record = record
	in.line, _ = in.csv.FieldPos(0)
	return nil
}

func (in *csvReader) text(column string) string { return in.record[slices.Index(columns, column)] }

// wrong keeps the first fault of a line.
func (in *csvReader) wrong(column, reason string) {
	if in.fault == nil {
		line, _ := in.csv.FieldPos(slices.Index(columns, column))
		in.fault = &CSVError{Line: line, Column: column, Reason: reason}
	}
}

func (in *csvReader) entry() Entry {
	e := Entry{
		Kind: EntryKind(in.text("kind")), Amount: in.units("amount"), Position: in.units("position"),
		Packet: in.id("packet"), Order: in.id("order"), Transfer: in.id("transfer"),
		Code: uint16(in.number("code", 16)), Reason: uint32(in.number("reason", 32)), Late: in.text("late") == "late",
	}
	if got := in.text("asset"); got != in.asset.String() {
		in.wrong("asset", fmt.Sprintf("is %.40q, and not %v", got, in.asset))
	}
	var err error
	if e.Time, err = time.Parse(time.RFC3339Nano, in.text("time")); err != nil {
		in.wrong("time", "must be a time as in RFC 3339")
	}
	if text := in.text("held"); text != "" {
		e.Held = in.units("held")
	}
	if line := in.units("credit_line"); line.Sign() < 0 || line.BitLen() > 128 {
		in.wrong("credit_line", "must be from 0 to 2^128-1 units")
	} else {
		e.CreditLine, _ = ledger.ParseAmount(line.String())
	}
	if text := in.text("condition"); text != "" {
		if n, err := hex.Decode(e.Condition[:], []byte(text[:min(len(text), 16)])); err != nil || n != 8 || len(text) != 16 {
			in.wrong("condition", "must be 16 hexadecimal digits")
		}
	}
	kind, peer, _ := strings.Cut(in.text("counterparty"), " ")
	e.Counterparty = Counterparty{Kind: kind, Peer: peer}
	if id, err := ledger.ParseID(strings.TrimPrefix(peer, "account ")); err == nil && strings.HasPrefix(peer, "account ") {
		e.Counterparty = Counterparty{Kind: kind, ID: id}
	}
	if in.position.Add(in.position, e.Amount).Cmp(e.Position) != 0 {
		in.wrong("position", "does not follow from the amount")
	}
	return e
}

// maxUnits bounds a position, which is a difference of two amounts.
const maxUnits = 130

// units reads a signed amount in whole units.
func (in *csvReader) units(column string) *big.Int {
	text := in.text(column)
	plain, negative := strings.CutPrefix(text, "-")
	whole, err := parsePlain(plain, maxAmountText)
	if err == nil {
		if whole = whole.Shift(int32(in.asset.Scale)); !whole.IsInteger() || whole.BigInt().BitLen() > maxUnits {
			err = ErrInvalid
		}
	}
	if err != nil {
		in.wrong(column, fmt.Sprintf("is %.40q: must be an amount of %v with at most %d decimals", text, in.asset, in.asset.Scale))
		return new(big.Int)
	}
	units := whole.BigInt()
	if negative {
		units.Neg(units)
	}
	return units
}

func (in *csvReader) id(column string) ledger.ID {
	text := in.text(column)
	if text == "" {
		return ledger.ID{}
	}
	id, err := ledger.ParseID(text)
	if err != nil {
		in.wrong(column, "must be up to 32 hexadecimal digits")
	}
	return id
}

func (in *csvReader) number(column string, bits int) uint64 {
	text := in.text(column)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, bits)
	if err != nil {
		in.wrong(column, fmt.Sprintf("must be a whole number below 2^%d", bits))
	}
	return n
}
