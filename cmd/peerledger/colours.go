package main

import (
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
)

// The values of the flag --color.
const (
	colourAuto   = "auto" // on a terminal, unless NO_COLOR is set
	colourAlways = "always"
	colourNever  = "never"
)

// wantsColour reports whether to print colours (https://no-color.org). The flag has precedence over the
// environment.
func (a *app) wantsColour() bool {
	switch a.colour {
	case colourAlways:
		return true
	case colourNever:
		return false
	default:
		return a.stdoutIsTerminal && a.getenv("NO_COLOR") == ""
	}
}

// paint puts colours around a text, if colours are wanted. [text.Colors.Sprint] would decide by the
// environment of the process.
func (a *app) paint(colours text.Colors, cell string) string {
	if len(colours) == 0 || cell == "" || !a.wantsColour() {
		return cell
	}
	var sequence strings.Builder
	for _, colour := range colours {
		sequence.WriteString(colour.EscapeSeq())
	}
	return text.Escape(cell, sequence.String())
}

// The values of the flag --time-format.
const (
	timesISO      = "iso"
	timesRelative = "relative"
	timesLocal    = "local"
)

// formatCellTime writes a time of a table in the format of --time-format. The text is a time as in RFC 3339,
// or words in place of a time, which stay.
func (l *listing) formatCellTime(cell string, now time.Time, zone *time.Location) string {
	if l.timeFormat == timesISO || l.timeFormat == "" {
		return cell
	}
	t, err := time.Parse(time.RFC3339, cell)
	if err != nil {
		return cell
	}
	if l.timeFormat == timesLocal {
		return t.In(zone).Format("2006-01-02 15:04:05 -07:00")
	}
	if t.After(now) {
		return "in " + roundAge(t.Sub(now)).String()
	}
	return roundAge(now.Sub(t)).String() + " ago"
}

// roundAge rounds a duration so that a table stays readable: to seconds, and from an hour on to minutes.
func roundAge(age time.Duration) time.Duration {
	if age >= time.Hour {
		return age.Round(time.Minute)
	}
	return age.Round(time.Second)
}
