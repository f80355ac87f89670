package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/peerledger/peerledger/accounts"
)

// checkStatus is an exit status of check, as the guidelines of monitoring plugins define them
// (https://www.monitoring-plugins.org/doc/guidelines.html).
type checkStatus int

const (
	checkOK checkStatus = iota
	checkWarning
	checkCritical
	checkUnknown
)

// String returns the name of the status in the first words of a plugin's line.
func (s checkStatus) String() string { return [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[s] }

// MarshalText writes the name of the status into JSON.
func (s checkStatus) MarshalText() ([]byte, error) { return []byte(strings.ToLower(s.String())), nil }

// rank orders statuses by their weight in a report: a known problem outweighs an unknown answer.
func (s checkStatus) rank() int { return [...]int{0, 2, 3, 1}[s] }

// The checks, as findings name them.
const (
	checkLine     = "credit line"
	checkArrears  = "arrears"
	checkSuspense = "suspense"
	checkOrders   = "orders"
	checkTrial    = "trial balance"
	// checkLiquidity is the check of our own liquidity.
	checkLiquidity = "liquidity"
	// checkConfigured is the check of configured peers that are missing in the ledger.
	checkConfigured = "peers"
)

// checkFinding is a finding of check.
type checkFinding struct {
	Status checkStatus `json:"status"`
	Check  string      `json:"check"`
	Text   string      `json:"text"`
}

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
	Status   checkStatus    `json:"status"`
	Code     int            `json:"code"` // the exit status
	Text     string         `json:"text"` // the line, without the performance data
	Findings []checkFinding `json:"findings"`
	Figures  []checkFigure  `json:"perfdata"`
}

// checkError is the exit status of a check that was printed.
type checkError struct{ status checkStatus }

func (e *checkError) Error() string { return "check: " + e.status.String() }

// gradeValue compares a value with the thresholds of a warning and of a problem.
func gradeValue[T cmp.Ordered](value T, thresholds [2]T) checkStatus {
	switch {
	case value >= thresholds[1]:
		return checkCritical
	case value >= thresholds[0]:
		return checkWarning
	default:
		return checkOK
	}
}

// add adds a finding, and raises the status. A status of checkOK adds nothing.
func (r *bookReport) add(status checkStatus, check, text string) {
	if status == checkOK {
		return
	}
	r.Findings = append(r.Findings, checkFinding{status, check, text})
	if status.rank() > r.Status.rank() {
		r.Status = status
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
	for _, status := range []checkStatus{checkCritical, checkWarning, checkUnknown} {
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

// showCheck prints a report. The error has the exit status; it is nil for checkOK.
func (a *app) showCheck(r bookReport) error {
	r.Code, r.Text = int(r.Status), r.summarize()
	if r.Findings == nil {
		r.Findings = []checkFinding{} // an empty JSON array
	}
	var err error
	if a.json {
		err = a.printJSON(r)
	} else {
		_, err = fmt.Fprintln(a.stdout, formatPlugin(r))
	}
	if err == nil && r.Status != checkOK {
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
		return int(checkOK)
	case errors.As(err, &verdict):
		return int(verdict.status)
	}
	r := bookReport{Status: checkUnknown, Findings: []checkFinding{{checkUnknown, "check", formatError(err)}}, Figures: []checkFigure{}}
	_ = a.showCheck(r) // if the write fails, the exit status still tells
	return int(checkUnknown)
}
