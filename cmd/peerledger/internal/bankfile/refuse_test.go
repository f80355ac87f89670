package bankfile

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const camtStart = `<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt>`

const camtEnd = `</BkToCstmrStmt></Document>`

func camtStatement(entries string) string {
	return camtStart + `<Stmt><CreDtTm>2026-11-02T20:00:00</CreDtTm><Acct><Id><IBAN>NL69 TEST</IBAN></Id><Ccy>EUR</Ccy></Acct>` + entries + `</Stmt>` + camtEnd
}

const camtCredit = `<Ntry><Amt Ccy="EUR">1.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><AcctSvcrRef>A</AcctSvcrRef></Ntry>`

// Each file is refused as a whole, with the class and the place of the fault.
func TestRefusedFiles(t *testing.T) {
	t.Parallel()
	mapping := &Mapping{Decimal: ",", Date: "YYYY-MM-DD", Columns: map[string]string{"date": "d", "amount": "a"}}
	for name, c := range map[string]struct {
		text    string
		mapping *Mapping
		class   Class
		where   string
	}{
		"entity":               {camtStatement(`<Id>&x;</Id>` + camtCredit), nil, RefusedNotWellFormed, "line 1"},
		"entities declared":    {`<!DOCTYPE a [<!ENTITY x "y">]>` + camtStatement(""), nil, RefusedDocumentType, "line 1"},
		"document type inside": {camtStatement(`<!DOCTYPE a>`), nil, RefusedDocumentType, "line 1"},
		"two documents":        {camtStatement(camtCredit) + "\n" + camtStatement(camtCredit), nil, RefusedNotWellFormed, "line 2"},
		"text at the end":      {camtStatement(camtCredit) + "x", nil, RefusedNotWellFormed, "line 1"},
		"cut off":              {strings.TrimSuffix(camtStatement(camtCredit), "</Document>"), nil, RefusedNotWellFormed, "line 1"},
		"cut in an entry":      {camtStatement(camtCredit)[:300], nil, RefusedNotWellFormed, "line 1"},
		"no statement":         {camtStart + camtEnd, nil, RefusedUnknown, ""},
		"another message":      {strings.ReplaceAll(camtStatement(camtCredit), "BkToCstmrStmt", "BkToCstmrAcctRpt"), nil, RefusedUnknown, ""},
		"another encoding":     {`<?xml version="1.0" encoding="EBCDIC"?>` + camtStatement(camtCredit), nil, RefusedNotWellFormed, "line 1"},
		"not UTF-8":            {camtStatement("<Id>\xff</Id>" + camtCredit), nil, RefusedNotWellFormed, "line 1"},
		"comma":                {camtStatement(strings.ReplaceAll(camtCredit, "1.00", "1,00")), nil, RefusedAmount, "statement 1 entry 1 (line 1)"},
		"minus":                {camtStatement(strings.ReplaceAll(camtCredit, "1.00", "-1.00")), nil, RefusedAmount, "statement 1 entry 1 (line 1)"},
		"exponent":             {camtStatement(strings.ReplaceAll(camtCredit, "1.00", "1e9")), nil, RefusedAmount, "statement 1 entry 1 (line 1)"},
		"two amounts":          {camtStatement(strings.ReplaceAll(camtCredit, "<Sts>", `<Amt Ccy="EUR">2</Amt><Sts>`)), nil, RefusedNotWellFormed, "statement 1 entry 1 (line 1)"},
		"two references":       {camtStatement(strings.ReplaceAll(camtCredit, "</Ntry>", `<AcctSvcrRef>B</AcctSvcrRef></Ntry>`)), nil, RefusedNotWellFormed, "statement 1 entry 1 (line 1)"},
		"two accounts":         {camtStatement("<Acct><Id><IBAN>X</IBAN></Id></Acct>"), nil, RefusedNotWellFormed, "statement 1"},
		"second entry":         {camtStatement("\n" + camtCredit + "\n" + strings.ReplaceAll(camtCredit, "1.00", "x")), nil, RefusedAmount, "statement 1 entry 2 (line 3)"},
		"deep":                 {camtStatement(strings.Repeat("<a>", 70) + strings.Repeat("</a>", 70)), nil, RefusedSize, "line 1"},
		"long text":            {camtStatement("<Id>" + strings.Repeat("x", 5000) + "</Id>"), nil, RefusedSize, "line 1"},
		"many entries":         {camtStatement(strings.Repeat("<Ntry/>", maxItems+1)), nil, RefusedNotWellFormed, "statement 1 entry 1 (line 1)"},
		"many details":         {camtStatement("<Ntry>" + strings.Repeat("<TxDtls/>", maxItems+1) + "</Ntry>"), nil, RefusedSize, "line 1"},
		"a zip":                {"PK\x03\x04", nil, RefusedUnknown, "line 1"},
		"empty":                {"", nil, RefusedUnknown, ""},
		"page":                 {"<html></html>", nil, RefusedUnknown, "html"},
		"no account":           {":20:X\n:60F:C260102EUR1,\n", nil, RefusedLine, "line 1"},
		"no line":              {":20:X\n:25:1\n:61:26010C1,NTRF//1\n", nil, RefusedLine, "line 3"},
		"no date":              {":20:X\n:25:1\n:61:2613010102C1,NTRF//1\n", nil, RefusedLine, "line 3"},
		"two commas":           {":20:X\n:25:1\n:61:2601010102C1,0,0NTRF//1\n", nil, RefusedLine, "line 3"},
		"interim report":       {":20:X\n:25:1\n:34F:EUR0,\n", nil, RefusedUnknown, "line 3"},
		"pages that do not meet": {
			":20:X\n:25:1\n:60F:C260102EUR1,\n:62M:C260102EUR1,\n-\n:20:X\n:25:1\n:60M:C260102EUR2,\n:62F:C260102EUR2,\n-\n", nil, RefusedBalance, "line 6",
		},
		"column":      {"d,b\n2026-01-01,1\n", mapping, RefusedColumn, "header"},
		"two columns": {"d,a,a\n2026-01-01,1,1\n", mapping, RefusedColumn, "header"},
		"short row":   {"d,a\n2026-01-01,1\n2026-01-01\n", mapping, RefusedColumn, "row 2"},
		"point":       {"d,a\n2026-01-01,4.05\n", mapping, RefusedAmount, "row 1 (line 2)"},
		"day":         {"d,a\n\n2026-02-30,4\n", mapping, RefusedColumn, "row 1 (line 3)"},
		"Latin-1":     {"d,a\n2026-02-20,\xe44\n", mapping, RefusedNotWellFormed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse(t.Context(), []byte(c.text), c.mapping)
			var refused *RefusedError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, c.class, refused.Class, "%v", err)
			if c.where != "" {
				require.Equal(t, c.where, refused.Where, "%v", err)
			}
		})
	}
}

// zeros is a file of zeros without an end.
type zeros struct{ read int }

func (z *zeros) Read(p []byte) (int, error) {
	z.read += len(p)
	return len(p), nil
}

// A file of 100 MB is refused before more than the limit was read.
func TestReadStopsAtLimit(t *testing.T) {
	t.Parallel()
	z := &zeros{}
	_, err := Read(z)
	var refused *RefusedError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, RefusedSize, refused.Class)
	require.LessOrEqual(t, z.read, 2*MaxSize)
	_, err = Parse(t.Context(), make([]byte, MaxSize+1), nil)
	require.ErrorAs(t, err, &refused)
	data, err := Read(strings.NewReader("x"))
	require.NoError(t, err)
	require.Equal(t, []byte("x"), data)
}

// The encodings of a file do not change its payments.
func TestEncodings(t *testing.T) {
	t.Parallel()
	entry := strings.ReplaceAll(camtCredit, "</Ntry>", `<NtryDtls><TxDtls><RltdPties><Dbtr><Nm>ä</Nm></Dbtr></RltdPties></TxDtls></NtryDtls></Ntry>`)
	text := camtStatement(entry)
	utf16 := []byte{0xfe, 0xff}
	for _, r := range `<?xml version="1.0" encoding="UTF-16"?>` + text {
		utf16 = append(utf16, byte(r>>8), byte(r))
	}
	latin1 := bytes.ReplaceAll([]byte(`<?xml version="1.0" encoding="ISO-8859-1"?>`+text), []byte("ä"), []byte{0xe4})
	for name, data := range map[string][]byte{"utf-8": []byte("\xef\xbb\xbf" + text), "utf-16": utf16, "latin-1": latin1} {
		file, err := Parse(t.Context(), data, nil)
		require.NoError(t, err, name)
		report, err := Decide(file, Account{ID: "NL69TEST", Currency: "EUR", Scale: 2, Books: Camt053}, &Book{})
		require.NoError(t, err, name)
		require.Equal(t, []Payment{{
			At: "statement 1 entry 1", Key: "NL69TEST/EUR/entry/A", Amount: "100", Currency: "EUR", Date: "2026-11-02", Payer: "ä",
		}}, report.Booked, name)
	}
}
