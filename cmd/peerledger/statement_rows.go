package main

import (
	"fmt"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/effects"
)

// statementRow is a line of a statement, in the table or as a JSON object of its own. Amounts are in
// whole units of the asset.
type statementRow struct {
	Time         string `json:"time,omitempty"`
	Kind         string `json:"kind"`
	Amount       string `json:"amount,omitempty"`
	Held         string `json:"held,omitempty"` // of a hold, with the sign of the later movement
	Position     string `json:"position"`
	Arrears      string `json:"arrears"`
	CreditLine   string `json:"credit_line"`
	Direction    string `json:"direction,omitempty"`
	Counterparty string `json:"counterparty,omitempty"`
	Packet       string `json:"packet,omitempty"`
	Round        uint64 `json:"round,omitempty"`
	PacketsGone  bool   `json:"packets_gone,omitempty"` // no journal has the packets of the round
	Key          string `json:"key,omitempty"`
	KeyHash      string `json:"key_hash,omitempty"`
	Reason       uint32 `json:"reason,omitempty"`
	ReasonName   string `json:"reason_name,omitempty"` // by the configuration
	Transfer     string `json:"transfer,omitempty"`

	exactTime string // to the nanosecond, for --sort: many packets have the same second
}

// describeKind returns the kind of a line, with the number of a round.
func (r statementRow) describeKind() string {
	if r.Kind == string(accounts.EntryRound) {
		return fmt.Sprintf("%s %d", r.Kind, r.Round)
	}
	return r.Kind
}

// describeAmount returns the amount of a line; of a hold, which moves nothing, in parentheses.
func (r statementRow) describeAmount() string {
	if r.Held != "" {
		return "(" + r.Held + ")"
	}
	return r.Amount
}

// describePacket returns the id of a packet, or that those of a round are gone.
func (r statementRow) describePacket() string {
	if r.PacketsGone {
		return "packets are gone"
	}
	return r.Packet
}

// describeKey returns the key of a line, or its hash.
func (r statementRow) describeKey() string {
	if r.Key == "" && r.KeyHash != "" {
		return "#" + r.KeyHash
	}
	return r.Key
}

// newStatementRow returns the line of an entry.
func newStatementRow(a accounts.Asset, e *accounts.Entry) statementRow {
	row := statementRow{
		Time: formatTime(e.Time), Kind: string(e.Kind), Direction: string(e.Direction), Amount: formatSigned(a, e.Amount), Position: formatSigned(a, e.Position),
		CreditLine: formatLine(a, e.CreditLine), Arrears: a.Format(e.Arrears), Counterparty: e.Counterparty.String(),
		Packet: formatID(e.Packet), Round: e.Round, PacketsGone: e.PacketsGone, Key: e.Key, KeyHash: formatID(e.KeyHash), Reason: e.ReasonCode, Transfer: formatID(e.Transfer),
		exactTime: formatExactTime(e.Time),
	}
	if e.Held != nil {
		row.Held = formatSigned(a, e.Held)
	}
	return row
}

// newBalanceRow returns the line of an opening or closing balance.
func newBalanceRow(kind string, s *accounts.Statement, st accounts.StatementBalance) statementRow {
	return statementRow{
		Kind: kind, Position: formatSigned(s.Asset, st.Position),
		Arrears: s.Asset.Format(st.Arrears), CreditLine: formatLine(s.Asset, st.CreditLine),
	}
}

var statementColumns = []column[statementRow]{
	{title: "time", isTime: true, cell: func(r statementRow) string { return r.Time }, value: func(r statementRow) string { return r.exactTime }},
	{title: "what", field: "kind", cell: statementRow.describeKind, value: func(r statementRow) string { return r.Kind }},
	{title: "amount", cell: statementRow.describeAmount, value: func(r statementRow) string { return r.Amount }, right: true},
	{title: "position", cell: func(r statementRow) string { return r.Position }, right: true},
	{title: "arrears", cell: func(r statementRow) string { return r.Arrears }, right: true},
	{title: "credit line", cell: func(r statementRow) string { return r.CreditLine }, right: true},
	{title: "way", field: "direction", cell: func(r statementRow) string { return r.Direction }},
	{title: "counterparty", cell: func(r statementRow) string { return r.Counterparty }},
	{title: "packet", cell: statementRow.describePacket, value: func(r statementRow) string { return r.Packet }},
	{title: "key", cell: statementRow.describeKey},
	{title: "reason", cell: func(r statementRow) string { return effects.DescribeReason(r.Reason, r.ReasonName) }, wide: true},
	{title: "transfer", cell: func(r statementRow) string { return r.Transfer }, wide: true, names: true},
}
