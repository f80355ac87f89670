package bankfile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	camtTestAccount = Account{ID: "NL69TEST", Currency: "EUR", Scale: 2, Books: Camt053}
	mtTestAccount   = Account{ID: "X", MT940: "1", Currency: "EUR", Scale: 2, Books: MT940}
)

// tell imports a file and returns the outcomes in short: "booked KEY AMOUNT", "known KEY", "REASON AT KEY", "skipped REASON N".
func tell(t *testing.T, text string, mapping *Mapping, account Account, book *Book) []string {
	t.Helper()
	file, err := Parse(t.Context(), []byte(text), mapping)
	require.NoError(t, err)
	report, err := Decide(file, account, book)
	require.NoError(t, err)
	book.Add(report)
	var out []string
	for _, p := range report.Booked {
		out = append(out, fmt.Sprintf("booked %s %s", p.Key, p.Amount))
	}
	for _, p := range report.Known {
		out = append(out, "known "+p.Key)
	}
	for _, l := range report.Listed {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s", l.Reason, l.At, l.Key)))
	}
	for _, reason := range []string{"outgoing", "pending", "information", "zero", "no status", "other account", "other source"} {
		if n := report.Skipped[reason]; n > 0 {
			out = append(out, fmt.Sprintf("skipped %s %d", reason, n))
		}
	}
	return out
}

// tellCamt imports one statement.
func tellCamt(t *testing.T, book *Book, entries string) []string {
	t.Helper()
	return tell(t, camtStatement(entries), nil, camtTestAccount, book)
}

func replace(text string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(text) }

// camtBalances makes opening and closing balance.
func camtBalances(opening, closing string) string {
	balance := `<Bal><Tp><CdOrPrtry><Cd>%s</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">%s</Amt><Dt><Dt>2026-11-02</Dt></Dt></Bal>`
	return fmt.Sprintf(balance+balance, "OPBD", opening, "CLBD", closing)
}

func TestSameKeyWithAnotherDate(t *testing.T) {
	t.Parallel()
	var book Book
	require.Equal(t, []string{"booked NL69TEST/EUR/entry/A 100"}, tellCamt(t, &book, camtCredit))
	dated := replace(camtCredit, "<AcctSvcrRef>", `<BookgDt><Dt>2027-11-02</Dt></BookgDt><AcctSvcrRef>`)
	require.Equal(t, []string{"conflict statement 1 entry 1 NL69TEST/EUR/entry/A"}, tellCamt(t, &book, dated))
	require.Equal(t, []string{"known NL69TEST/EUR/entry/A"}, tellCamt(t, &book, camtCredit))
}

func TestStatusesAndReturns(t *testing.T) {
	t.Parallel()
	code := `<AcctSvcrRef>A</AcctSvcrRef><BkTxCd><Domn><Fmly><SubFmlyCd>RRTN</SubFmlyCd></Fmly></Domn></BkTxCd>`
	for _, c := range [][3]string{
		{"BOOK", "FUTR", "skipped pending 1"},
		{"BOOK", "OTHR", "skipped no status 1"},
		{"<Sts><Cd>BOOK</Cd></Sts>", "", "booked NL69TEST/EUR/entry/A 100"},
		{"CRDT", "DBIT", "skipped outgoing 1"},
		{"<AcctSvcrRef>A</AcctSvcrRef>", code, "came back statement 1 entry 1"},
		{"<Sts>", "<RvslInd>1</RvslInd><Sts>", "came back statement 1 entry 1"},
		{"CRDT</CdtDbtInd>", "DBIT</CdtDbtInd><RvslInd>1</RvslInd>", "taken back statement 1 entry 1"},
		{"CRDT</CdtDbtInd>", "DBIT</CdtDbtInd><RvslInd> </RvslInd>", "skipped outgoing 1"},
	} {
		require.Equal(t, []string{c[2]}, tellCamt(t, &Book{}, replace(camtCredit, c[0], c[1])), "%v", c)
	}
}

// Some banks leave the original's mark on a reversal: the proof holds with reversals turned, and nothing is booked from them.
func TestProofWithReversalsTurned(t *testing.T) {
	t.Parallel()
	reversal := replace(camtCredit, "<Sts>", "<RvslInd>true</RvslInd><Sts>")
	require.Equal(t, []string{"came back statement 1 entry 1"}, tellCamt(t, &Book{}, camtBalances("5", "4")+reversal))
	require.Equal(t, []string{"came back statement 1 entry 1"}, tellCamt(t, &Book{}, camtBalances("5", "6")+reversal))
	file, err := Parse(t.Context(), []byte(camtStatement(camtBalances("5", "5")+reversal)), nil)
	require.NoError(t, err)
	_, err = Decide(file, camtTestAccount, &Book{})
	require.ErrorContains(t, err, "refused (balance): statement 1")
}

// A statement with the balances of one before, and another number, is a day of its own: its entries are for the operator.
func TestSameBalancesWithAnotherNumber(t *testing.T) {
	t.Parallel()
	credit := replace(camtCredit, "<AcctSvcrRef>A</AcctSvcrRef>", "")
	there := replace(credit, "CRDT", "DBIT")
	var book Book
	day := func(number string) string {
		return "<ElctrncSeqNb>" + number + "</ElctrncSeqNb>" + camtBalances("5", "5") + credit + there
	}
	require.Equal(t, []string{"booked NL69TEST/EUR/chain/2026-11-02/500/500/1 100", "skipped outgoing 1"}, tellCamt(t, &book, day("1")))
	require.Equal(t, []string{"known NL69TEST/EUR/chain/2026-11-02/500/500/1", "skipped outgoing 1"}, tellCamt(t, &book, day("1")))
	require.Equal(t, []string{"no key statement 1 entry 1", "skipped outgoing 1"}, tellCamt(t, &book, day("2")))
}

// An entry is booked whole or in parts, for ever. Its parts must be credits that add up to the entry.
func TestWholeAndParts(t *testing.T) {
	t.Parallel()
	part := func(mark, ref string) string {
		return `<TxDtls><Refs><AcctSvcrRef>` + ref + `</AcctSvcrRef></Refs><Amt Ccy="EUR">0.50</Amt><CdtDbtInd>` + mark + `</CdtDbtInd></TxDtls>`
	}
	batch := func(parts ...string) string {
		return replace(camtCredit, "</Ntry>", "<NtryDtls>"+parts[0]+"</NtryDtls><NtryDtls>"+parts[1]+"</NtryDtls></Ntry>")
	}
	var book Book
	tellCamt(t, &book, camtCredit)
	require.Equal(t, []string{"conflict statement 1 entry 1 NL69TEST/EUR/entry/A"}, tellCamt(t, &book, batch(part("CRDT", "P"), part("CRDT", "Q"))))
	book = Book{}
	require.Equal(t, []string{"parts differ statement 1 entry 1"}, tellCamt(t, &book, batch(part("CRDT", "P"), part("DBIT", "Q"))))
	require.Equal(t, []string{"booked NL69TEST/EUR/entry/A/parts 50", "booked NL69TEST/EUR/entry/A/Q 50"},
		tellCamt(t, &book, batch(part("CRDT", "parts"), part("CRDT", "Q"))))
	require.Equal(t, []string{"conflict statement 1 entry 1 NL69TEST/EUR/entry/A"}, tellCamt(t, &book, camtCredit))
}

// One number may hold accounts in several currencies.
func TestAccountInAnotherCurrency(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"skipped other account 1"}, tell(t, replace(camtStatement(camtCredit), "EUR", "USD"), nil, camtTestAccount, &Book{}))
	dollars := replace(camtStatement(camtBalances("5", "6")+camtCredit), "<Ccy>EUR</Ccy>", "", "EUR", "USD")
	require.Equal(t, []string{"skipped other account 1"}, tell(t, dollars, nil, camtTestAccount, &Book{}))
}

// A lone page books entries with a reference only. Pages of two accounts are not joined.
func TestLonePages(t *testing.T) {
	t.Parallel()
	page := ":20:S\n:25:1\n:60M:C260102EUR5,\n:61:2601020102C1,NTRFNONREF//R\n:61:2601020102C2,NTRFX\n:62M:C260102EUR8,\n-\n"
	want := []string{"booked X/EUR/mt940/2026-01-02/100/R 100", "no key statement 1 line 2"}
	require.Equal(t, want, tell(t, page, nil, mtTestAccount, &Book{}))
	other := replace(page, ":25:1", ":25:2", "EUR5,", "EUR8,", "EUR8,", "EUR11,")
	require.Equal(t, append(want, "skipped other account 2"), tell(t, page+other, nil, mtTestAccount, &Book{}))
	pending := replace(page, "0102C1", "0102EC1", "0102C2", "0102ED2", "EUR8,", "EUR5,")
	require.Equal(t, []string{"skipped pending 2"}, tell(t, pending, nil, mtTestAccount, &Book{}))
}

func TestCSVAmounts(t *testing.T) {
	t.Parallel()
	m := &Mapping{Decimal: ",", Group: ".", Date: "D.M.YY", Columns: map[string]string{"date": "d", "credit": "in", "debit": "out", "reference": "r"}, Delimiter: ";"}
	account := Account{ID: "X", Currency: "EUR", Scale: 2, Books: CSV}
	require.Equal(t, []string{"booked X/EUR/csv/a 125000"},
		tell(t, "d;in;out;r\n2.1.26;1.250;;a\n", m, account, &Book{}))
	require.Equal(t, []string{"booked X/EUR/csv/a 123456789", "skipped outgoing 2"},
		tell(t, "d;in;out;r\n2.1.26;1.234.567,89;;a\n2.1.26;;-3;b\n2.1.26;;3,5;c\n", m, account, &Book{}))
	for _, amount := range []string{"1.25", "1.2500", ".250", "1..250", "1,2,3", "1 250", "", "--1", "+-1", "1,250.00", "0x1", "1e3", "1,000001"} {
		_, err := Parse(t.Context(), []byte("d;in;out;r\n2.1.26;"+amount+";;a\n"), m)
		require.ErrorContains(t, err, "refused (amount): row 1", amount)
	}
}

// A file without a header has the headers of the mapping, one for each column.
func TestCSVWithoutHeader(t *testing.T) {
	t.Parallel()
	m := &Mapping{Date: "YYYY-MM-DD", Header: []string{"d", "", "a", "r"}, Columns: map[string]string{"date": "d", "amount": "a", "reference": "r"}}
	account := Account{ID: "X", Currency: "EUR", Scale: 2, Books: CSV}
	require.Equal(t, []string{"booked X/EUR/csv/R1 100", "booked X/EUR/csv/R2 200"}, tell(t, "2026-11-02,x,1,R1\n2026-11-02,y,2,R2\n", m, account, &Book{}))
	for text, where := range map[string]string{"2026-11-02,1,R1\n": "row 1", "2026-11-02,x,1,R1\n2026-11-02,x,1,R2,z\n": "row 2"} {
		_, err := Parse(t.Context(), []byte(text), m)
		require.ErrorContains(t, err, "refused (column): "+where)
	}
	m.SkipLines = 2
	_, err := Parse(t.Context(), []byte("x\ny\n2026-11-02,x,1,R1\n2026-11-02,x,z,R1\n"), m)
	require.ErrorContains(t, err, "refused (amount): row 2 (line 4)")
	m.SkipLines = 0
	m.Header = []string{"d", "r"}
	_, err = Parse(t.Context(), []byte("2026-11-02,R1\n"), m)
	require.ErrorContains(t, err, `no column "a"`)
}
