package bankfile

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"
)

// Mapping tells how to read a bank's CSV export. Nothing is detected.
type Mapping struct {
	Encoding  string   `json:"encoding" yaml:"encoding"`     // utf-8 (default), iso-8859-1, windows-1252 or utf-16
	Delimiter string   `json:"delimiter" yaml:"delimiter"`   // one character; default: a comma
	Decimal   string   `json:"decimal" yaml:"decimal"`       // decimal mark; default: a point
	Group     string   `json:"group" yaml:"group"`           // mark between groups of three digits; default: none
	Date      string   `json:"date" yaml:"date"`             // such as YYYY-MM-DD or DD.MM.YY hh:mm
	SkipLines int      `json:"skip_lines" yaml:"skip_lines"` // lines above the header
	Header    []string `json:"header" yaml:"header"`         // the headers of all columns, for a file without a header
	Booked    []string `json:"booked" yaml:"booked"`         // values of the status column that mean booked
	Credit    []string `json:"credit" yaml:"credit"`         // values of the direction column that mean money received
	// Columns has the header text of each field: date, and amount or credit or both credit and debit, are needed; account,
	// currency, reference, status, direction, value_date, payer, payer_account, end_to_end and text are read if named.
	Columns map[string]string `json:"columns" yaml:"columns"`
}

var csvFields = []string{
	"account", "amount", "credit", "currency", "date", "debit", "direction", "end_to_end", "payer", "payer_account", "reference",
	"status", "text", "value_date",
}

var csvDate = strings.NewReplacer("YYYY", "2006", "YY", "06", "MM", "01", "M", "1", "DD", "02", "D", "2", "hh", "15", "mm", "04", "ss", "05")

// Validate returns an error that names the first field with a fault.
func (m Mapping) Validate() error {
	if _, err := findEncoding(m.Encoding); err != nil {
		return err
	}
	for name := range m.Columns {
		if !slices.Contains(csvFields, name) {
			return fmt.Errorf("columns: %q is none of %s", name, strings.Join(csvFields, ", "))
		}
	}
	has := func(name string) bool { return m.Columns[name] != "" }
	switch {
	case utf8.RuneCountInString(m.Delimiter) > 1 || strings.ContainsAny(m.Delimiter, "\"\r\n\ufffd"):
		return fmt.Errorf("delimiter: %q is not one character", m.Delimiter)
	case utf8.RuneCountInString(m.Decimal) > 1 || utf8.RuneCountInString(m.Group) > 1:
		return errors.New("decimal, group: a mark is one character")
	case m.Group != "" && m.Group == m.decimal():
		return errors.New("group: the same mark as decimal")
	case !strings.Contains(m.Date, "YY") || !strings.Contains(m.Date, "M") || !strings.Contains(m.Date, "D"):
		return fmt.Errorf("date: %q lacks YYYY, MM or DD", m.Date)
	case m.SkipLines < 0:
		return errors.New("skip_lines: below zero")
	case !has("date"):
		return errors.New("columns: date is missing")
	case has("amount") == (has("credit") || has("debit")):
		return errors.New("columns: either amount, or credit and debit")
	case has("status") != (len(m.Booked) > 0):
		return errors.New("booked: a status column needs the values that mean booked")
	case has("direction") != (len(m.Credit) > 0):
		return errors.New("credit: a direction column needs the values that mean money received")
	}
	return nil
}

func (m Mapping) decimal() string {
	if m.Decimal == "" {
		return "."
	}
	return m.Decimal
}

func parseCSV(ctx context.Context, data []byte, m Mapping) (File, error) {
	if err := m.Validate(); err != nil {
		return File{}, fmt.Errorf("mapping: %w", err)
	}
	text, err := m.decodeText(data)
	if err != nil {
		return File{}, err
	}
	if err := checkRecords(text); err != nil {
		return File{}, err
	}
	reader := csv.NewReader(bytes.NewReader(text))
	if m.Delimiter != "" {
		reader.Comma, _ = utf8.DecodeRuneInString(m.Delimiter)
	}
	reader.ReuseRecord = true
	columns, err := m.readHeader(reader)
	if err != nil {
		return File{}, err
	}
	var s Statement
	for {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return File{Kind: CSV, Statements: []Statement{s}}, nil
		}
		if err != nil {
			return File{}, refuse(RefusedColumn, fmt.Sprintf("row %d", len(s.Entries)+1), "%v", err)
		}
		if len(s.Entries)%checkEvery == 0 && ctx.Err() != nil {
			return File{}, ctx.Err()
		}
		if len(s.Entries) == maxItems {
			return File{}, refuse(RefusedSize, "", "more than %d rows", maxItems)
		}
		e, err := m.readRow(columns, record, len(s.Entries)+1)
		if err != nil {
			line, _ := reader.FieldPos(0)
			return File{}, atLine(err, m.SkipLines+line)
		}
		s.Entries = append(s.Entries, e)
	}
}

// checkRecords refuses a text with a long row before the reader of CSV has the whole row in memory, with all its columns. A quote
// that the reader will refuse may move the ends of later rows, and then the reader stops before them.
func checkRecords(text []byte) error {
	start, rows, quoted := 0, 0, false
	for i, b := range text {
		switch {
		case b == '"':
			quoted = !quoted
		case b == '\n' && !quoted:
			start, rows = i, rows+1
		}
		if i-start > maxRecord {
			where := "header"
			if rows > 0 {
				where = fmt.Sprintf("row %d", rows)
			}
			return refuse(RefusedSize, where, "the row has more than %d bytes", maxRecord)
		}
	}
	return nil
}

// decodeText returns the text below the skipped lines, in UTF-8.
func (m Mapping) decodeText(data []byte) ([]byte, error) {
	found, err := findEncoding(m.Encoding)
	if err != nil {
		return nil, err
	}
	if found != nil {
		if data, err = found.NewDecoder().Bytes(data); err != nil {
			return nil, refuse(RefusedNotWellFormed, "", "not %s: %v", m.Encoding, err)
		}
	}
	if !utf8.Valid(data) {
		return nil, refuse(RefusedNotWellFormed, "", "not UTF-8: the mapping names no other encoding")
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	for range m.SkipLines {
		_, rest, ok := bytes.Cut(data, []byte("\n"))
		if !ok {
			return nil, refuse(RefusedColumn, "", "the file has fewer lines than skip_lines")
		}
		data = rest
	}
	return data, nil
}

// readHeader returns the place of each column in a row.
func (m Mapping) readHeader(reader *csv.Reader) (map[string]int, error) {
	record, err := m.Header, error(nil)
	if reader.FieldsPerRecord = len(m.Header); len(m.Header) == 0 {
		record, err = reader.Read()
	}
	if err != nil {
		return nil, refuse(RefusedColumn, "header", "%v", err)
	}
	columns := map[string]int{}
	for field, header := range m.Columns {
		if header == "" {
			continue
		}
		at := slices.IndexFunc(record, func(s string) bool { return strings.TrimSpace(s) == header })
		if at < 0 {
			return nil, refuse(RefusedColumn, "header", "no column %q", header)
		}
		if slices.ContainsFunc(record[at+1:], func(s string) bool { return strings.TrimSpace(s) == header }) {
			return nil, refuse(RefusedColumn, "header", "two columns %q", header)
		}
		columns[field] = at
	}
	return columns, nil
}

func (m Mapping) readRow(columns map[string]int, record []string, place int) (Entry, error) {
	get := func(field string) string {
		if at, ok := columns[field]; ok {
			return strings.Clone(strings.TrimSpace(record[at]))
		}
		return ""
	}
	e := Entry{At: fmt.Sprintf("row %d", place), Place: place, Status: Booked, Account: removeSpaces(get("account")), Currency: get("currency"), Reference: get("reference")}
	e.Details = []Detail{{EndToEnd: cleanReference(get("end_to_end")), Payer: get("payer"), PayerAccount: removeSpaces(get("payer_account")), Text: get("text")}}
	for _, field := range record {
		if len(field) > maxText {
			return e, refuse(RefusedSize, e.At, "a field has more than %d bytes", maxText)
		}
	}
	if _, has := columns["status"]; has && !slices.Contains(m.Booked, get("status")) {
		e.Status = Pending
	}
	if _, has := columns["account"]; has && e.Account == "" {
		return e, refuse(RefusedColumn, e.At, "no account")
	}
	for field, to := range map[string]*string{"date": &e.Date, "value_date": &e.ValueDate} {
		text := get(field)
		if text == "" && field == "value_date" {
			continue
		}
		date, err := time.Parse(csvDate.Replace(m.Date), text)
		if err != nil {
			return e, refuse(RefusedColumn, e.At, "%s: %q is not as %s", field, text, m.Date)
		}
		*to = date.Format(time.DateOnly)
	}
	return e, m.readAmount(&e, columns, get)
}

// readAmount reads the amount of a row, and its direction.
func (m Mapping) readAmount(e *Entry, columns map[string]int, get func(string) string) error {
	field, credit := "amount", true
	if _, has := columns["amount"]; !has {
		switch in, out := get("credit"), get("debit"); {
		case in != "" && out != "" || in == "" && out == "":
			return refuse(RefusedAmount, e.At, "one of credit and debit must have an amount: %q, %q", in, out)
		case in != "":
			field = "credit"
		default:
			field, credit = "debit", false
		}
	}
	e.Written = get(field)
	amount, ok := m.parseAmount(e.Written)
	if !ok {
		return refuse(RefusedAmount, e.At, "%s: %q does not fit the mapping", field, e.Written)
	}
	if _, has := columns["direction"]; has {
		credit = slices.Contains(m.Credit, get("direction"))
		if amount.IsNegative() {
			return refuse(RefusedAmount, e.At, "%s: %q has a sign beside the direction", field, e.Written)
		}
	}
	if field == "debit" { // banks write money paid with a minus sign, or without
		amount = amount.Abs()
	}
	e.Credit, e.Amount = credit != amount.IsNegative(), amount.Abs()
	return nil
}

var grouped = regexp.MustCompile(`^\d{1,3}(?:g\d{3})+$`)

// parseAmount reads an amount that fits the mapping wholly.
func (m Mapping) parseAmount(text string) (decimal.Decimal, bool) {
	negative := strings.HasPrefix(text, "-")
	text = strings.TrimPrefix(text, "-")
	if !negative {
		text = strings.TrimPrefix(text, "+")
	}
	whole, fraction, point := strings.Cut(text, m.decimal())
	if m.Group != "" && strings.Contains(whole, m.Group) {
		if strings.Contains(whole, "g") || !grouped.MatchString(strings.ReplaceAll(whole, m.Group, "g")) {
			return decimal.Decimal{}, false
		}
		whole = strings.ReplaceAll(whole, m.Group, "")
	}
	if strings.ContainsAny(whole+fraction, "+.,") {
		return decimal.Decimal{}, false
	}
	if point {
		whole += "." + fraction
	}
	amount, ok := parseAmount(whole)
	if negative {
		amount = amount.Neg()
	}
	return amount, ok
}
