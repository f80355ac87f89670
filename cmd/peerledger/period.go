package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// periodFlags are the flags of commands that read the statement of an account over a time.
type periodFlags struct {
	asset    string
	from, to string
	packets  bool
	journals []string // folders
}

func (f *periodFlags) addTo(flags *pflag.FlagSet) {
	flags.StringVar(&f.asset, "asset", "", "in this `asset`, as in USD or USD/9")
	flags.StringVar(&f.from, "from", "", "from this `time` on (default: the beginning)")
	flags.StringVar(&f.to, "to", "", "before this `time` (default: now)")
	flags.BoolVar(&f.packets, "packets", false, "show the packets of rounds, from the journals")
	flags.StringArrayVar(&f.journals, "journal", nil, "journal `folder` of a recorder of rounds, for --packets; may be given several times")
}

// parsePeriod returns the two ends of the time, and refuses --packets without --journal.
func (f *periodFlags) parsePeriod(now time.Time) (begin, end time.Time, err error) {
	begin, end, err = parseRange(f.from, f.to, now)
	if err == nil && f.packets != (len(f.journals) > 0) {
		err = fmt.Errorf("%w: --packets and --journal go together", errUsage)
	}
	return begin, end, err
}

// parseRange reads the two ends of a period; "" is open.
func parseRange(from, to string, now time.Time) (begin, end time.Time, err error) {
	if begin, err = parseMoment(from, now); err != nil {
		return begin, end, fmt.Errorf("%w: --from: %w", errUsage, err)
	}
	if end, err = parseMoment(to, now); err != nil {
		return begin, end, fmt.Errorf("%w: --to: %w", errUsage, err)
	}
	return begin, end, nil
}

// parseMonth reads --month, which stands in place of --from and --to, or else these two: a month in UTC, or a range whose ends may be open.
func parseMonth(month, from, to string, now time.Time) (begin, end time.Time, err error) {
	switch {
	case month == "":
		return parseRange(from, to, now)
	case from != "" || to != "":
		return begin, end, fmt.Errorf("%w: --month stands in place of --from and --to", errUsage)
	}
	if begin, err = time.Parse("2006-01", month); err != nil {
		return begin, end, fmt.Errorf("%w: --month: %q is no month, such as 2026-11", errUsage, month)
	}
	return begin, begin.AddDate(0, 1, 0), nil
}

// parseMoment reads a time as an operator writes it, or as a table or JSON prints it. Times without
// a zone are in UTC.
func parseMoment(text string, now time.Time) (time.Time, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02 15:04:05", "2006-01-02 15:04", time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	if ago, err := parseAge(text); err == nil {
		return now.Add(-ago), nil
	}
	return time.Time{}, fmt.Errorf("%q is not a date (2026-11-26), a time (2026-11-26T10:00:00Z) or a duration (36h, 7d)", text)
}
