// Skips reads the events of go test -json, prints the lines that go test prints, and ends with a
// table of the skipped tests by reason, and a list of the programs of others that took part.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

const usage = `Usage: go test -json ./... | go run ./tools/skips [flags]

Prints the lines that go test prints, then a table of the skipped tests: each missing thing, how to
get it, and the tests that need it. Then come the programs that passed tests logged as "took part:
PROGRAM VERSION".

Exit status: 0 if all tests passed or were skipped; 1 if a test failed, or nothing was tested, or,
with -strict, a test was skipped for a reason that is not on the list; 2 for a wrong command line.

Flags:
`

// options holds the flags.
type options struct {
	list   string
	strict bool
	table  string
}

var errUsage = errors.New("usage")

func parseOptions(args []string, stderr io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("skips", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	flags.StringVar(&o.list, "list", "", "`file` of the reasons for which a test may be skipped; default none")
	flags.BoolVar(&o.strict, "strict", false, "fail if a reason is not on the list")
	flags.StringVar(&o.table, "table", "", "write the table to this `file`; default to standard output")
	if err := flags.Parse(args); err != nil {
		return o, errors.Join(errUsage, err)
	}
	if flags.NArg() > 0 {
		flags.Usage()
		return o, errUsage
	}
	return o, nil
}

// run prints the events of stdin and the table of skipped tests. The error says why the tests do
// not pass.
func run(o options, stdin io.Reader, stdout io.Writer) error {
	var list shortList
	if o.list != "" {
		text, err := os.ReadFile(o.list)
		if err != nil {
			return err
		}
		if list, err = parseList(string(text)); err != nil {
			return fmt.Errorf("%s: %w", o.list, err)
		}
	}
	r := newReport(stdout)
	if err := r.readEvents(stdin); err != nil {
		return err
	}
	groups := groupSkips(r.skips, list)
	if o.table == "" {
		writeTable(stdout, groups)
		writePrograms(stdout, r.programs)
	} else {
		var table bytes.Buffer
		writeTable(&table, groups)
		writePrograms(&table, r.programs)
		if err := os.WriteFile(o.table, table.Bytes(), 0o600); err != nil {
			return err
		}
	}
	switch unlisted := countUnlisted(groups); {
	case r.failed:
		return errors.New("tests failed")
	case r.tested == 0:
		return errors.New("no package was tested")
	case o.strict && unlisted > 0:
		return fmt.Errorf("%d reasons of skipped tests are not on the list %s", unlisted, o.list)
	}
	return nil
}

func main() {
	o, err := parseOptions(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		os.Exit(2)
	}
	if err := run(o, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "skips:", err)
		os.Exit(1)
	}
}
