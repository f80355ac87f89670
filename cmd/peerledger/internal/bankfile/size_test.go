package bankfile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// manyPayments is the number of payments of one statement, and fewer with the race detector.
var manyPayments = 20_000

// A statement of many payments is booked, each payment once, and the statement that continues it too.
func TestManyPayments(t *testing.T) {
	t.Parallel()
	n := manyPayments
	var text strings.Builder
	for i := range n {
		text.WriteString(strings.ReplaceAll(camtCredit, ">A<", fmt.Sprintf(">A%d<", i/2*2+1))) // each reference twice
	}
	balance := `<Bal><Tp><CdOrPrtry><Cd>%s</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">%d</Amt><Dt><Dt>2026-11-02</Dt></Dt></Bal>`
	data := camtStatement(fmt.Sprintf(balance+balance, "OPBD", 5, "CLBD", n+5) + text.String())
	file, err := Parse(t.Context(), []byte(data), nil)
	require.NoError(t, err)
	account := Account{ID: "NL69TEST", Currency: "EUR", Scale: 2, Books: Camt053}
	var book Book
	report, err := Decide(file, account, &book)
	require.NoError(t, err)
	require.Len(t, report.Booked, n)
	require.Equal(t, fmt.Sprintf("NL69TEST/EUR/chain/2026-11-02/500/%d/%d", 500+100*n, n), report.Booked[n-1].Key)
	book.Add(report)
	book.Add(report)
	require.Len(t, book.Spans, 1)
	again, err := Decide(file, account, &book)
	require.NoError(t, err)
	require.Empty(t, again.Booked)
	require.Len(t, again.Known, n)
}
