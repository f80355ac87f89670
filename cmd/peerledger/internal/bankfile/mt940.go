package bankfile

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

var (
	mtTag     = regexp.MustCompile(`^:(\d\d[A-Z]?):(.*)$`)
	mtBalance = regexp.MustCompile(`^([CD])(\d{6})([A-Z]{3})([\d,]{1,15})$`)
	mtLine    = regexp.MustCompile(`^(\d{6})(\d{4}| {4})?(RC|RD|EC|ED|C|D)([A-Z])?(\d[\d,]{0,14})([A-Z][A-Z0-9]{3})(.*)$`)
)

// mtField is a field with its lines.
type mtField struct {
	tag   string
	lines []string
	line  int
}

func (f mtField) where() string { return fmt.Sprintf("line %d", f.line) }

func parseMT940(ctx context.Context, text string) (File, error) {
	fields, err := splitFields(ctx, text)
	if err != nil {
		return File{}, err
	}
	file := File{Kind: MT940}
	for start := 0; start < len(fields); {
		end := start + 1
		for end < len(fields) && fields[end].tag != "20" {
			end++
		}
		s, err := readBlock(fields[start:end])
		if err != nil {
			return File{}, err
		}
		if err := file.addBlock(s, fields[start].where()); err != nil {
			return File{}, err
		}
		start = end
	}
	return file, file.finishMT940()
}

// splitFields cuts a file into its fields, the first of which begins a statement.
func splitFields(ctx context.Context, text string) ([]mtField, error) {
	var fields []mtField
	i := -1
	for line := range strings.Lines(text) {
		if i++; i%checkEvery == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		line = strings.TrimRight(line, " \r\n")
		if len(line) > maxText {
			return nil, refuse(RefusedSize, fmt.Sprintf("line %d", i+1), "the line has more than %d bytes", maxText)
		}
		if strings.HasPrefix(line, "{") {
			_, line, _ = strings.Cut(line, "{4:")
		}
		m := mtTag.FindStringSubmatch(line)
		switch {
		case line == "" || line == "-" || strings.HasPrefix(line, "-}"):
		case m != nil && (len(fields) > 0 || m[1] == "20"):
			if m[1] == "34F" || m[1] == "13D" || m[1] == "13" {
				return nil, refuse(RefusedUnknown, fmt.Sprintf("line %d", i+1), "field %s is of an interim report (MT942)", m[1])
			}
			fields = append(fields, mtField{tag: m[1], lines: []string{m[2]}, line: i + 1})
		case len(fields) == 0:
			return nil, refuse(RefusedUnknown, fmt.Sprintf("line %d", i+1), "the file does not begin as camt or MT940")
		default:
			last := &fields[len(fields)-1]
			if last.lines = append(last.lines, line); len(last.lines) > maxLines {
				return nil, refuse(RefusedSize, fmt.Sprintf("line %d", i+1), "field %s has more than %d lines", last.tag, maxLines)
			}
		}
		if len(fields) > 2*maxItems {
			return nil, refuse(RefusedSize, fmt.Sprintf("line %d", i+1), "too many fields")
		}
	}
	if len(fields) == 0 {
		return nil, refuse(RefusedUnknown, "", "the file is empty")
	}
	return fields, nil
}

// readBlock reads the fields from one field 20 to the next: a statement, or a page of one.
func readBlock(fields []mtField) (Statement, error) {
	var s Statement
	known := false // the last field 61 was read; field 86 tells about it
	for _, f := range fields {
		switch f.tag {
		case "25":
			s.Account = removeSpaces(f.lines[0])
		case "28C", "28":
			s.Sequence, _, _ = strings.Cut(strings.TrimSpace(f.lines[0]), "/")
		case "60F", "60M", "62F", "62M":
			balance, err := parseBalance(f)
			if err != nil {
				return s, err
			}
			to := &s.Opening
			if f.tag[0:2] == "62" {
				to, known = &s.Closing, false
			}
			if *to != nil {
				return s, refuse(RefusedLine, f.where(), "a second field %s", f.tag)
			}
			*to = balance
		case "61":
			e, err := parseLine(f)
			if err != nil {
				return s, err
			}
			s.Entries = append(s.Entries, e)
			known = true
		case "86":
			if known {
				s.Entries[len(s.Entries)-1].Details[0].describe(strings.Join(f.lines, ""))
			}
			known = false
		}
	}
	if s.Account == "" {
		return s, refuse(RefusedLine, fields[0].where(), "the statement has no account (field 25)")
	}
	if s.Opening != nil {
		s.Currency = s.Opening.Currency
	} else if s.Closing != nil {
		s.Currency = s.Closing.Currency
	}
	return s, nil
}

func parseBalance(f mtField) (*Balance, error) {
	m := mtBalance.FindStringSubmatch(strings.TrimSpace(f.lines[0]))
	if m == nil {
		return nil, refuse(RefusedLine, f.where(), "field %s does not read", f.tag)
	}
	date, err := time.Parse("060102", m[2])
	if err != nil {
		return nil, refuse(RefusedLine, f.where(), "%q is no date", m[2])
	}
	amount, ok := parseComma(m[4])
	if !ok {
		return nil, refuse(RefusedLine, f.where(), "%q is no amount", m[4])
	}
	if m[1] == "D" {
		amount = amount.Neg()
	}
	return &Balance{Amount: amount, Currency: m[3], Date: date.Format(time.DateOnly), intermediate: f.tag[2] == 'M'}, nil
}

// parseLine reads field 61. The year of the entry date is the one that brings the date nearest to the value date.
func parseLine(f mtField) (Entry, error) {
	line := f.lines[0]
	m := mtLine.FindStringSubmatch(line)
	if m == nil {
		return Entry{}, refuse(RefusedLine, f.where(), "field 61 does not read")
	}
	valued, err := time.Parse("060102", m[1])
	if err != nil {
		return Entry{}, refuse(RefusedLine, f.where(), "%q is no date", m[1])
	}
	e := Entry{
		ValueDate: valued.Format(time.DateOnly), Written: m[5], Status: Booked, Reversal: m[3][0] == 'R',
		Credit: m[3] == "C" || m[3] == "RD" || m[3] == "EC", Details: make([]Detail, 1),
	}
	if m[3][0] == 'E' {
		e.Status = Pending
	}
	var ok bool
	if e.Amount, ok = parseComma(m[5]); !ok {
		return Entry{}, refuse(RefusedLine, f.where(), "%q is no amount", m[5])
	}
	if strings.TrimSpace(m[2]) != "" {
		if e.Date, ok = findNearest(m[2], valued); !ok {
			return Entry{}, refuse(RefusedLine, f.where(), "%q is no date", m[2])
		}
	}
	customer, bank, _ := strings.Cut(m[7], "//")
	e.Reference = strings.TrimSpace(bank)
	if customer = cleanReference(customer); customer != "KREF+" {
		e.Details[0].EndToEnd = customer
	}
	return e, nil
}

func findNearest(monthDay string, valued time.Time) (string, bool) {
	best, found := time.Time{}, false
	for year := valued.Year() - 1; year <= valued.Year()+1; year++ {
		date, err := time.Parse("20060102", fmt.Sprintf("%04d%s", year, monthDay))
		if err == nil && (!found || date.Sub(valued).Abs() < best.Sub(valued).Abs()) {
			best, found = date, true
		}
	}
	return best.Format(time.DateOnly), found
}

func parseComma(text string) (decimal.Decimal, bool) {
	if len(text) > 15 || strings.Contains(text, ".") {
		return decimal.Decimal{}, false
	}
	return parseAmount(strings.Replace(text, ",", ".", 1))
}

// addBlock adds a block as a statement, or as the next page of the last statement.
func (f *File) addBlock(s Statement, where string) error {
	if s.Opening != nil && s.Opening.intermediate && len(f.Statements) > 0 {
		last := &f.Statements[len(f.Statements)-1]
		if last.Account == s.Account && last.Closing != nil && last.Closing.intermediate {
			if !last.Closing.Amount.Equal(s.Opening.Amount) || last.Closing.Currency != s.Opening.Currency {
				return refuse(RefusedBalance, where, "the page begins with %s, and the page before ends with %s", s.Opening.Amount, last.Closing.Amount)
			}
			last.Entries = append(last.Entries, s.Entries...)
			last.Closing = s.Closing
			return nil
		}
	}
	if len(f.Statements) == maxStatements {
		return refuse(RefusedSize, where, "more than %d statements", maxStatements)
	}
	f.Statements = append(f.Statements, s)
	return nil
}

// finishMT940 numbers the lines of joined pages, and gives them currency and missing dates.
func (f *File) finishMT940() error {
	for i := range f.Statements {
		s := &f.Statements[i]
		s.Page = s.Opening != nil && s.Opening.intermediate || s.Closing != nil && s.Closing.intermediate
		for j := range s.Entries {
			e := &s.Entries[j]
			e.Place, e.Currency = j+1, s.Currency
			e.At = fmt.Sprintf("statement %d line %d", i+1, e.Place)
		}
		if err := s.setMissingDates(""); err != nil {
			return err
		}
	}
	return nil
}
