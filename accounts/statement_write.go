package accounts

import (
	"context"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// exportLine is a line of a written statement: an entry or a balance. Amounts are in whole units
// of the asset.
type exportLine struct {
	Time         string `json:"time,omitempty"`
	Kind         string `json:"kind"`
	Amount       string `json:"amount,omitempty"`
	Held         string `json:"held,omitempty"`
	Position     string `json:"position"`
	CreditLine   string `json:"credit_line"`
	Arrears      string `json:"arrears,omitempty"`
	Counterparty string `json:"counterparty,omitempty"`
	Packet       string `json:"packet,omitempty"`
	Condition    string `json:"condition,omitempty"`
	Order        string `json:"order,omitempty"`
	Late         bool   `json:"late,omitempty"`
	Reason       uint32 `json:"reason,omitempty"`
	Transfer     string `json:"transfer,omitempty"`
	Code         uint16 `json:"code,omitempty"`
	Direction    string `json:"direction,omitempty"`
	KeyHash      string `json:"key_hash,omitempty"`
	Key          string `json:"key,omitempty"`
	Journal      string `json:"journal,omitempty"` // 16 hexadecimal digits
	Round        uint64 `json:"round,omitempty"`
	Packets      string `json:"packets,omitempty"` // packetsGone
}

// csvColumns are the columns of a CSV file, in order. Earlier versions had only the earlierColumns
// of them. Readers recognize the version by the columns: a new version appends columns.
var csvColumns = []string{
	"time", "kind", "asset", "amount", "held", "position", "credit_line", "counterparty",
	"packet", "condition", "order", "late", "reason", "transfer", "code",
	"direction", "key_hash", "key", "arrears", "journal", "round", "packets",
}

var earlierColumns = []int{15, 19}

// keyPrefix stands before a key in a CSV file: foreign text must not begin a field.
const keyPrefix = "key "

// statementFormat is the version of a statement's JSON. A new field does not change the version;
// a change that old readers would misunderstand does.
const statementFormat = 1

// The kinds of the first and the last line.
const (
	lineOpening = "opening"
	lineClosing = "closing"
)

// lateText is the value in the column "late".
const lateText = "late"

// packetsGone is the value in the column "packets" of a round whose packets no journal has.
const packetsGone = "gone"

func (a Asset) balanceLine(kind string, at time.Time, s StatementBalance) exportLine {
	l := exportLine{Kind: kind, Position: a.formatSigned(s.Position), CreditLine: a.Format(s.CreditLine), Arrears: a.formatArrears(s.Arrears)}
	if !at.IsZero() {
		l.Time = at.UTC().Format(time.RFC3339Nano)
	}
	return l
}

func (a Asset) entryLine(e *Entry) exportLine {
	l := exportLine{
		Time: e.Time.UTC().Format(time.RFC3339Nano), Kind: string(e.Kind), Amount: a.formatSigned(e.Amount),
		Position: a.formatSigned(e.Position), CreditLine: a.Format(e.CreditLine), Counterparty: e.Counterparty.String(),
		Packet: formatID(e.Packet), Order: formatID(e.Order), Late: e.Late, Reason: e.ReasonCode,
		Transfer: formatID(e.Transfer), Code: e.Code, Arrears: a.formatArrears(e.Arrears),
		Direction: string(e.Direction), KeyHash: formatID(e.KeyHash), Key: e.Key,
	}
	if e.Held != nil {
		l.Held = a.formatSigned(e.Held)
	}
	if e.ConditionTag != [8]byte{} {
		l.Condition = hex.EncodeToString(e.ConditionTag[:])
	}
	if e.Round != 0 {
		l.Journal, l.Round = fmt.Sprintf("%016x", e.Journal), e.Round
	}
	if e.PacketsGone {
		l.Packets = packetsGone
	}
	return l
}

// formatArrears writes arrears in whole units, and "" for 0.
func (a Asset) formatArrears(units ledger.Amount) string {
	if units.IsZero() {
		return ""
	}
	return a.Format(units)
}

// formatSigned writes units in whole units, with all decimals of the asset.
func (a Asset) formatSigned(units *big.Int) string {
	return a.signedDecimal(units).StringFixed(int32(a.Scale))
}

func formatID(id ledger.ID) string {
	if id.IsZero() {
		return ""
	}
	return id.String()
}

func (l *exportLine) csvFields(asset string) []string {
	late, reason, code, key, round := "", "", "", "", ""
	if l.Key != "" {
		key = keyPrefix + l.Key
	}
	if l.Late {
		late = lateText
	}
	if l.Reason != 0 {
		reason = strconv.FormatUint(uint64(l.Reason), 10)
	}
	if l.Round != 0 {
		round = strconv.FormatUint(l.Round, 10)
	}
	if l.Code != 0 {
		code = strconv.FormatUint(uint64(l.Code), 10)
	}
	return []string{
		l.Time, l.Kind, asset, l.Amount, l.Held, l.Position, l.CreditLine, l.Counterparty,
		l.Packet, l.Condition, l.Order, late, reason, l.Transfer, code, l.Direction, l.KeyHash, key, l.Arrears,
		l.Journal, round, l.Packets,
	}
}

// WriteCSV writes a statement as comma-separated values (RFC 4180, but with a line feed alone at
// the end of a line): the headers, the opening balance, the entries, the closing balance. Amounts
// are in whole units of the asset, with all its decimals. Times are in UTC. The arrears field is
// empty for 0. No foreign text begins a field, so spreadsheets take no field for a formula.
//
// The error is of the ledger or of w; the closing balance is then missing.
func WriteCSV(ctx context.Context, w io.Writer, s *Statement) error {
	out := csv.NewWriter(w)
	asset := s.Asset.String()
	write := func(l exportLine) error { return out.Write(l.csvFields(asset)) }
	err := out.Write(csvColumns)
	if err == nil {
		err = write(s.Asset.balanceLine(lineOpening, s.From, s.Opening))
	}
	if err == nil {
		err = s.writeEntries(ctx, write)
	}
	if err == nil {
		err = write(s.Asset.balanceLine(lineClosing, s.To, s.Closing))
	}
	out.Flush()
	if err == nil {
		err = out.Error()
	}
	return wrapWriteError("CSV", s, err)
}

func (s *Statement) writeEntries(ctx context.Context, write func(exportLine) error) error {
	for e, err := range s.Entries(ctx) {
		if err == nil {
			err = write(s.Asset.entryLine(&e))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func wrapWriteError(format string, s *Statement, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("write the statement of %v as %s: %w", s.Account, format, err)
}

// WriteJSON writes a statement as one JSON object, with the entries in an array. Amounts are
// strings in whole units of the asset: many readers lose digits of numbers. "arrears" has the
// arrears after the entry, if there are any. "format" is 1; a later version that readers of this
// version would misunderstand has a different number.
//
// The error is of the ledger or of w; the object is then incomplete.
func WriteJSON(ctx context.Context, w io.Writer, s *Statement) error {
	head := struct {
		Format  int        `json:"format"`
		Peer    string     `json:"peer,omitempty"`
		Asset   string     `json:"asset"`
		Scale   uint8      `json:"scale"`
		Ledger  uint32     `json:"ledger"`
		Opening exportLine `json:"opening"`
	}{statementFormat, s.Account.peer, s.Asset.Code, s.Asset.Scale, s.Asset.Ledger, s.Asset.balanceLine(lineOpening, s.From, s.Opening)}
	text, err := json.Marshal(head)
	if err == nil { // without its closing brace
		_, err = fmt.Fprintf(w, "%s,\n\"entries\":[", text[:len(text)-1])
	}
	separator := "\n"
	if err == nil {
		err = s.writeEntries(ctx, func(l exportLine) error {
			if text, err = json.Marshal(l); err == nil {
				_, err = fmt.Fprintf(w, "%s%s", separator, text)
			}
			separator = ",\n"
			return err
		})
	}
	if err == nil {
		text, err = json.Marshal(s.Asset.balanceLine(lineClosing, s.To, s.Closing))
	}
	if err == nil {
		_, err = fmt.Fprintf(w, "],\n\"closing\":%s}\n", text)
	}
	return wrapWriteError("JSON", s, err)
}
