package bankfile

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

// Kind is a kind of bank file.
type Kind string

// The kinds of bank files. An account books from one of them, and camt.052 books for no account.
const (
	Camt052 Kind = "camt.052"
	Camt053 Kind = "camt.053"
	Camt054 Kind = "camt.054"
	MT940   Kind = "mt940"
	CSV     Kind = "csv"
)

// Account is a bank account as the operator configures it.
type Account struct {
	ID       string `json:"id" yaml:"id"`             // IBAN, or the bank's own number; spaces do not count
	Currency string `json:"currency" yaml:"currency"` // ISO 4217, such as EUR
	Scale    int    `json:"scale" yaml:"scale"`       // decimal places of the asset's unit, 0 to 18
	Books    Kind   `json:"books" yaml:"books"`       // the kind of file that books; files of other kinds are skipped
	MT940    string `json:"mt940" yaml:"mt940"`       // how field 25 of MT940 spells the account; default: ID
	// From is the first booking date that is booked, as YYYY-MM-DD; default: no bound. A change of Books needs a date after all
	// payments that are booked: the other kind of file has reported them.
	From string `json:"from" yaml:"from"`
}

// Validate returns an error that names the first field without a usable value.
func (a Account) Validate() error {
	switch {
	case !slices.Contains([]Kind{Camt053, Camt054, MT940, CSV}, a.Books):
		return fmt.Errorf("books: %q is none of camt.053, camt.054, mt940, csv", a.Books)
	case removeSpaces(a.ID) == "":
		return fmt.Errorf("id: missing")
	case len(a.Currency) != 3 || strings.ToUpper(a.Currency) != a.Currency:
		return fmt.Errorf("currency: %q is no code of three capital letters", a.Currency)
	case a.From != "" && !isDate(a.From):
		return fmt.Errorf("from: %q is not as YYYY-MM-DD", a.From)
	case a.Scale < 0 || a.Scale > 18:
		return fmt.Errorf("scale: %d is not within 0 to 18", a.Scale)
	}
	return nil
}

// File is a bank file after parsing.
type File struct {
	Kind        Kind
	Statements  []Statement
	Fingerprint string // 16 hexadecimal digits of the SHA-256 of the file
}

// Statement is one account's part of a file. A CSV file is one statement without balances.
type Statement struct {
	Account  string // as the file spells the account, without spaces
	Currency string // empty if the file names none for the account
	Sequence string // the bank's number of the statement, if there is one
	Opening  *Balance
	Closing  *Balance
	Page     bool // the file marks the statement as one of several pages
	Entries  []Entry
}

// Balance is a booked balance. Amount is below zero for an overdrawn account.
type Balance struct {
	Amount   decimal.Decimal
	Currency string
	Date     string // YYYY-MM-DD

	intermediate bool // of a page of MT940
}

// Status tells how far the bank has come with an entry.
type Status int

// The statuses of an entry.
const (
	NoStatus Status = iota
	Booked
	Pending
	Information
)

// Entry is one line of a statement.
type Entry struct {
	At        string // place in the file, such as "statement 1 entry 2"
	Place     int    // counts the entries of the statement, from 1
	Account   string // CSV: the row's account, if there is a column
	Amount    decimal.Decimal
	Written   string // the amount as the file has it
	Currency  string
	Credit    bool // money received; on a reversal the direction of the reversal
	Reversal  bool
	Return    bool // a return reason, or a transaction code of returns
	Status    Status
	Date      string // booking date, YYYY-MM-DD
	ValueDate string // YYYY-MM-DD, or empty
	Reference string // the bank's reference of the entry
	Payments  int    // number of payments in the entry, 0 if the file has none
	Details   []Detail
}

// Detail is one payment of an entry. MT940 and CSV have one a line.
type Detail struct {
	Reference         string // the bank's reference of the payment
	UETR, TxID, BIC   string
	EndToEnd          string
	CreditorReference string
	Payer             string
	PayerAccount      string
	Text              string
	Charge            string // a charge that the bank has already taken off, such as "26.00 EUR"
	HasAmount         bool
	Amount            decimal.Decimal
	Currency          string
	Debit             bool
}

// Class tells why a file was refused.
type Class string

// The classes of refused files.
const (
	RefusedBalance       Class = "balance"         // opening and entries do not add up to closing
	RefusedDocumentType  Class = "document type"   // the file has a DOCTYPE
	RefusedUnknown       Class = "unknown message" // the file is no statement
	RefusedNotWellFormed Class = "not well formed"
	RefusedLine          Class = "statement line"
	RefusedAmount        Class = "amount"
	RefusedColumn        Class = "column"
	RefusedSize          Class = "size" // too large, too deep or too many entries
)

// RefusedError is returned for a file of which nothing may be booked.
type RefusedError struct {
	Class  Class
	Where  string // line, element or statement
	Reason string
}

// Error names class, place and reason.
func (e *RefusedError) Error() string {
	if e.Where == "" {
		return fmt.Sprintf("refused (%s): %s", e.Class, e.Reason)
	}
	return fmt.Sprintf("refused (%s): %s: %s", e.Class, e.Where, e.Reason)
}

func refuse(class Class, where, format string, args ...any) error {
	return &RefusedError{Class: class, Where: where, Reason: fmt.Sprintf(format, args...)}
}

// atLine adds a line of the file to the place of a refusal.
func atLine(err error, line int) error {
	var refused *RefusedError
	if errors.As(err, &refused) {
		refused.Where += fmt.Sprintf(" (line %d)", line)
	}
	return err
}

func removeSpaces(s string) string { return strings.Join(strings.Fields(s), "") }
