package parquet

import (
	"encoding/hex"
	"fmt"
	"math"
	"slices"

	file "github.com/parquet-go/parquet-go"

	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/ledger"
)

// column is a column of the file. Names are a promise, and the same as in CSV.
type column struct {
	name  string
	node  file.Node
	value func(*writer, *export.Entry) file.Value // null if the entry has none
}

// columns returns the columns in their order. Columns with few different values have a dictionary.
func columns(a amounts) []column {
	return []column{
		{"time", file.Timestamp(file.Nanosecond), func(_ *writer, e *export.Entry) file.Value {
			return file.Int64Value(int64(min(e.Time, math.MaxInt64))) //nolint:gosec // G115: at most MaxInt64
		}},
		{"transfer", optionalText(), func(_ *writer, e *export.Entry) file.Value { return knownID(e.Transfer) }},
		{"kind", word(), func(_ *writer, e *export.Entry) file.Value { return text(string(e.Kind)) }},
		{"asset", word(), func(_ *writer, e *export.Entry) file.Value { return text(e.Debit.Asset.Code) }},
		{"scale", number(), func(_ *writer, e *export.Entry) file.Value {
			return file.Int64Value(int64(e.Debit.Asset.Scale))
		}},
		{"debit", word(), func(w *writer, e *export.Entry) file.Value { return text(w.names[e.Debit.Index]) }},
		{"credit", word(), func(w *writer, e *export.Entry) file.Value { return text(w.names[e.Credit.Index]) }},
		{"amount", a.node(), func(w *writer, e *export.Entry) file.Value {
			return w.amount(export.Balance{Units: e.Amount}, e.Debit)
		}},
		{"debit_balance", file.Optional(a.node()), func(w *writer, e *export.Entry) file.Value {
			return w.knownBalance(e.Debit, e.DebitBalance)
		}},
		{"credit_balance", file.Optional(a.node()), func(w *writer, e *export.Entry) file.Value {
			return w.knownBalance(e.Credit, e.CreditBalance)
		}},
		{"transfers", number(), func(_ *writer, e *export.Entry) file.Value {
			return file.Int64Value(int64(min(e.Count, math.MaxInt64))) //nolint:gosec // G115: at most MaxInt64
		}},
		{"code", optionalNumber(), func(_ *writer, e *export.Entry) file.Value { return knownNumber(uint64(e.Code)) }},
		{"packet", optionalText(), func(_ *writer, e *export.Entry) file.Value { return knownID(e.Packet) }},
		{"condition", optionalText(), func(_ *writer, e *export.Entry) file.Value {
			if e.ConditionTag == [8]byte{} {
				return file.Value{}
			}
			return text(hex.EncodeToString(e.ConditionTag[:]))
		}},
		{"order", optionalText(), func(_ *writer, e *export.Entry) file.Value { return knownID(e.Order) }},
		{"key_hash", optionalText(), func(_ *writer, e *export.Entry) file.Value { return knownID(e.KeyHash) }},
		{"reason", optionalNumber(), func(_ *writer, e *export.Entry) file.Value { return knownNumber(uint64(e.ReasonCode)) }},
		{"journal", optionalText(), func(_ *writer, e *export.Entry) file.Value {
			if e.Round == 0 {
				return file.Value{}
			}
			return text(fmt.Sprintf("%016x", e.Journal))
		}},
		{"round", optionalNumber(), func(_ *writer, e *export.Entry) file.Value { return knownNumber(e.Round) }},
		{"late", file.Leaf(file.BooleanType), func(_ *writer, e *export.Entry) file.Value { return file.BooleanValue(e.Late) }},
		{"ledger", number(), func(_ *writer, e *export.Entry) file.Value {
			return file.Int64Value(int64(e.Debit.Asset.Ledger))
		}},
	}
}

func word() file.Node           { return file.Encoded(file.String(), &file.RLEDictionary) }
func optionalText() file.Node   { return file.Optional(file.String()) }
func number() file.Node         { return file.Int(64) }
func optionalNumber() file.Node { return file.Optional(file.Int(64)) }

func text(s string) file.Value { return file.ByteArrayValue([]byte(s)) }

func knownID(id ledger.ID) file.Value {
	if id.IsZero() {
		return file.Value{}
	}
	return text(id.String())
}

func knownNumber(n uint64) file.Value {
	if n == 0 {
		return file.Value{}
	}
	return file.Int64Value(int64(min(n, math.MaxInt64))) //nolint:gosec // G115: at most MaxInt64
}

// schema returns the schema of the columns in their order: the library sorts the fields of a group by name.
func schema(columns []column) *file.Schema {
	group, names := file.Group{}, make([]string, len(columns))
	for i, c := range columns {
		group[c.name], names[i] = c.node, c.name
	}
	return file.NewSchema("entries", orderedGroup{group, names})
}

type orderedGroup struct {
	file.Group
	names []string
}

func (g orderedGroup) Fields() []file.Field {
	fields := g.Group.Fields()
	slices.SortFunc(fields, func(a, b file.Field) int {
		return slices.Index(g.names, a.Name()) - slices.Index(g.names, b.Name())
	})
	return fields
}
