package bankfile

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// decideText decides about a file, without an addition to the book.
func decideText(t *testing.T, text string, account Account, book *Book) Report {
	t.Helper()
	file, err := Parse(t.Context(), []byte(text), nil)
	require.NoError(t, err)
	report, err := Decide(file, account, book)
	require.NoError(t, err)
	return report
}

// A listed payment that the operator books is known in each later import of the file. Another file lists the payment again, with
// the key that is booked by hand.
func TestBookListed(t *testing.T) {
	t.Parallel()
	noKey := replace(camtCredit, "<AcctSvcrRef>A</AcctSvcrRef>", "")
	batch := replace(camtCredit, "</Ntry>", "<NtryDtls><Btch><NbOfTxs>3</NbOfTxs></Btch></NtryDtls></Ntry>")
	parts := func(amount string) string {
		return replace(camtCredit, "</Ntry>", "<NtryDtls>"+strings.Repeat(`<TxDtls><Amt Ccy="EUR">`+amount+`</Amt></TxDtls>`, 2)+"</NtryDtls></Ntry>")
	}
	for reason, c := range map[Reason]struct{ entry, key string }{
		NoKey:             {noKey, "NL69TEST/EUR/operator/"},
		BatchWithoutParts: {batch, "NL69TEST/EUR/entry/A"},
		PartsDiffer:       {parts("0.70"), "NL69TEST/EUR/entry/A"},
	} {
		var book Book
		report := decideText(t, camtStatement(c.entry), camtTestAccount, &book)
		require.Equal(t, reason, report.Listed[0].Reason)
		require.NoError(t, report.BookListed("statement 1 entry 1", "alice"))
		require.NoError(t, report.BookListed("statement 1 entry 1", "alice"), "a second time changes nothing")
		require.ErrorContains(t, report.BookListed("statement 1 entry 1", "bob"), `of peer "alice", not of "bob"`)
		require.Empty(t, report.Listed)
		require.Len(t, report.Booked, 1)
		require.True(t, strings.HasPrefix(report.Booked[0].Key, c.key), report.Booked[0].Key)
		require.Equal(t, "100", report.Booked[0].Amount)
		book.Add(report)

		again := decideText(t, camtStatement(c.entry), camtTestAccount, &book)
		require.Empty(t, again.Listed, reason)
		require.Empty(t, again.Booked, reason)
		require.Equal(t, "alice", again.Known[0].Peer)
		require.NoError(t, again.BookListed("statement 1 entry 1", "alice"))
		require.Error(t, again.BookListed("statement 1 entry 1", "bob"))

		other := decideText(t, camtStatement(c.entry)+"\n", camtTestAccount, &book)
		if reason == NoKey {
			require.Equal(t, report.Booked[0].Key, other.Listed[0].Alike)
		} else {
			require.Len(t, other.Known, 1, "the entry's own key is known in each file")
		}
		if reason != NoKey { // the parts come later
			late := decideText(t, camtStatement(parts("0.50")), camtTestAccount, &book)
			require.Empty(t, late.Booked)
			require.Equal(t, Conflict, late.Listed[0].Reason)
		}
	}
}

// A whole entry is not booked under its own key where its parts are booked, nor under a key that another payment has.
func TestBookListedUnderAFreeKey(t *testing.T) {
	t.Parallel()
	book := Book{Booked: map[string]Booking{"NL69TEST/EUR/entry/A": {Amount: "7", Currency: "EUR", Date: "2026-11-02"}}}
	batch := replace(camtCredit, "</Ntry>", "<NtryDtls><Btch><NbOfTxs>3</NbOfTxs></Btch></NtryDtls></Ntry>")
	require.Contains(t, decideText(t, camtStatement(batch), camtTestAccount, &book).Listed[0].OwnKey, "/operator/")
	require.Contains(t, decideText(t, camtStatement(camtCredit), camtTestAccount, &book).Listed[0].OwnKey, "/operator/")
	booked := Booking{Amount: "100", Currency: "EUR", Date: "2026-11-02"}
	book = Book{Booked: map[string]Booking{"NL69TEST/EUR/entry/A": booked}}
	require.Len(t, decideText(t, camtStatement(batch), camtTestAccount, &book).Listed, 1, "booked, but not by hand")
	book = Book{Parts: map[string]bool{"NL69TEST/EUR/entry/A": true}}
	require.Contains(t, decideText(t, camtStatement(batch), camtTestAccount, &book).Listed[0].OwnKey, "/operator/")
}

// A listed entry that is no payment of a peer is not booked, and neither is a place without an entry.
func TestBookListedRefuses(t *testing.T) {
	t.Parallel()
	for _, entry := range []string{
		replace(camtCredit, "<Sts>", "<RvslInd>true</RvslInd><Sts>"),
		replace(camtCredit, `>1.00<`, `>1.001<`),
		replace(camtCredit, `Ccy="EUR"`, `Ccy="USD"`),
	} {
		report := decideText(t, camtStatement(entry), camtTestAccount, &Book{})
		require.ErrorContains(t, report.BookListed("statement 1 entry 1", "alice"), "this is no payment to book")
		require.ErrorContains(t, report.BookListed("statement 1 entry 2", "alice"), "no listed entry there")
		require.Empty(t, report.Booked)
	}
}

// A payment without a configured peer keeps its own key, and is known by it later.
func TestBookListedWithoutPeer(t *testing.T) {
	t.Parallel()
	var book Book
	report := decideText(t, camtStatement(camtCredit), camtTestAccount, &book)
	report.AssignPeers(nil)
	require.NoError(t, report.BookListed("statement 1 entry 1", "alice"))
	require.Equal(t, "NL69TEST/EUR/entry/A", report.Booked[0].Key)
	require.False(t, report.Booked[0].ByHand, "the entry itself is in no doubt")
	book.Add(report)
	again := decideText(t, camtStatement(camtCredit), camtTestAccount, &book)
	again.AssignPeers([]Payer{{Peer: "bob", Reference: "A"}})
	require.Equal(t, "alice", again.Known[0].Peer)
}

// An account that books from another kind of file than before needs a start after all that is booked. Nothing before it is booked.
func TestChangeOfSource(t *testing.T) {
	t.Parallel()
	dated := func(day, ref string) string {
		return replace(camtCredit, "<AcctSvcrRef>A", "<BookgDt><Dt>2026-11-"+day+"</Dt></BookgDt><AcctSvcrRef>"+ref)
	}
	account, book := camtTestAccount, Book{}
	book.Add(decideText(t, camtStatement(dated("02", "A")+dated("03", "B")), account, &book))

	account.Books = Camt054
	text := replace(camtStatement(dated("03", "C")+dated("04", "D")), "camt.053", "camt.054", "BkToCstmrStmt", "BkToCstmrDbtCdtNtfctn", "Stmt>", "Ntfctn>")
	file, err := Parse(t.Context(), []byte(text), nil)
	require.NoError(t, err)
	for _, from := range []string{"", "2026-11-02", "2026-11-03"} {
		account.From = from
		_, err = Decide(file, account, &book)
		var source *SourceError
		require.ErrorAs(t, err, &source, from)
		require.Equal(t, SourceError{Before: Camt053, Now: Camt054, Last: "2026-11-03"}, *source)
	}
	account.From = "2026-11-04"
	report, err := Decide(file, account, &book)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"before start": 1}, report.Skipped)
	require.Len(t, report.Booked, 1)
	book.Add(report)

	account.From = "" // the book remembers the start
	report, err = Decide(file, account, &book)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"before start": 1}, report.Skipped)
	require.Len(t, report.Known, 1)
	account.Books = Camt053
	_, err = Decide(file, account, &book)
	require.Error(t, err, "and back needs a start too")
}

// A reference that ends with an invisible character makes a key that the ledger takes.
func TestInvisibleCharactersInReferences(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"booked NL69TEST/EUR/entry/A%E2%80%8B 100"}, tellCamt(t, &Book{}, replace(camtCredit, ">A<", ">A\u200b<")))
}
