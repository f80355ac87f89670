package ledgertest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

func TestParseScenarios(t *testing.T) {
	t.Parallel()
	scenarios, err := parseScenarios("a.txt", strings.NewReader(`# a comment

V first of two
A 1 d<=c hist u128=MAX-1 ; A 2 l=0 -> ledger_must_not_be_zero
T 10 1>2 2^64 pend to=5 ; . ; T 11 MAX p=10 post
B 1 0 1 2 3 closed ; G 1 dcr 4 min=10 -> 10 11 ; sleep 7
V second
T 10 3 ts=@9
`))
	require.NoError(t, err)
	require.Len(t, scenarios, 2)
	require.Equal(t, "first of two", scenarios[0].name)
	require.True(t, scenarios[0].needsTime())
	require.False(t, scenarios[1].needsTime())
	require.Len(t, scenarios[0].steps, 6)

	accounts := scenarios[0].steps[0].(*accountsCall).events
	require.Len(t, accounts, 2, "accounts in a row are one request")
	require.Equal(t, ledger.AccountDebitsMustNotExceedCredits|ledger.AccountHistory, accounts[0].Flags)
	require.Equal(t, "340282366920938463463374607431768211454", accounts[0].UserData128.String())
	require.Equal(t, ledger.AccountLedgerMustNotBeZero, accounts[1].want)
	require.Equal(t, "a.txt:4: A 2 l=0 -> ledger_must_not_be_zero", accounts[1].at.String())

	require.Len(t, scenarios[0].steps[1].(*transfersCall).events, 1, "a dot ends the request")
	require.Equal(t, ledger.Amount{Hi: 1}, scenarios[0].steps[1].(*transfersCall).events[0].Amount)
	second := scenarios[0].steps[2].(*transfersCall).events[0]
	require.Equal(t, ledger.AmountMax, second.Amount)
	require.Zero(t, second.Code, "only transfers with sides have a code by themselves")
	require.Equal(t, scriptTime{9, true}, scenarios[1].steps[0].(*transfersCall).events[0].scriptTime)
}

func TestParseErrorsNameTheLine(t *testing.T) {
	t.Parallel()
	for statement, message := range map[string]string{
		"C 1":                         "unknown statement",
		"":                            "an empty statement",
		"A":                           "id missing",
		"A x":                         `"x" is not a number`,
		"A 2^129":                     "is not from 0 to MAX",
		"A 1-2":                       "is not from 0 to MAX",
		"A 2^x":                       "is not a number",
		"A 1 odd":                     "neither a flag nor a field",
		"A 1 p=1":                     "neither a flag nor a field",
		"A 1 c=65536":                 "too large",
		"A 1 u64=2^64":                "too large",
		"A 1 l=2^32":                  "too large",
		"A 1 c=x":                     "is not a number",
		"A 1 ts=@x":                   "is not a number",
		"A 1 ts=2^64":                 "too large",
		"A 1 ts=@2^64":                "too large",
		"A 1 -> exceeds_credits":      "unknown status",
		"T 1 -> exists":               "amount missing",
		"T":                           "id missing",
		"T 1 1>2>3 4":                 "is not debit>credit",
		"T 1 1>x 4":                   "is not debit>credit",
		"T 1 1>2 4 hist":              "neither a flag nor a field",
		"T 1 1>2 4 -> reserved_field": "unknown status",
		"B":                           "id missing",
		"B 1 2 3 4":                   "balance missing",
		"B 1 2 3 4 5 shut":            "was not expected",
		"B 1 none -> 1":               "takes no answer",
		"X":                           "id missing",
		"X 1":                         "amount missing",
		"X 1 1 code=1":                "neither a flag nor a field",
		"G -> 1":                      "account missing",
		"G 1 -> 1":                    "sides missing",
		"G 1 x 1 -> 1":                "unknown side",
		"G 1 d -> 1":                  "limit missing",
		"G 1 d 2^32 -> 1":             "too large",
		"G 1 d 1":                     "answer after -> is missing",
		"G 1 d 1 -> x":                "is not a number",
		"G 1 d 1 l=1 -> 1":            "neither a flag nor a field",
		"H 1 d 1 -> 1/2/3":            "debits pending/posted",
		"H 1 -> empty":                "sides missing",
		"Q 9 -> 1":                    "a query needs l=",
		"Q x -> 1":                    "is not a number",
		"Q 2^32 l=1 -> 1":             "too large",
		"QA -> 1":                     "limit missing",
		"QA 9 -> 1":                   "a query needs l=",
		"E 1":                         "a dash comes first",
		"E - single:1:2:3":            "is not type:transfer",
		"E - posted:1:2":              "is not type:transfer",
		"sleep":                       "milliseconds missing",
		"sleep x":                     "invalid syntax",
		"sleep 1 2":                   "was not expected",
		". x":                         "was not expected",
	} {
		_, err := parseScenarios("b.txt", strings.NewReader("V one\nA 1\nA 2 ; "+statement+"\n"))
		require.ErrorIs(t, err, errNotation, statement)
		require.ErrorContains(t, err, message, statement)
		require.ErrorContains(t, err, "b.txt:3: ", statement)
	}
	_, err := parseScenarios("c.txt", strings.NewReader("\nA 1\n"))
	require.ErrorContains(t, err, "c.txt:2: ")
	require.ErrorContains(t, err, "before the first V")
	_, err = parseScenarios("d.txt", strings.NewReader("V one\n"+strings.Repeat("x", 1<<17)))
	require.ErrorContains(t, err, "d.txt:1: ")
}
