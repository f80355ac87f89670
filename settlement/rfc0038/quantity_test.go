package rfc0038_test

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// quantity is a Quantity of an amount in digits.
func quantity(t *testing.T, amount string, scale uint8) rfc0038.Quantity {
	t.Helper()
	n, ok := new(big.Int).SetString(amount, 10)
	require.True(t, ok, amount)
	return rfc0038.Quantity{Amount: n, Scale: scale}
}

func TestParseQuantity(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]rfc0038.Quantity{
		`{"amount":"150","scale":2}`:                                 quantity(t, "150", 2),
		` { "scale" : 255, "amount" : "1" } ` + "\n":                 quantity(t, "1", 255),
		`{"amount":"0","scale":0}`:                                   quantity(t, "0", 0),
		`{"amount":"00070","scale":0}`:                               quantity(t, "70", 0),
		`{"amount":"\u0031\u0032","scale":1}`:                        quantity(t, "12", 1),
		`{"amount":"18446744073709551616","scale":9}`:                quantity(t, "18446744073709551616", 9),
		`{"id":7,"amount":"5","Amount":1,"scale":1,"SCALE":[{}]}`:    quantity(t, "5", 1),
		`{"amount":"` + strings.Repeat("9", 4096) + `","scale":255}`: quantity(t, strings.Repeat("9", 4096), 255),
	} {
		got, err := rfc0038.ParseQuantity([]byte(body))
		require.NoError(t, err, body)
		require.Equal(t, want.Scale, got.Scale, body)
		require.Zero(t, want.Amount.Cmp(got.Amount), body)
	}
}

func TestParseQuantityRefuses(t *testing.T) {
	t.Parallel()
	for body, field := range map[string]string{
		``: "", `null`: "", `"x"`: "", `[]`: "", `[{"amount":"1","scale":1}]`: "", `7`: "", `{`: "", `{]`: "", "\x00": "",
		`{"amount":"1","scale":1`: "", `{"amount":"1","scale":1}}`: "", `{"amount":"1","scale":1}{}`: "",
		`{"amount":"1","scale":1,}`: "", `{"amount":"1" "scale":1}`: "", `{1:2}`: "", `{"amount":"1","scale":01}`: "",
		"\xef\xbb\xbf" + `{"amount":"1","scale":1}`: "", `{"x":` + strings.Repeat("[", 100000): "",

		`{}`: "amount", `{"scale":2}`: "amount", `{"Amount":"1","scale":2}`: "amount",
		`{"amount":150,"scale":2}`: "amount", `{"amount":null,"scale":2}`: "amount", `{"amount":["1"],"scale":2}`: "amount",
		`{"amount":"","scale":2}`: "amount", `{"amount":"-1","scale":2}`: "amount", `{"amount":"+1","scale":2}`: "amount",
		`{"amount":"1.5","scale":2}`: "amount", `{"amount":"1e3","scale":2}`: "amount", `{"amount":" 1","scale":2}`: "amount",
		`{"amount":"1_0","scale":2}`: "amount", `{"amount":"0x1","scale":2}`: "amount", `{"amount":"٣","scale":2}`: "amount",
		`{"amount":"1\n","scale":2}`: "amount", `{"amount":"1","amount":"1","scale":2}`: "amount",
		`{"amount":"` + strings.Repeat("0", 4097) + `","scale":0}`: "amount",

		`{"amount":"1"}`: "scale", `{"amount":"1","scale":"2"}`: "scale", `{"amount":"1","scale":2.0}`: "scale",
		`{"amount":"1","scale":2.5}`: "scale", `{"amount":"1","scale":2e0}`: "scale", `{"amount":"1","scale":-1}`: "scale",
		`{"amount":"1","scale":-0}`: "scale", `{"amount":"1","scale":256}`: "scale", `{"amount":"1","scale":null}`: "scale",
		`{"amount":"1","scale":true}`: "scale", `{"amount":"1","scale":{}}`: "scale", `{"amount":"1","scale":2,"scale":2}`: "scale",
		`{"amount":"1","scale":18446744073709551618}`: "scale",
	} {
		_, err := rfc0038.ParseQuantity([]byte(body))
		var fault *rfc0038.QuantityError
		require.ErrorAs(t, err, &fault, body)
		require.ErrorIs(t, err, rfc0038.ErrInvalidQuantity)
		require.Equal(t, field, fault.Field, body)
		require.NotEmpty(t, fault.Reason)
		require.Less(t, len(err.Error()), 200)
	}
}

func TestQuantityMarshals(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(quantity(t, "150", 2))
	require.NoError(t, err)
	require.Equal(t, `{"amount":"150","scale":2}`, string(text)) //nolint:testifylint // the bytes matter, as some programs hash them
	text, err = json.Marshal(rfc0038.Quantity{Scale: 9})
	require.NoError(t, err)
	require.JSONEq(t, `{"amount":"0","scale":9}`, string(text))
	_, err = json.Marshal(quantity(t, "-1", 2))
	require.ErrorIs(t, err, rfc0038.ErrInvalidQuantity)
	var q rfc0038.Quantity
	require.NoError(t, json.Unmarshal([]byte(`{"scale":1,"amount":"015"}`), &q))
	require.Equal(t, "1.5", q.String())
	require.Equal(t, "0.00", rfc0038.Quantity{Scale: 2}.String())
}

func TestQuantitiesCompareByValue(t *testing.T) {
	t.Parallel()
	require.True(t, quantity(t, "250", 2).Equal(quantity(t, "2500000", 6)))
	require.False(t, quantity(t, "250", 2).Equal(quantity(t, "2500001", 6)))
	require.True(t, rfc0038.Quantity{}.Equal(quantity(t, "0", 255)))
	require.Equal(t, 1, quantity(t, "1", 0).Compare(quantity(t, "9", 255)))
	require.Equal(t, -1, quantity(t, "99", 2).Compare(quantity(t, "1", 0)))
}

func TestQuantitySplits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		amount      string
		from, to    uint8
		units, rest string
	}{
		{"150", 2, 2, "150", "0"},
		{"150", 2, 9, "1500000000", "0"},
		{"159", 2, 1, "15", "9"},
		{"9", 1, 0, "0", "9"},
		{"0", 9, 2, "0", "0"},
		{"340282366920938463463374607431768211455", 0, 19, "3402823669209384634633746074317682114550000000000000000000", "0"},
		{"1", 255, 0, "0", "1"},
	} {
		q := quantity(t, c.amount, c.from)
		units, rest := q.Split(c.to)
		require.Equal(t, c.units, units.String(), c)
		require.Equal(t, c.rest, rest.Amount.String(), c)
		require.Equal(t, c.from, rest.Scale, c)
		require.Equal(t, c.amount, q.Amount.String(), "Split must not change the Quantity")
	}
	units, rest := rfc0038.Quantity{Scale: 3}.Split(1)
	require.Zero(t, units.Sign())
	require.True(t, rest.IsZero())
}

func TestParseKey(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		"3f1c2e80-9d1a-4f8e-8f6e-2f6f3c1d2b4a", "[object Object]", "0x" + strings.Repeat("A", 64), "a, b", "a:b", "é", strings.Repeat("k", 255),
		strings.Repeat("é", 255),
	} {
		require.NoError(t, rfc0038.ParseKey(key), key)
	}
	for _, key := range []string{
		"", strings.Repeat("k", 256), strings.Repeat("k", 10000), "a\tb", "a\nb", "a\x00", "\x7f", "\xe9", "a\u200bb", "\u00a0",
	} {
		err := rfc0038.ParseKey(key)
		require.ErrorIs(t, err, rfc0038.ErrInvalidKey, "%q", key)
		require.Less(t, len(err.Error()), 200)
	}
}

// FuzzParseQuantity holds the parser against encoding/json: what is accepted has digits that
// survive being written and read, and splits without loss.
func FuzzParseQuantity(f *testing.F) {
	for _, body := range []string{
		`{"amount":"150","scale":2}`, `{"amount":"007","scale":255,"x":[]}`, `{"amount":150,"scale":"2"}`, `{"amount":"1","scale":256}`,
		`{"amount":"18446744073709551616","scale":0}`, `{"amount":"1","amount":"2","scale":0}`, `[`, "",
	} {
		f.Add([]byte(body), uint8(9))
	}
	f.Fuzz(func(t *testing.T, body []byte, scale uint8) {
		q, err := rfc0038.ParseQuantity(body)
		if err != nil {
			require.ErrorIs(t, err, rfc0038.ErrInvalidQuantity)
			return
		}
		require.True(t, json.Valid(body))
		require.GreaterOrEqual(t, q.Amount.Sign(), 0)
		text, err := json.Marshal(q)
		require.NoError(t, err)
		again, err := rfc0038.ParseQuantity(text)
		require.NoError(t, err)
		require.Equal(t, q.Scale, again.Scale)
		require.Zero(t, q.Amount.Cmp(again.Amount))
		units, rest := q.Split(scale)
		whole := rfc0038.Quantity{Amount: units, Scale: scale}
		finer := max(scale, q.Scale)
		sum, _ := whole.Split(finer)
		left, _ := rest.Split(finer)
		require.True(t, q.Equal(rfc0038.Quantity{Amount: sum.Add(sum, left), Scale: finer}))
	})
}
