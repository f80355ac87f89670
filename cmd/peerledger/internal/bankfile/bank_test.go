package bankfile

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// caseFile is the expected.json of a case.
type caseFile struct {
	Format  int
	Account Account
	Imports []caseImport
}

type caseImport struct {
	File    string
	Mapping *Mapping `json:"csv"`
	Refused Class
	Booked  []Payment
	Known   []string
	Listed  []struct {
		At       string
		Reason   Reason
		Amount   string
		Currency string
		Date     string
		Key      string
		Original *string
	}
	Skipped map[string]int
}

// bankCases returns the folders of the cases. PEERLEDGER_BANK names another folder of cases, as an absolute path.
func bankCases(t *testing.T) []string {
	t.Helper()
	folder := os.Getenv("PEERLEDGER_BANK")
	if folder == "" {
		folder = filepath.Join("testdata", "bank")
	}
	found, err := filepath.Glob(filepath.Join(folder, "*", "expected.json"))
	require.NoError(t, err)
	require.NotEmpty(t, found, "no case in %s", folder)
	folders := make([]string, len(found))
	for i, f := range found {
		folders[i] = filepath.Dir(f)
	}
	return folders
}

func readCase(t *testing.T, folder string) caseFile {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "expected.json"))
	require.NoError(t, err)
	var c caseFile
	require.NoError(t, json.Unmarshal(text, &c))
	require.Equal(t, 1, c.Format)
	require.NotEmpty(t, c.Imports)
	return c
}

// importFile reads a file into the book. The book goes through JSON, as a caller stores it.
func importFile(t *testing.T, folder string, c caseFile, i caseImport, book *Book) (Report, error) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(folder, i.File))
	require.NoError(t, err)
	file, err := Parse(t.Context(), data, i.Mapping)
	if err != nil {
		return Report{}, err
	}
	report, err := Decide(file, c.Account, book)
	if err != nil {
		return Report{}, err
	}
	book.Add(report)
	stored, err := json.Marshal(book)
	require.NoError(t, err)
	*book = Book{}
	require.NoError(t, json.Unmarshal(stored, book))
	return report, nil
}

// Each file of each case books, lists, skips and refuses as its expected.json has it. A second import of all files books nothing,
// and lists and skips the same.
func TestBank(t *testing.T) {
	t.Parallel()
	for _, folder := range bankCases(t) {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Parallel()
			c := readCase(t, folder)
			var book Book
			for _, again := range []bool{false, true} {
				for _, i := range c.Imports {
					checkImport(t, folder, c, i, &book, again)
				}
			}
		})
	}
}

func checkImport(t *testing.T, folder string, c caseFile, i caseImport, book *Book, again bool) {
	t.Helper()
	report, err := importFile(t, folder, c, i, book)
	if i.Refused != "" {
		var refused *RefusedError
		require.ErrorAs(t, err, &refused, i.File)
		require.Equal(t, i.Refused, refused.Class, i.File)
		return
	}
	require.NoError(t, err, i.File)
	known := i.Known
	if again {
		for _, p := range i.Booked {
			known = append(known, p.Key)
		}
		require.Empty(t, report.Booked, i.File)
	} else {
		require.Len(t, report.Booked, len(i.Booked), i.File)
		for n, p := range report.Booked {
			p.entryKey, p.Charge = "", ""
			require.Equal(t, i.Booked[n], p, i.File)
		}
	}
	var keys []string
	for _, p := range report.Known {
		keys = append(keys, p.Key)
	}
	require.ElementsMatch(t, known, keys, i.File)
	require.Len(t, report.Listed, len(i.Listed), i.File)
	for n, want := range i.Listed {
		got := report.Listed[n]
		require.Equal(t, []any{want.At, want.Reason, want.Amount, want.Currency, want.Date, want.Key},
			[]any{got.At, got.Reason, got.Amount, got.Currency, got.Date, got.Key}, i.File)
		if want.Original == nil {
			require.Empty(t, got.Original, i.File)
		} else {
			require.Equal(t, *want.Original, got.Original, i.File)
		}
	}
	if len(i.Skipped)+len(report.Skipped) > 0 {
		require.Equal(t, i.Skipped, report.Skipped, i.File)
	}
}

// In any order of the files, each key is booked at most once, and a further round books nothing new that has a reference.
func TestBankInOtherOrders(t *testing.T) {
	t.Parallel()
	for _, folder := range bankCases(t) {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Parallel()
			c := readCase(t, folder)
			for first := range c.Imports {
				var book Book
				booked := map[string]bool{}
				for n := range 3 * len(c.Imports) {
					i := c.Imports[(len(c.Imports)*3+first-n)%len(c.Imports)] // backwards, from each file
					report, err := importFile(t, folder, c, i, &book)
					var refused *RefusedError
					require.True(t, err == nil || errors.As(err, &refused), "%v", err)
					for _, p := range report.Booked {
						require.False(t, booked[p.Key], "booked twice: %s", p.Key)
						booked[p.Key] = true
					}
				}
			}
		})
	}
}
