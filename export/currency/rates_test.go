package currency_test

import (
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/export/currency"
	"github.com/peerledger/peerledger/ledger"
)

func TestReadRates(t *testing.T) {
	t.Parallel()
	got, err := currency.ReadRates(strings.NewReader("from,asset,rate\n2026-11-01,USD,0.92\n2026-11-02T12:00:00+01:00,USD/9,0.910000000000000000000000001\n2026-11-01,GBP,1.2\n"), assets)
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Equal(t, []string{"USD/9", "2026-11-01T00:00:00Z", "0.92"}, []string{got[0].Asset.String(), got[0].From.Format(time.RFC3339), got[0].Worth.String()})
	require.Equal(t, "0.910000000000000000000000001", got[1].Worth.String())
	require.True(t, got[1].From.Equal(time.Date(2026, 11, 2, 11, 0, 0, 0, time.UTC)))
	for text, want := range map[string]string{
		"":                                        "EOF",
		"from,asset\n":                            "columns",
		"date,asset,rate\n":                       "the columns must be from,asset,rate",
		"from,asset,rate\n1.11.2026,USD,1\n":      `line 2: "1.11.2026" is no date`,
		"from,asset,rate\n2026-11-01,USD,0\n":     "line 2",
		"from,asset,rate\n2026-11-01,USD,-1\n":    "must be above 0",
		"from,asset,rate\n2026-11-01,USD,1e3\n":   "must be above 0, with at most 40 digits",
		"from,asset,rate\n2026-11-01,USD,1,5\n":   "wrong number of fields",
		"from,asset,rate\n2026-11-01,USD,0x1\n":   "line 2",
		"from,asset,rate\n2026-11-01,USD,\"1,5\"": "line 2",
	} {
		_, err := currency.ReadRates(strings.NewReader(text), assets)
		if want == "columns" {
			want = "wrong number of fields"
		}
		require.ErrorContains(t, err, want, text)
	}
}

// A rate that is missing where units need it is an error that names asset and moment, and no rate is used where none is needed.
func TestMissingRates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clock.Store(start.Add(time.Hour).UnixNano())
	_, err := w.book.Fund(t.Context(), accounts.Capital{Asset: cent, Key: "k", Amount: ledger.NewAmount(5)})
	require.NoError(t, err)
	month := currency.Query{From: start, To: start.Add(24 * time.Hour)}
	compute := func(q currency.Query) error {
		_, err := currency.Compute(t.Context(), w.ledger, w.book, q)
		return err
	}
	err = compute(month)
	require.ErrorIs(t, err, currency.ErrNoRate)
	require.ErrorContains(t, err, "EUR/2 at 2026-10-31T01:00:00Z")
	one := decimal.New(1, 0)
	month.Rates = []currency.Rate{{Asset: cent, From: start.Add(time.Hour), Worth: one}} // in time for the first entry
	require.NoError(t, compute(month))
	later := month
	later.From = start.Add(2 * time.Hour)
	later.Rates = []currency.Rate{{Asset: cent, From: start.Add(3 * time.Hour), Worth: one}}
	require.ErrorContains(t, compute(later), "EUR/2 at 2026-10-31T02:00:00Z") // the opening balance
	month.Rates = append(month.Rates, month.Rates[0])
	require.ErrorIs(t, compute(month), accounts.ErrInvalid)
	require.ErrorContains(t, compute(month), "is given twice")
	month.Rates = []currency.Rate{{Asset: cent}}
	require.ErrorIs(t, compute(month), accounts.ErrInvalid)
	require.ErrorIs(t, compute(currency.Query{From: start}), accounts.ErrInvalid)
	require.ErrorIs(t, compute(currency.Query{From: start, To: start}), accounts.ErrInvalid)
}

// The rate at the beginning counts from there, and the one at the end is the last.
func TestSelectRates(t *testing.T) {
	t.Parallel()
	at := func(hour int) time.Time { return start.Add(time.Duration(hour) * time.Hour) }
	var rates []currency.Rate
	for i, hour := range []int{5, 2, 1, 3, 4} {
		rates = append(rates, currency.Rate{Asset: cent, From: at(hour), Worth: decimal.New(int64(hour), 0)}, currency.Rate{Asset: yen, From: at(i), Worth: decimal.New(9, 0)})
	}
	got, err := currency.SelectRates(rates, cent, at(2).Add(time.Minute), at(4))
	require.NoError(t, err)
	require.Len(t, got, 3)
	require.Equal(t, []time.Time{at(2).Add(time.Minute), at(3), at(4)}, []time.Time{got[0].From, got[1].From, got[2].From})
	require.Equal(t, "2 3 4", got[0].Worth.String()+" "+got[1].Worth.String()+" "+got[2].Worth.String())
	_, err = currency.SelectRates(append(rates, rates[0]), cent, at(0), at(9))
	require.ErrorIs(t, err, accounts.ErrInvalid)
}
