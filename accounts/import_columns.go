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

// time is that of the line, which is behind that of the line before: a ledger does
// nothing twice at the same nanosecond.
func (in *csvReader) time() time.Time {
	at, err := time.Parse(time.RFC3339Nano, in.text("time"))
	switch {
	case err != nil:
		in.wrong("time", "must be a time as in RFC 3339")
	case !at.After(in.last):
		in.wrong("time", "must be behind that of the entry before it")
	}
	in.last = at
	return at
}

func (in *csvReader) late() bool {
	text := in.text("late")
	if text != "" && text != textLate {
		in.wrong("late", "must be "+textLate+" or nothing")
	}
	return text == textLate
}

func (in *csvReader) condition() (c [8]byte) {
	text := in.text("condition")
	if text == "" {
		return c
	}
	raw, err := hex.DecodeString(text[:min(len(text), 2*len(c)+1)])
	if err != nil || len(raw) != len(c) {
		in.wrong("condition", "must be 16 hexadecimal digits")
		return c
	}
	return [8]byte(raw)
}

func (in *csvReader) counterparty() Counterparty {
	kind, peer, _ := strings.Cut(in.text("counterparty"), " ")
	if text, unnamed := strings.CutPrefix(peer, "account "); unnamed {
		if id, err := ledger.ParseID(text); err == nil {
			return Counterparty{Kind: kind, ID: id}
		}
	}
	return Counterparty{Kind: kind, Peer: peer}
}

func (in *csvReader) direction() Direction {
	d := Direction(in.text("direction"))
	if d != "" && d != DirectionIn && d != DirectionOut {
		in.wrong("direction", fmt.Sprintf("must be %s, %s or nothing", DirectionIn, DirectionOut))
	}
	return d
}

func (in *csvReader) key() string {
	text := in.text("key")
	key, ok := strings.CutPrefix(text, keyPrefix)
	if text != "" && !ok {
		in.wrong("key", fmt.Sprintf("must begin with %q", keyPrefix))
	}
	return key
}

// creditLine is an amount of the ledger.
func (in *csvReader) creditLine() *big.Int {
	line := in.units("credit_line")
	if line.Sign() < 0 || line.BitLen() > 128 {
		in.wrong("credit_line", "must be from 0 to 2^128-1 units")
		return new(big.Int)
	}
	return line
}

// maxUnits bounds a position, which is a difference of two amounts.
const maxUnits = 130

// units reads a signed amount in whole units.
func (in *csvReader) units(column string) *big.Int {
	text := in.text(column)
	plain, negative := strings.CutPrefix(text, "-")
	whole, err := parsePlain(plain, maxAmountText)
	if err == nil {
		if whole = whole.Shift(int32(in.asset.Scale)); !whole.IsInteger() || whole.BigInt().BitLen() > maxUnits {
			err = ErrInvalid
		}
	}
	if err != nil {
		in.wrong(column, fmt.Sprintf("is %.40q: must be an amount of %v with at most %d decimals", text, in.asset, in.asset.Scale))
		return new(big.Int)
	}
	units := whole.BigInt()
	if negative {
		units.Neg(units)
	}
	return units
}

func (in *csvReader) id(column string) ledger.ID {
	text := in.text(column)
	if text == "" {
		return ledger.ID{}
	}
	id, err := ledger.ParseID(text)
	if err != nil {
		in.wrong(column, "must be up to 32 hexadecimal digits")
	}
	return id
}

func (in *csvReader) number(column string, bits int) uint64 {
	text := in.text(column)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, bits)
	if err != nil {
		in.wrong(column, fmt.Sprintf("must be a whole number below 2^%d", bits))
	}
	return n
}
