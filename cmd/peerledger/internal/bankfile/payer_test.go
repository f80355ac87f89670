package bankfile

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFindPeer(t *testing.T) {
	t.Parallel()
	payers := []Payer{
		{Peer: "alice", Account: "NL47 TEST 0000"},
		{Peer: "alice", Reference: "ALICE-1"},
		{Peer: "bob", Account: "NL15"},
		{Peer: "bob", Reference: "BOB"},
		{Peer: "carol"},
	}
	for want, list := range map[string][]Payment{
		"alice": {{PayerAccount: "NL47TEST0000"}, {Text: "for ALICE-1 in May"}, {EndToEnd: "ALICE-1"}, {PayerAccount: "NL47TEST0000", Text: "ALICE-1"}},
		"bob":   {{PayerAccount: "NL15", Text: "ALICE-10"}},
		"": {
			{},
			{Payer: "alice"},
			{Text: "alice-1"},
			{Text: "ALICE-12"},
			{Text: "XBOB BOBX"},
			{PayerAccount: "NL47TEST0000", Text: "BOB"},
			{Text: "BOB ALICE-1"},
		},
	} {
		for _, p := range list {
			require.Equal(t, want, FindPeer(payers, p), "%+v", p)
		}
	}
}

// A payment without a peer is listed until its payer is configured, and then booked. A known payment keeps its peer.
func TestAssignPeers(t *testing.T) {
	t.Parallel()
	file, err := Parse(t.Context(), []byte(camtStatement(replace(camtCredit, "</Ntry>",
		"<NtryDtls><TxDtls><RltdPties><DbtrAcct><Id><IBAN>NL47</IBAN></Id></DbtrAcct></RltdPties></TxDtls></NtryDtls></Ntry>"))), nil)
	require.NoError(t, err)
	var book Book
	decide := func(payers ...Payer) Report {
		report, err := Decide(file, camtTestAccount, &book)
		require.NoError(t, err)
		report.AssignPeers(payers)
		book.Add(report)
		return report
	}
	first := decide()
	require.Empty(t, first.Booked)
	require.Equal(t, NoPeer, first.Listed[0].Reason)
	second := decide(Payer{Peer: "alice", Account: "NL47"})
	require.Empty(t, second.Listed)
	require.Equal(t, "alice", second.Booked[0].Peer)
	third := decide(Payer{Peer: "bob", Account: "NL47"})
	require.Empty(t, third.Booked)
	require.Equal(t, "alice", third.Known[0].Peer)
}

// A file with a payment twice books the payment once, for one peer, or lists the payment once.
func TestAssignPeersOfAPaymentTwice(t *testing.T) {
	t.Parallel()
	entry := replace(camtCredit, "</Ntry>", "<NtryDtls><TxDtls><RmtInf><Ustrd>ALICE</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>")
	text := replace(camtStatement(entry), camtEnd, "<Stmt><CreDtTm>2026-11-02T20:00:00</CreDtTm><Acct><Id><IBAN>NL69TEST</IBAN></Id></Acct>"+
		replace(entry, "ALICE", "BOB")+"</Stmt>"+camtEnd)
	file, err := Parse(t.Context(), []byte(text), nil)
	require.NoError(t, err)
	payers := []Payer{{Peer: "alice", Reference: "ALICE"}, {Peer: "bob", Reference: "BOB"}}
	report, err := Decide(file, camtTestAccount, &Book{})
	require.NoError(t, err)
	report.AssignPeers(payers)
	require.Equal(t, "alice", report.Booked[0].Peer)
	require.Equal(t, "alice", report.Known[0].Peer)
	report, err = Decide(file, camtTestAccount, &Book{})
	require.NoError(t, err)
	report.AssignPeers(payers[1:])
	require.Empty(t, report.Booked)
	require.Empty(t, report.Known)
	require.Len(t, report.Listed, 1)
}
