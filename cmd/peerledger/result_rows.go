package main

import (
	"github.com/shopspring/decimal"

	"github.com/peerledger/peerledger/export/currency"
)

// resultRow is one asset of a currency result, or the total. Amounts are whole units of the asset, values are in the currency of the rates. The
// total has no amounts.
type resultRow struct {
	Asset           string `json:"asset"` // or total
	Opening         string `json:"opening,omitempty"`
	OpeningRate     string `json:"opening_rate,omitempty"` // "" if none was needed
	OpeningValue    string `json:"opening_value"`
	Capital         string `json:"capital,omitempty"`
	CapitalValue    string `json:"capital_value"`
	ByHand          string `json:"by_hand,omitempty"`
	ByHandValue     string `json:"by_hand_value"`
	PacketsIn       string `json:"packets_in,omitempty"`
	PacketsInValue  string `json:"packets_in_value"`
	PacketsOut      string `json:"packets_out,omitempty"`
	PacketsOutValue string `json:"packets_out_value"`
	Fees            string `json:"fees,omitempty"`
	FeesValue       string `json:"fees_value"`
	Dust            string `json:"dust,omitempty"`
	DustValue       string `json:"dust_value"`
	Other           string `json:"other,omitempty"`
	OtherValue      string `json:"other_value"`
	Revaluation     string `json:"revaluation"`
	Closing         string `json:"closing,omitempty"`
	ClosingRate     string `json:"closing_rate,omitempty"`
	ClosingValue    string `json:"closing_value"`
	Trading         string `json:"trading,omitempty"` // of the total: packets, fees and dust
	Gain            string `json:"gain,omitempty"`    // of the total: trading and revaluation
}

// conversionRow is a packet that changed the currency. Its values are exact.
type conversionRow struct {
	Time     string `json:"time"`
	Packet   string `json:"packet"`
	From     string `json:"from"`
	In       string `json:"in"`
	To       string `json:"to"`
	Out      string `json:"out"`
	Rate     string `json:"rate"` // whole units of To for one of From, to 18 decimals, half away from zero
	InValue  string `json:"in_value"`
	OutValue string `json:"out_value"`
	Margin   string `json:"margin"`
	Late     bool   `json:"late,omitempty"`
}

// valueFormat formats a value.
type valueFormat func(decimal.Decimal) string

// newValueFormat returns the format of --decimals and --exact.
func (f *resultFlags) newValueFormat() valueFormat {
	if f.isExact {
		return decimal.Decimal.String
	}
	return func(d decimal.Decimal) string { return d.StringFixed(f.decimals) }
}

// newResultRows returns the rows of the assets, and the total.
func newResultRows(r *currency.Result, format valueFormat) []resultRow {
	var rows []resultRow
	var packetsIn, packetsOut, fees, dust decimal.Decimal
	for i := range r.Lines {
		l := &r.Lines[i]
		packetsIn, packetsOut = packetsIn.Add(l.PacketsIn.Value), packetsOut.Add(l.PacketsOut.Value)
		fees, dust = fees.Add(l.Fees.Value), dust.Add(l.Dust.Value)
		rows = append(rows, newResultRow(l, format))
	}
	t := &r.Total
	return append(rows, resultRow{
		Asset: "total", OpeningValue: format(t.Opening), CapitalValue: format(t.Capital), ByHandValue: format(t.ByHand),
		PacketsInValue: format(packetsIn), PacketsOutValue: format(packetsOut), FeesValue: format(fees), DustValue: format(dust), OtherValue: format(t.Other),
		Revaluation: format(t.Revaluation), ClosingValue: format(t.Closing), Trading: format(t.Trading), Gain: format(t.Gain),
	})
}

func newResultRow(l *currency.Line, format valueFormat) resultRow {
	amount := func(s currency.Sum) string { return formatSigned(l.Asset, s.Units) }
	value := func(s currency.Sum) string { return format(s.Value) }
	rate := func(d decimal.Decimal) string {
		if d.IsZero() {
			return ""
		}
		return d.String()
	}
	return resultRow{
		Asset:   l.Asset.String(),
		Opening: amount(l.Opening), OpeningRate: rate(l.OpeningRate), OpeningValue: value(l.Opening),
		Capital: amount(l.Capital), CapitalValue: value(l.Capital), ByHand: amount(l.ByHand), ByHandValue: value(l.ByHand),
		PacketsIn: amount(l.PacketsIn), PacketsInValue: value(l.PacketsIn), PacketsOut: amount(l.PacketsOut), PacketsOutValue: value(l.PacketsOut),
		Fees: amount(l.Fees), FeesValue: value(l.Fees), Dust: amount(l.Dust), DustValue: value(l.Dust), Other: amount(l.Other), OtherValue: value(l.Other),
		Revaluation: format(l.Revaluation),
		Closing:     amount(l.Closing), ClosingRate: rate(l.ClosingRate), ClosingValue: value(l.Closing),
	}
}

// rateDecimals are the decimals of the rate of a packet.
const rateDecimals = 18

func newConversionRow(c *currency.Conversion) conversionRow {
	return conversionRow{
		Time: formatTime(c.Time), Packet: formatID(c.Packet), From: c.From.String(), In: formatSigned(c.From, c.In), To: c.To.String(), Out: formatSigned(c.To, c.Out),
		Rate: c.Rate().FloatString(rateDecimals), InValue: c.InValue.String(), OutValue: c.OutValue.String(), Margin: c.Margin().String(), Late: c.Late,
	}
}

var resultColumns = []column[resultRow]{
	{title: "asset", cell: func(r resultRow) string { return r.Asset }},
	{title: "opening", cell: func(r resultRow) string { return r.Opening }, right: true},
	{title: "opening rate", cell: func(r resultRow) string { return r.OpeningRate }, right: true, wide: true},
	{title: "opening value", cell: func(r resultRow) string { return r.OpeningValue }, right: true},
	{title: "capital", cell: func(r resultRow) string { return r.Capital }, right: true, wide: true},
	{title: "capital value", cell: func(r resultRow) string { return r.CapitalValue }, right: true},
	{title: "by hand", cell: func(r resultRow) string { return r.ByHand }, right: true, wide: true},
	{title: "by hand value", cell: func(r resultRow) string { return r.ByHandValue }, right: true, wide: true},
	{title: "packets in", cell: func(r resultRow) string { return r.PacketsIn }, right: true, wide: true},
	{title: "packets in value", cell: func(r resultRow) string { return r.PacketsInValue }, right: true},
	{title: "packets out", cell: func(r resultRow) string { return r.PacketsOut }, right: true, wide: true},
	{title: "packets out value", cell: func(r resultRow) string { return r.PacketsOutValue }, right: true},
	{title: "fees", cell: func(r resultRow) string { return r.Fees }, right: true, wide: true},
	{title: "fees value", cell: func(r resultRow) string { return r.FeesValue }, right: true},
	{title: "dust", cell: func(r resultRow) string { return r.Dust }, right: true, wide: true},
	{title: "dust value", cell: func(r resultRow) string { return r.DustValue }, right: true, wide: true},
	{title: "other", cell: func(r resultRow) string { return r.Other }, right: true, wide: true},
	{title: "other value", cell: func(r resultRow) string { return r.OtherValue }, right: true, wide: true},
	{title: "revaluation", cell: func(r resultRow) string { return r.Revaluation }, right: true},
	{title: "closing", cell: func(r resultRow) string { return r.Closing }, right: true},
	{title: "closing rate", cell: func(r resultRow) string { return r.ClosingRate }, right: true, wide: true},
	{title: "closing value", cell: func(r resultRow) string { return r.ClosingValue }, right: true},
	{title: "trading", cell: func(r resultRow) string { return r.Trading }, right: true, wide: true},
	{title: "gain", cell: func(r resultRow) string { return r.Gain }, right: true},
}

var conversionColumns = []column[conversionRow]{
	{title: "time", isTime: true, cell: func(r conversionRow) string { return r.Time }},
	{title: "packet", cell: func(r conversionRow) string { return r.Packet }, names: true},
	{title: "from", cell: func(r conversionRow) string { return r.From }},
	{title: "in", cell: func(r conversionRow) string { return r.In }, right: true},
	{title: "to", cell: func(r conversionRow) string { return r.To }},
	{title: "out", cell: func(r conversionRow) string { return r.Out }, right: true},
	{title: "rate", cell: func(r conversionRow) string { return r.Rate }, right: true},
	{title: "in value", cell: func(r conversionRow) string { return r.InValue }, right: true},
	{title: "out value", cell: func(r conversionRow) string { return r.OutValue }, right: true},
	{title: "margin", cell: func(r conversionRow) string { return r.Margin }, right: true},
	{title: "late", cell: func(r conversionRow) string { return map[bool]string{true: "yes"}[r.Late] }, wide: true},
}
