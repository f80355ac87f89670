package ledgertest

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// arguments are the unread words of a statement.
type arguments struct{ words []string }

func (w *arguments) nextWord(name string) (string, error) {
	if len(w.words) == 0 {
		return "", fmt.Errorf("%s missing", name)
	}
	word := w.words[0]
	w.words = w.words[1:]
	return word, nil
}

func (w *arguments) readNumber(name string) (uint128.Uint128, error) {
	word, err := w.nextWord(name)
	if err != nil {
		return uint128.Zero, err
	}
	return parseNumber(word)
}

// readField reads a number into a field, as setField does.
func (w *arguments) readField(name string, field any) error {
	word, err := w.nextWord(name)
	if err != nil {
		return err
	}
	return setField(field, word)
}

func (w *arguments) expectEnd() error {
	if len(w.words) > 0 {
		return fmt.Errorf("%q was not expected", strings.Join(w.words, " "))
	}
	return nil
}

// assignFields reads all remaining words as field=value and sets the named fields. It returns the
// names.
func (w *arguments) assignFields(fields map[string]any) (names []string, err error) {
	for _, word := range w.words {
		name, value, ok := strings.Cut(word, "=")
		field, known := fields[name]
		if !ok || !known {
			return nil, fmt.Errorf("%q is neither a flag nor a field=value here", word)
		}
		if err := setField(field, value); err != nil {
			return nil, fmt.Errorf("%s: %w", word, err)
		}
		names = append(names, name)
	}
	w.words = nil
	return names, nil
}

func setField(field any, value string) (err error) {
	if s, ok := field.(*scriptTime); ok {
		*s, err = parseScriptTime(value)
		return err
	}
	n, err := parseNumber(value)
	if err != nil {
		return err
	}
	most := uint128.Max
	switch f := field.(type) {
	case *uint128.Uint128:
		*f = n
	case *ledger.ID:
		*f = ledger.ID(n)
	case *ledger.Amount:
		*f = ledger.Amount(n)
	case *uint64:
		*f, most = n.Lo, uint128.From64(math.MaxUint64)
	case *uint32:
		*f, most = uint32(n.Lo), uint128.From64(math.MaxUint32)
	case *uint16:
		*f, most = uint16(n.Lo), uint128.From64(math.MaxUint16)
	default:
		panic(fmt.Sprintf("ledgertest: no way to read a %T", field))
	}
	if n.Cmp(most) > 0 {
		return errors.New("the number is too large for the field")
	}
	return nil
}

// parseNumber reads 12, 2^63, MAX (2^128-1), or a difference such as MAX-1.
func parseNumber(word string) (uint128.Uint128, error) {
	n := new(big.Int)
	for i, term := range strings.Split(word, "-") {
		value, err := parsePower(term)
		if err != nil {
			return uint128.Zero, fmt.Errorf("%q is not a number", word)
		}
		if i > 0 {
			value.Neg(value)
		}
		n.Add(n, value)
	}
	if n.Sign() < 0 || n.BitLen() > 128 {
		return uint128.Zero, fmt.Errorf("%q is not from 0 to MAX", word)
	}
	return uint128.FromBig(n), nil
}

func parsePower(word string) (*big.Int, error) {
	if word == "MAX" {
		return uint128.Max.Big(), nil
	}
	if exponent, ok := strings.CutPrefix(word, "2^"); ok {
		bits, err := strconv.ParseUint(exponent, 10, 8)
		return new(big.Int).Lsh(big.NewInt(1), uint(bits)), err
	}
	if n, ok := new(big.Int).SetString(word, 10); ok {
		return n, nil
	}
	return nil, strconv.ErrSyntax
}

// parseNumbers reads a list of numbers with a separator.
func parseNumbers(list, between string) (numbers []uint128.Uint128, err error) {
	for word := range strings.SplitSeq(list, between) {
		n, err := parseNumber(word)
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}

// scriptTime is a timestamp in a scenario: a number, or nanoseconds since the scenario's start.
type scriptTime struct {
	n          uint64
	sinceStart bool
}

func parseScriptTime(value string) (scriptTime, error) {
	if value == "future" {
		return scriptTime{n: uint64(time.Hour), sinceStart: true}, nil
	}
	offset, since := strings.CutPrefix(value, "@")
	s := scriptTime{sinceStart: since}
	err := setField(&s.n, offset)
	return s, err
}

// takeFlags removes the words for flags from w and returns the flags together.
func takeFlags[F ~uint16](w *arguments, flags map[string]F) (set F) {
	var rest []string
	for _, word := range w.words {
		if flag, ok := flags[word]; ok {
			set |= flag
		} else {
			rest = append(rest, word)
		}
	}
	w.words = rest
	return set
}

// findStatus returns the status named by the words, or the fallback if there are no words.
func findStatus[S fmt.Stringer](words []string, fallback S, all []S) (S, error) {
	if len(words) == 0 {
		return fallback, nil
	}
	name := strings.Join(words, " ")
	for _, s := range all {
		if s.String() == name {
			return s, nil
		}
	}
	return fallback, fmt.Errorf("unknown status %q", name)
}
