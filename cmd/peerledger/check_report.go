package main

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/bookcheck"
)

// checkFigure is a value of the performance data, with its thresholds; "" is none.
type checkFigure struct {
	Label    string `json:"label"`
	Value    string `json:"value"` // a decimal number
	Unit     string `json:"unit,omitempty"`
	Warning  string `json:"warning,omitempty"`
	Critical string `json:"critical,omitempty"`
}

// bookReport is the result of check. It is also the JSON output.
type bookReport struct {
	Status   bookcheck.Status    `json:"status"`
	Code     int                 `json:"code"` // the exit status
	Text     string              `json:"text"` // the line, without the performance data
	Findings []bookcheck.Finding `json:"findings"`
	Figures  []checkFigure       `json:"perfdata"`
}

// checkError is the exit status of a check that was printed.
type checkError struct{ status bookcheck.Status }

func (e *checkError) Error() string { return "check: " + e.status.String() }

// add adds a finding, and raises the status. A finding of the status OK adds nothing.
func (r *bookReport) add(f bookcheck.Finding) {
	if f.Status == bookcheck.OK {
		return
	}
	r.Findings = append(r.Findings, f)
	if f.Status.Rank() > r.Status.Rank() {
		r.Status = f.Status
	}
}

// measure adds a value of an asset to the performance data.
func (r *bookReport) measure(name string, asset accounts.Asset, value, unit, warning, critical string) {
	label := strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) {
			return c
		}
		return '_' // a label with other characters needs quotes
	}, name+" "+asset.String())
	r.Figures = append(r.Figures, checkFigure{Label: label, Value: value, Unit: unit, Warning: warning, Critical: critical})
}

// summarize returns the text of the line: the gravest findings first.
func (r *bookReport) summarize() string {
	var texts []string
	for _, status := range []bookcheck.Status{bookcheck.Critical, bookcheck.Warning, bookcheck.Unknown} {
		for _, f := range r.Findings {
			if f.Status == status {
				texts = append(texts, f.Text)
			}
		}
	}
	const shown = 5 // a line goes to pagers and into mails
	if more := len(texts) - shown; more > 0 {
		texts = append(texts[:shown], fmt.Sprintf("and %d more", more))
	}
	if len(texts) == 0 {
		texts = []string{"no problem"}
	}
	return fmt.Sprintf("PEERLEDGER %v - %s", r.Status, strings.Join(texts, "; "))
}

// showCheck prints a report. The error has the exit status; it is nil for bookcheck.OK.
func (a *app) showCheck(r bookReport) error {
	r.Code, r.Text = int(r.Status), r.summarize()
	if r.Findings == nil {
		r.Findings = []bookcheck.Finding{} // an empty JSON array
	}
	var err error
	if a.json {
		err = a.printJSON(r)
	} else {
		_, err = fmt.Fprintln(a.stdout, formatPlugin(r))
	}
	if err == nil && r.Status != bookcheck.OK {
		err = &checkError{r.Status}
	}
	return err
}

// formatPlugin returns the line of a monitoring plugin. A bar begins the performance data, so it
// cannot be in the text.
func formatPlugin(r bookReport) string {
	line := strings.Join(strings.Fields(strings.ReplaceAll(r.Text, "|", "/")), " ")
	separator := " | "
	for _, f := range r.Figures {
		thresholds := strings.TrimRight(fmt.Sprintf(";%s;%s", f.Warning, f.Critical), ";")
		line += fmt.Sprintf("%s%s=%s%s%s", separator, f.Label, f.Value, f.Unit, thresholds)
		separator = " "
	}
	return line
}

// endCheck returns the exit status of check for the error of its run. An error other than a verdict is
// printed as the status unknown, on standard output, where a monitoring program reads it.
func (a *app) endCheck(err error) int {
	var verdict *checkError
	switch {
	case err == nil:
		return int(bookcheck.OK)
	case errors.As(err, &verdict):
		return int(verdict.status)
	}
	r := bookReport{Status: bookcheck.Unknown, Findings: []bookcheck.Finding{{Status: bookcheck.Unknown, Check: "check", Text: formatError(err)}}, Figures: []checkFigure{}}
	_ = a.showCheck(r) // if the write fails, the exit status still tells
	return int(bookcheck.Unknown)
}
