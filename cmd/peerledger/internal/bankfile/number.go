package bankfile

import (
	"regexp"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

var decimalForm = regexp.MustCompile(`^\+?(\d*)(?:\.(\d{0,5}))?$`)

// parseAmount reads an amount without a minus sign, of at most 18 digits, with at most five after the point.
func parseAmount(text string) (decimal.Decimal, bool) {
	m := decimalForm.FindStringSubmatch(text)
	if m == nil || m[1]+m[2] == "" {
		return decimal.Decimal{}, false
	}
	whole := strings.TrimLeft(m[1], "0")
	if len(whole)+len(m[2]) > 18 {
		return decimal.Decimal{}, false
	}
	d, err := decimal.NewFromString("0" + whole + "." + m[2] + "0")
	return d, err == nil
}

// formatUnits returns an amount as units of 10^-scale. ok is false if the amount has more decimal places.
func formatUnits(amount decimal.Decimal, scale int) (units string, ok bool) {
	shifted := amount.Shift(int32(scale))
	if !shifted.IsInteger() {
		return "", false
	}
	return shifted.BigInt().String(), true
}

// cutDate returns the calendar date that a date, or a date with a time, begins with. The zone does not move the day.
func cutDate(text string) (string, bool) {
	text = strings.TrimSpace(text)
	if len(text) < len(time.DateOnly) {
		return "", false
	}
	_, err := time.Parse(time.DateOnly, text[:len(time.DateOnly)])
	return text[:len(time.DateOnly)], err == nil
}

func isDate(text string) bool {
	date, ok := cutDate(text)
	return ok && date == text
}

var placeholders = map[string]bool{
	"": true, "NONREF": true, "NOREF": true, "NOTPROVIDED": true, "NOTAVAILABLE": true, "NONE": true, "NA": true, "N/A": true,
	"UNKNOWN": true, "-": true,
}

// cleanReference trims a reference, and returns an empty one for the words that banks write for none.
func cleanReference(text string) string {
	text = strings.TrimSpace(text)
	if placeholders[strings.ToUpper(text)] || strings.Trim(text, "0") == "" {
		return ""
	}
	return text
}
