package currency

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/peerledger/peerledger/accounts"
)

// ErrNoRate is returned when the rates do not cover a moment at which one is needed.
var ErrNoRate = errors.New("currency: there is no rate")

// Rate is the worth of one whole unit of an asset in the currency of the result, from a moment on until the next Rate of
// the asset.
type Rate struct {
	Asset accounts.Asset
	From  time.Time       // zero: always
	Worth decimal.Decimal // above 0
}

// maxRateDigits bounds the digits of a rate on each side of the point.
const maxRateDigits = 40

// ParseRate reads the worth of a rate: digits with at most one point, above 0. Nothing is rounded. The error matches
// [accounts.ErrInvalid].
func ParseRate(text string) (decimal.Decimal, error) {
	left, right, hasPoint := strings.Cut(text, ".")
	isDigits := func(s string) bool { return s != "" && len(s) <= maxRateDigits && strings.Trim(s, "0123456789") == "" }
	worth := decimal.Decimal{}
	err := errors.New("no digits")
	if isDigits(left) && (!hasPoint || isDigits(right)) {
		worth, err = decimal.NewFromString(text)
	}
	if err != nil || !worth.IsPositive() {
		return worth, &accounts.FieldError{Subject: "rate", Field: "Worth", Reason: fmt.Sprintf("%.60q must be above 0, with at most %d digits before and after the point", text, maxRateDigits)}
	}
	return worth, nil
}

// rateColumns are the columns of a file of rates.
var rateColumns = []string{"from", "asset", "rate"}

// ReadRates reads rates from CSV with the columns from, asset and rate: "2026-11-01,USD,0.92" or "2026-11-01T12:00:00Z,USD/9,0.92". A date begins
// at midnight UTC. A code without a scale is for all assets of this code. Assets that are not in the list are left out, so that
// one file serves several connectors. The error names the line.
func ReadRates(r io.Reader, assets []accounts.Asset) ([]Rate, error) {
	reader := csv.NewReader(r)
	reader.FieldsPerRecord, reader.TrimLeadingSpace = len(rateColumns), true
	header, err := reader.Read()
	if err == nil && !slices.Equal(header, rateColumns) {
		err = fmt.Errorf("line 1: the columns must be %s", strings.Join(rateColumns, ","))
	}
	if err != nil {
		return nil, fmt.Errorf("rates: %w", err)
	}
	var rates []Rate
	for {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return rates, nil
		}
		if err != nil {
			return nil, fmt.Errorf("rates: %w", err)
		}
		line, _ := reader.FieldPos(0)
		from, err := parseMoment(record[0])
		worth, rateErr := ParseRate(record[2])
		if err = errors.Join(err, rateErr); err != nil {
			return nil, fmt.Errorf("rates: line %d: %w", line, err)
		}
		for _, asset := range assets {
			if record[1] == asset.Code || record[1] == asset.String() {
				rates = append(rates, Rate{Asset: asset, From: from, Worth: worth})
			}
		}
	}
}

// parseMoment reads a date, or a time with its zone.
func parseMoment(text string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%.40q is no date (2026-11-01) and no time (2026-11-01T12:00:00Z)", text)
}

// SelectRates returns the rates of an asset that count in a period, the oldest first: the one at from, whose From is then from itself, and each
// later one until to, inclusive. The error matches [accounts.ErrInvalid]: two rates of one moment, or a Worth that is not above 0.
func SelectRates(rates []Rate, asset accounts.Asset, from, to time.Time) ([]Rate, error) {
	list, err := sortRates(rates, asset)
	if err != nil {
		return nil, err
	}
	var selected []Rate
	for _, r := range list {
		switch {
		case !r.From.After(from):
			r.From = from
			selected = []Rate{r}
		case !r.From.After(to):
			selected = append(selected, r)
		}
	}
	return selected, nil
}

// sortRates returns the rates of one asset, the oldest first. Two rates of one moment are refused.
func sortRates(rates []Rate, asset accounts.Asset) ([]Rate, error) {
	var list []Rate
	for _, r := range rates {
		if r.Asset == asset {
			list = append(list, r)
		}
	}
	slices.SortStableFunc(list, func(a, b Rate) int { return a.From.Compare(b.From) })
	for i, r := range list {
		fault := func(field, reason string) error {
			return &accounts.FieldError{Subject: fmt.Sprintf("rate of %v", asset), Field: field, Reason: reason}
		}
		switch {
		case !r.Worth.IsPositive():
			return nil, fault("Worth", fmt.Sprintf("must be above 0, not %v", r.Worth))
		case i > 0 && r.From.Equal(list[i-1].From):
			return nil, fault("From", fmt.Sprintf("%s is given twice", r.From.UTC().Format(time.RFC3339)))
		}
	}
	return list, nil
}
