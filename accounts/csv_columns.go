package accounts

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// parseTime parses the time of the line. Times increase strictly: a ledger never uses a
// nanosecond twice. The packets of a round have the time of the round's row.
func (in *csvReader) parseTime(e *Entry) time.Time {
	at, err := time.Parse(time.RFC3339Nano, in.field("time"))
	switch {
	case err != nil:
		in.setFault("time", "must be a time as in RFC 3339")
	case at.Equal(in.last.Time) && e.Round != 0 && e.Transfer == in.last.Transfer:
	case !at.After(in.last.Time):
		in.setFault("time", "must be later than the entry before")
	}
	return at
}

func (in *csvReader) parseLate() bool {
	text := in.field("late")
	if text != "" && text != lateText {
		in.setFault("late", "must be "+lateText+" or nothing")
	}
	return text == lateText
}

// parseJournal parses the number of a journal; an empty field is 0.
func (in *csvReader) parseJournal() uint64 {
	text := in.field("journal")
	if text == "" {
		return 0
	}
	number, err := strconv.ParseUint(text, 16, 64)
	if err != nil || len(text) != 16 {
		in.setFault("journal", "must be 16 hexadecimal digits")
	}
	return number
}

func (in *csvReader) parsePacketsGone() bool {
	text := in.field("packets")
	if text != "" && text != packetsGone {
		in.setFault("packets", "must be "+packetsGone+" or nothing")
	}
	return text == packetsGone
}

func (in *csvReader) parseCondition() (c [8]byte) {
	text := in.field("condition")
	if text == "" {
		return c
	}
	raw, err := hex.DecodeString(text[:min(len(text), 2*len(c)+1)])
	if err != nil || len(raw) != len(c) {
		in.setFault("condition", "must be 16 hexadecimal digits")
		return c
	}
	return [8]byte(raw)
}

func (in *csvReader) parseCounterparty() Counterparty {
	kind, peer, _ := strings.Cut(in.field("counterparty"), " ")
	if text, unnamed := strings.CutPrefix(peer, "account "); unnamed {
		if id, err := ledger.ParseID(text); err == nil {
			return Counterparty{AccountKind: kind, ID: id}
		}
	}
	return Counterparty{AccountKind: kind, Peer: peer}
}

func (in *csvReader) parseDirection() Direction {
	d := Direction(in.field("direction"))
	if d != "" && d != DirectionIn && d != DirectionOut {
		in.setFault("direction", fmt.Sprintf("must be %s, %s or nothing", DirectionIn, DirectionOut))
	}
	return d
}

func (in *csvReader) parseKey() string {
	text := in.field("key")
	key, ok := strings.CutPrefix(text, keyPrefix)
	if text != "" && !ok {
		in.setFault("key", fmt.Sprintf("must begin with %q", keyPrefix))
	}
	return key
}

func (in *csvReader) parseCreditLine() *big.Int { return in.parseAmount("credit_line") }

// parseArrears parses arrears; an empty field is 0.
func (in *csvReader) parseArrears() ledger.Amount {
	if in.field("arrears") == "" {
		return ledger.Amount{}
	}
	return ledger.ClampAmount(in.parseAmount("arrears"))
}

// parseAmount parses an amount from 0 to 2^128-1 units, written in whole units.
func (in *csvReader) parseAmount(column string) *big.Int {
	amount := in.parseUnits(column)
	if amount.Sign() < 0 || amount.BitLen() > 128 {
		in.setFault(column, "must be from 0 to 2^128-1 units")
		return new(big.Int)
	}
	return amount
}

// maxUnits bounds the bits of a position, which is a difference of two amounts.
const maxUnits = 130

// parseUnits parses a signed amount in whole units.
func (in *csvReader) parseUnits(column string) *big.Int {
	text := in.field(column)
	plain, negative := strings.CutPrefix(text, "-")
	whole, err := parsePlain(plain, maxAmountText)
	if err == nil {
		if whole = whole.Shift(int32(in.asset.Scale)); !whole.IsInteger() || whole.BigInt().BitLen() > maxUnits {
			err = ErrInvalid
		}
	}
	if err != nil {
		in.setFault(column, fmt.Sprintf("is %.40q: must be an amount of %v with at most %d decimals", text, in.asset, in.asset.Scale))
		return new(big.Int)
	}
	units := whole.BigInt()
	if negative {
		units.Neg(units)
	}
	return units
}

func (in *csvReader) parseID(column string) ledger.ID {
	text := in.field(column)
	if text == "" {
		return ledger.ID{}
	}
	id, err := ledger.ParseID(text)
	if err != nil {
		in.setFault(column, "must be up to 32 hexadecimal digits")
	}
	return id
}

func (in *csvReader) parseNumber(column string, bits int) uint64 {
	text := in.field(column)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, bits)
	if err != nil {
		in.setFault(column, fmt.Sprintf("must be a whole number below 2^%d", bits))
	}
	return n
}
