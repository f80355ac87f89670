package bankfile

import (
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// addSeeds adds the cases' files with an extension.
func addSeeds(f *testing.F, extension string, add func(data []byte)) {
	f.Helper()
	found, err := filepath.Glob(filepath.Join("testdata", "bank", "*", "*"+extension))
	require.NoError(f, err)
	require.NotEmpty(f, found)
	for _, name := range found {
		data, err := os.ReadFile(name)
		require.NoError(f, err)
		add(data)
	}
}

// checkTwice imports a file twice. Payments have keys of their own and amounts above zero, and the second import books nothing.
func checkTwice(t *testing.T, data []byte, mapping *Mapping, account Account) {
	t.Helper()
	file, err := Parse(t.Context(), data, mapping)
	var refused *RefusedError
	if err != nil {
		require.True(t, errors.As(err, &refused), "%v", err)
		return
	}
	if mapping == nil && file.Kind != Camt052 { // whatever the file is about, import its first account
		account.Books = file.Kind
	}
	for _, s := range file.Statements {
		if mapping == nil && s.Account != "" {
			account.ID, account.MT940 = s.Account, s.Account
		}
	}
	var book Book
	first, err := Decide(file, account, &book)
	if err != nil {
		require.True(t, errors.As(err, &refused), "%v", err)
		return
	}
	keys := map[string]bool{}
	for _, p := range first.Booked {
		n, ok := new(big.Int).SetString(p.Amount, 10)
		require.True(t, ok && n.Sign() > 0, "amount %q", p.Amount)
		require.False(t, keys[p.Key], "two payments under %q", p.Key)
		keys[p.Key] = true
	}
	book.Add(first)
	stored, err := json.Marshal(book)
	require.NoError(t, err)
	var again Book
	require.NoError(t, json.Unmarshal(stored, &again))
	second, err := Decide(file, account, &again)
	require.NoError(t, err)
	require.Empty(t, second.Booked)
	require.GreaterOrEqual(t, len(second.Known)+len(second.Listed), len(first.Booked))
}

func FuzzCamt(f *testing.F) {
	addSeeds(f, ".xml", func(data []byte) { f.Add(data) })
	f.Fuzz(func(t *testing.T, data []byte) {
		checkTwice(t, append([]byte("<"), data...), nil, Account{Currency: "EUR", Scale: 2, Books: Camt053, ID: "X"})
		checkTwice(t, data, nil, Account{Currency: "EUR", Scale: 2, Books: Camt053, ID: "X"})
	})
}

func FuzzMT940(f *testing.F) {
	addSeeds(f, ".sta", func(data []byte) { f.Add(data) })
	f.Fuzz(func(t *testing.T, data []byte) {
		checkTwice(t, data, nil, Account{Currency: "EUR", Scale: 2, Books: MT940, ID: "X"})
	})
}

func FuzzCSV(f *testing.F) {
	addSeeds(f, ".csv", func(data []byte) { f.Add(data, ",", ".", 0) })
	f.Fuzz(func(t *testing.T, data []byte, delimiter, group string, skip int) {
		m := Mapping{
			Delimiter: delimiter, Decimal: ",", Group: group, Date: "YYYY-MM-DD", SkipLines: skip % 8,
			Columns: map[string]string{"date": "Datum", "amount": "Bedrag", "reference": "Volgnr"},
		}
		if m.Validate() != nil {
			return
		}
		checkTwice(t, data, &m, Account{Currency: "EUR", Scale: 2, Books: CSV, ID: "X"})
	})
}
