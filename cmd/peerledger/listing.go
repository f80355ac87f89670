package main

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/internal/jsonline"
)

// The outputs of commands that list rows.
const (
	outputTable = "table"
	outputWide  = "wide" // a table with all columns
	outputCSV   = "csv"
	outputJSON  = "json"  // one array of objects
	outputLines = "jsonl" // one object a line, as with --json
	outputName  = "name"  // what names each row in other commands, one a line
)

var outputs = []string{outputTable, outputWide, outputCSV, outputJSON, outputLines, outputName}

// listing has the flags of commands that list rows. The zero value is a table of all rows.
type listing struct {
	output    string // of outputs; "" is table, or jsonl with --json
	noHeaders bool
	sort      string   // a column's field or title, with ":desc" to sort downwards; "" keeps the order
	limit     int      // 0 is all rows
	columns   []string // fields or titles of the columns of a table or CSV; none is the command's choice
	// timeFormat is how tables show times: timesISO, timesRelative or timesLocal.
	timeFormat string
	whenEmpty  string // a sentence in place of a table without rows; "" is an empty table
}

// outputFlag is the flag --output. Errors of the command line are JSON too once it was read.
type outputFlag struct{ app *app }

func (f outputFlag) String() string {
	if f.app == nil { // pflag asks the zero value for the default
		return ""
	}
	return f.app.list.output
}

func (outputFlag) Type() string { return "format" }

// Set reads the value of the flag.
func (f outputFlag) Set(text string) error {
	if !slices.Contains(outputs, text) {
		return fmt.Errorf("there is no output %q; there is %s", text, strings.Join(outputs, ", "))
	}
	f.app.list.output = text
	f.app.json = f.app.json || text == outputJSON || text == outputLines
	return nil
}

// addListFlags adds the flags of a command that lists rows. A command may have a --limit of its own.
func (a *app) addListFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.VarP(outputFlag{a}, "output", "o", "print as `format`: "+strings.Join(outputs, ", ")+" (--json is -o jsonl)")
	flags.StringSliceVar(&a.list.columns, "columns", nil, "print these `columns` in this order, for table, wide and csv, as in peer,position")
	a.list.timeFormat = timesISO
	addChoiceFlag(flags, &a.list.timeFormat, "time-format", "format", "show the times of a table as iso (RFC 3339, in UTC), relative (5m ago) or local; other outputs have iso", timesISO, timesRelative, timesLocal)
	flags.BoolVar(&a.list.noHeaders, "no-headers", false, "leave out the line with the columns, for table, wide and csv")
	flags.StringVar(&a.list.sort, "sort", "", "sort by this `column`, downwards as in position:desc")
	if flags.Lookup("limit") == nil {
		flags.IntVar(&a.list.limit, "limit", 0, "print at most this `number` of rows, after sorting; 0 is all")
	}
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(outputs, cobra.ShellCompDirectiveNoFileComp)) // it is defined once
}

// validate refuses flags that contradict each other. wantsJSON is the flag --json.
func (l *listing) validate(wantsJSON bool) error {
	forPeople := !wantsJSON && slices.Contains([]string{"", outputTable, outputWide}, l.output)
	switch {
	case wantsJSON && l.output != "" && l.output != outputJSON && l.output != outputLines:
		return fmt.Errorf("%w: --json and -o %s contradict each other", errUsage, l.output)
	case l.noHeaders && (wantsJSON || slices.Contains([]string{outputJSON, outputLines, outputName}, l.output)):
		return fmt.Errorf("%w: --no-headers is for tables and CSV alone", errUsage)
	case len(l.columns) > 0 && !forPeople && l.output != outputCSV:
		return fmt.Errorf("%w: --columns is for tables and CSV alone: an object has all fields", errUsage)
	case l.timeFormat != "" && l.timeFormat != timesISO && !forPeople:
		return fmt.Errorf("%w: --time-format is for tables alone: programs read times as in RFC 3339", errUsage)
	case l.limit < 0:
		return fmt.Errorf("%w: --limit must be 0 or more", errUsage)
	default:
		return nil
	}
}

// printsTable reports whether rows are printed for people, so that sentences may stand beside them.
func (a *app) printsTable() bool {
	return !a.json && slices.Contains([]string{"", outputTable, outputWide}, a.list.output)
}

// printsArray reports whether rows are printed as one JSON array.
func (a *app) printsArray() bool { return a.list.output == outputJSON }

// sortRows sorts rows by the flag --sort.
func sortRows[T any](l *listing, rows []T, columns []column[T]) ([]T, error) {
	if l.sort == "" {
		return rows, nil
	}
	name, order, _ := strings.Cut(l.sort, ":")
	if order != "" && order != "desc" && order != "asc" {
		return nil, fmt.Errorf("%w: --sort %s: the order must be asc or desc", errUsage, l.sort)
	}
	c, err := findColumn("--sort", columns, name)
	if err != nil {
		return nil, err
	}
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(x, y T) int {
		if order == "desc" {
			x, y = y, x
		}
		return c.compareValues(c.plainValue(x), c.plainValue(y))
	})
	return rows, nil
}

// findColumn returns the column with a field or a title. flag is the flag that names the column.
func findColumn[T any](flag string, columns []column[T], name string) (column[T], error) {
	i := slices.IndexFunc(columns, func(c column[T]) bool { return c.fieldName() == name || c.title == name })
	if i >= 0 {
		return columns[i], nil
	}
	var names []string
	for _, c := range columns {
		names = append(names, c.fieldName())
	}
	return column[T]{}, fmt.Errorf("%w: %s: there is no column %q; there is %s", errUsage, flag, name, strings.Join(names, ", "))
}

// chooseColumns returns the columns of the flag --columns, in its order.
func chooseColumns[T any](l *listing, columns []column[T]) (chosen []column[T], err error) {
	if len(l.columns) == 0 {
		return columns, nil
	}
	for _, name := range l.columns {
		c, err := findColumn("--columns", columns, strings.TrimSpace(name))
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, c)
	}
	return chosen, nil
}

// compareValues compares two values of a column: numbers by their sizes, times by the moments, else as texts.
func (c column[T]) compareValues(x, y string) int {
	switch {
	case c.isTime:
		return cmp.Or(parseTime(x).Compare(parseTime(y)), cmp.Compare(x, y))
	case !c.right:
		return cmp.Compare(x, y)
	}
	return cmp.Or(cmp.Compare(rankNumber(x), rankNumber(y)), parseNumber(x).Cmp(parseNumber(y)))
}

// rankNumber puts missing values before all numbers, and unlimited lines behind them.
func rankNumber(text string) int {
	switch text {
	case "":
		return -1
	case unlimited:
		return 1
	default:
		return 0
	}
}

// parseTime reads a time as in RFC 3339. As texts, 10:00:00.5Z would come before 10:00:00Z. Other texts are the zero time.
func parseTime(text string) time.Time {
	t, _ := time.Parse(time.RFC3339Nano, text)
	return t
}

// parseNumber reads an amount, a count, or a duration in seconds; other texts are 0.
func parseNumber(text string) decimal.Decimal {
	if number, err := decimal.NewFromString(text); err == nil {
		return number
	}
	age, _ := time.ParseDuration(text)
	return decimal.New(int64(age), 0).Shift(-9)
}

// limitRows returns the first rows, by the flag --limit.
func limitRows[T any](l *listing, rows []T) []T {
	if l.limit == 0 {
		return rows
	}
	return rows[:min(l.limit, len(rows))]
}

// writeCSV writes rows with all columns as RFC 4180 has it, but with a line feed at the end of a line. An
// apostrophe stands before a text that a spreadsheet would take for a formula: names of peers and answers
// of engines are foreign text.
func writeCSV[T any](a *app, rows []T, columns []column[T]) error {
	out := csv.NewWriter(a.stdout)
	record := make([]string, len(columns))
	if !a.list.noHeaders {
		for i, c := range columns {
			record[i] = c.fieldName()
		}
		if err := out.Write(record); err != nil {
			return err
		}
	}
	for _, row := range rows {
		for i, c := range columns {
			record[i] = c.plainValue(row)
			if !c.right && record[i] != "" && strings.ContainsRune("=+-@\t\r", rune(record[i][0])) {
				record[i] = "'" + record[i]
			}
		}
		if err := out.Write(record); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// writeArray writes rows as one JSON array of the objects of --json.
func writeArray[T any](w io.Writer, rows []T) error {
	var text strings.Builder
	for _, row := range rows {
		if err := jsonline.Write(&text, row); err != nil {
			return err
		}
	}
	objects := strings.ReplaceAll(strings.TrimSuffix(text.String(), "\n"), "\n", ",\n") // JSON text has no line feed within an object
	_, err := fmt.Fprintf(w, "[%s]\n", objects)
	return err
}
