package connectorbooks

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// parseRS reads one file of an interledger-rs.
func parseRS(texts ...string) (Books, error) {
	var files []File
	for _, text := range texts {
		files = append(files, File{Name: "f", Data: []byte(text)})
	}
	return ParseInterledgerRS(files...)
}

// account returns an account with more fields.
func account(fields string) string {
	return `[{"id":"1","username":"alice","asset_code":"USD","asset_scale":2` + fields + `}]`
}

// peer returns an answer with one peer of a Rafiki with more fields.
func peer(fields string) string {
	return `{"data":{"peers":{"edges":[{"node":{"id":"1","staticIlpAddress":"test.a","asset":{"id":"9","code":"USD","scale":2}` + fields + `}}]}}}`
}

// Faults name the field, or the whole file.
func TestFaults(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 40) + strings.Repeat("]", 40)
	for want, text := range map[string]string{
		"f: is no JSON near byte 0":               ``,
		"f: has more than one JSON value":         `[] []`,
		"[0].balance: is given twice":             account(`,"balance":1,"balance":2`),
		"has more than 32 levels":                 deep,
		"[0].min_balance: must be a whole number": account(`,"min_balance":-1.5`),
		`not "1e3"`:                                      account(`,"min_balance":1e3`),
		"[0].settle_to: must be a whole number":          account(`,"settle_to":"05"`),
		"[0].prepaid_amount: must be 0 or more":          account(`,"balance":1,"prepaid_amount":-1`),
		"must have both balance and prepaid_amount":      account(`,"balance":1`),
		"[0].username: must be a text":                   `[{"id":"1","username":5,"asset_code":"USD","asset_scale":2}]`,
		"[0].username: is missing":                       `[{"id":"1","asset_code":"USD","asset_scale":2}]`,
		"[0].asset_scale: must be a whole number from 0": `[{"id":"1","username":"a","asset_code":"USD","asset_scale":256}]`,
		"must be at most 2^127":                          account(`,"min_balance":-170141183460469231731687303715884105729`),
		"is neither a list of accounts":                  `{"a":1,"b":"x"}`,
		"[0]: must be an object, not a number":           `[1]`,
		"alice.balance: must be a number":                `{"alice":{"balance":"x"}}`,
		"alice.balance: is missing":                      `{"alice":{}}`,
		"alice.more: is unknown":                         `{"alice":{"balance":1,"more":2}}`,
		"no file has that account":                       `{"alice":{"balance":1}}`,
	} {
		_, err := parseRS(text)
		var fault *FaultError
		require.True(t, errors.As(err, &fault), "%s: %v", text, err)
		require.Contains(t, err.Error(), want)
	}
	for want, text := range map[string]string{
		"the answer has errors":                  `{"errors":[{"message":"x"}],"data":null}`,
		"data: is missing":                       `{}`,
		"more: is unknown":                       `{"data":{},"more":1}`,
		"data.others: is none of assets":         `{"data":{"others":{}}}`,
		"node.liquidity: must be 0 or more":      peer(`,"liquidity":"-1"`),
		"is not the first page":                  `{"data":{"peers":{"pageInfo":{"hasNextPage":false,"hasPreviousPage":true},"edges":[]}}}`,
		"has a next page":                        `{"data":{"peers":{"pageInfo":{"hasNextPage":true,"hasPreviousPage":false},"edges":[]}}}`,
		"hasNextPage: must be true or false":     `{"data":{"peers":{"pageInfo":{"hasNextPage":1},"edges":[]}}}`,
		"hasNextPage: is missing":                `{"data":{"peers":{"pageInfo":{},"edges":[]}}}`,
		"edges: is missing":                      `{"data":{"peers":{}}}`,
		"edges[0].node: is missing":              `{"data":{"peers":{"edges":[{}]}}}`,
		"must be PENDING, POSTED or VOIDED":      `{"data":{"t":{"debits":[],"credits":[{"creditAccountId":"1","amount":"1","transferType":"DEPOSIT","state":"x"}]}}}`,
		"must be DEPOSIT, WITHDRAWAL":            `{"data":{"t":{"debits":[],"credits":[{"creditAccountId":"1","amount":"1","transferType":"x","state":"POSTED"}]}}}`,
		"are transfers of 1, and no file":        `{"data":{"t":{"debits":[],"credits":[{"creditAccountId":"1","amount":"1","transferType":"DEPOSIT","state":"POSTED"}]}}}`,
		"amount: is missing":                     `{"data":{"t":{"debits":[],"credits":[{"creditAccountId":"1","transferType":"DEPOSIT","state":"POSTED"}]}}}`,
		"the asset USD/2 is given twice":         `{"data":{"assets":{"edges":[{"node":{"id":"1","code":"USD","scale":2}},{"node":{"id":"2","code":"USD","scale":2}}]}}}`,
		"another answer has the asset with this": `{"data":{"asset":{"id":"9","code":"USD","scale":3},` + peer("")[9:],
	} {
		_, err := ParseRafiki(PeerIDAddress, File{Name: "f", Data: []byte(text)})
		var fault *FaultError
		require.True(t, errors.As(err, &fault), "%s: %v", text, err)
		require.Contains(t, err.Error(), want)
	}
	_, err := ParseRafiki(PeerIDName, File{Name: "f", Data: []byte(peer(""))})
	require.ErrorContains(t, err, "has no name, which is to be the id of the peer")
	_, err = ParseRafiki(PeerIDAddress, File{Name: "f", Data: []byte(peer(""))}, File{Name: "g", Data: []byte(peer(""))})
	require.ErrorContains(t, err, `g: data.peers.edges[0].node: the peer "test.a" in USD/2 is given twice`)
}

// An account twice, a balance in another currency, and two balances that differ are refused.
func TestContradictions(t *testing.T) {
	t.Parallel()
	const stored = `,"balance":"5","prepaid_amount":2`
	_, err := parseRS(account(stored), account(stored))
	require.ErrorContains(t, err, `the account "alice" is given twice`)
	_, err = parseRS(account(stored), `{"alice":{"balance":0.07,"asset_code":"EUR"}}`)
	require.ErrorContains(t, err, "is in EUR, and the account in USD")
	_, err = parseRS(account(stored), `{"alice":{"balance":0.08,"asset_code":"USD"}}`)
	require.ErrorContains(t, err, "is a balance of 8 units, and the account's balance and prepaid_amount are 7")
	books, err := parseRS(account(stored), `{"alice":{"balance":0.07,"asset_code":"USD"}}`)
	require.NoError(t, err)
	require.Equal(t, "7", books.Peers[0].Position.String())
}

// A balance that the connector has rounded is an obstacle, and never a guess.
func TestBalancesOfInterledgerRS(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ scale, answer, units, obstacle string }{
		{"2", `{"balance":0.23,"asset_code":"USD"}`, "23", ""},
		{"9", `{"balance":1e-9,"asset_code":"USD"}`, "1", ""},
		{"9", `{"balance":-999999.999999999,"asset_code":"USD"}`, "-999999999999999", ""},
		{"2", `{"balance":99}`, "99", ""},
		{"2", `{"balance":9223372036854775807}`, "9223372036854775807", ""},
		{"9", `{"balance":1000000.000000001,"asset_code":"USD"}`, "0", "has more than 15 digits"},
		{"2", `{"balance":0.001,"asset_code":"USD"}`, "0", "is no whole number of units of scale 2"},
		{"2", `{"balance":1.5}`, "0", "is no whole number"},
		{"20", `{"balance":1,"asset_code":"USD"}`, "0", "divides by 10^20 in 64 bits"},
		{"2", `{"balance":1e99}`, "0", "is beyond 2^127"},
	} {
		books, err := parseRS(strings.Replace(account(""), `"asset_scale":2`, `"asset_scale":`+test.scale, 1), `{"alice":`+test.answer+`}`)
		require.NoError(t, err, test)
		require.Equal(t, test.units, books.Peers[0].Position.String(), test)
		require.Equal(t, test.obstacle != "", hasNote(books, Obstacle, "The balance"), test)
		require.True(t, hasNote(books, Obstacle, test.obstacle) || test.obstacle == "", test)
	}
}

func hasNote(b Books, kind NoteKind, text string) bool {
	for _, n := range b.Notes {
		if n.Kind == kind && strings.Contains(n.Text, text) {
			return true
		}
	}
	return false
}

// What cannot be carried over is named, without the values of tokens.
func TestNotesOfInterledgerRS(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		fields string
		kind   NoteKind
		text   string
	}{
		{``, Obstacle, "No file has the account's balance."},
		{``, Assumption, "may owe any amount"},
		{`,"min_balance":5`, LeftOut, "min_balance 5, which is above 0: the credit line is 0"},
		{`,"settle_threshold":5`, LeftOut, "settle_threshold 5 without settle_to: the connector never settles"},
		{`,"settle_to":5`, LeftOut, "settle_to 5 without settle_threshold"},
		{`,"settle_to":5,"settle_threshold":5`, LeftOut, "which is not above settle_to 5"},
		{`,"settle_to":5,"settle_threshold":6`, Assumption, "no settlement engine"},
		{`,"max_packet_amount":1000`, LeftOut, "max_packet_amount 1000"},
		{`,"ilp_over_http_incoming_token":"hidden"`, LeftOut, "ilp_over_http_incoming_token"},
		{`,"bonus":7`, LeftOut, "the unknown field bonus"},
		{`,"routing_relation":"NonRoutingAccount"`, Assumption, "is of a user of the node"},
		{`,"routing_relation":"Peer"`, LeftOut, "routing_relation Peer"},
		{`,"balance":9007199254740993,"prepaid_amount":1`, Assumption, "No program has rounded the numbers beyond 2^53 on their way into the file (balance)"},
		{`,"balance":1,"prepaid_amount":1`, Assumption, "Of the balance, 1 units are prepaid"},
	} {
		books, err := parseRS(account(test.fields))
		require.NoError(t, err, test)
		require.True(t, hasNote(books, test.kind, test.text), "%v: %v", test, books.Notes)
		require.False(t, hasNote(books, LeftOut, "hidden"))
	}
	books, err := parseRS(account(`,"max_packet_amount":18446744073709551615,"settle_to":-5,"settle_threshold":0`), `{"USD":"http://engine.example"}`)
	require.NoError(t, err)
	require.False(t, hasNote(books, LeftOut, "max_packet_amount"))
	require.Equal(t, "http://engine.example", books.Peers[0].EngineURL)
	require.Equal(t, "-5", books.Peers[0].SettleTo.String())
	require.Equal(t, "0", books.Peers[0].SettleAt.String())
}

func TestNotesOfRafiki(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text, want string
		kind       NoteKind
	}{
		{peer(``), "The answer has no liquidity of the peer", Obstacle},
		{peer(``), "The list of peers is complete: its answer has no pageInfo", Assumption},
		{peer(`,"liquidity":"7","maxPacketAmount":"5","bonus":1,"routes":["a"],"http":{}`), "maxPacketAmount 5; http (endpoint and tokens); 1 routes; the unknown field bonus", LeftOut},
		{peer(`,"liquidity":9007199254740993`), "No program has rounded", Assumption},
		{peer(`,"liquidity":"7"`), "The whole liquidity is credit line", Assumption},
		{peer(`,"liquidity":"7"`), "The answers have no liquidity of the asset", Assumption},
		{strings.Replace(peer(`,"liquidity":"7"`), `"data":{`, `"data":{"t":{"debits":[],"credits":[{"creditAccountId":"1","amount":"6","transferType":"DEPOSIT","state":"POSTED"}]},`, 1), "add up to 6 units, and its liquidity is 7", Assumption},
		{`{"data":{"asset":{"id":"1","code":"USD","scale":2,"liquidity":"5","liquidityThreshold":"1","sendingFee":{},"bonus":1}}}`, "liquidityThreshold 1; sendingFee; the unknown field bonus", LeftOut},
		{`{"data":{"asset":{"id":"1","code":"USD","scale":2,"liquidity":"5"}}}`, "The liquidity of the asset is capital", Assumption},
	} {
		books, err := ParseRafiki(PeerIDAddress, File{Name: "f", Data: []byte(test.text)})
		require.NoError(t, err, test)
		require.True(t, hasNote(books, test.kind, test.want), "%v: %v", test, books.Notes)
	}
}

// More withdrawn than deposited: no line is below 0.
func TestRafikiWithdrawnBeyondDeposits(t *testing.T) {
	t.Parallel()
	text := strings.Replace(peer(`,"liquidity":"3"`), `"data":{`, `"data":{"t":{"debits":[{"debitAccountId":"1","amount":"7","transferType":"WITHDRAWAL","state":"POSTED"}],"credits":[{"creditAccountId":"1","amount":"10","transferType":"TRANSFER","state":"POSTED"}]},`, 1)
	books, err := ParseRafiki(PeerIDUUID, File{Name: "f", Data: []byte(text)})
	require.NoError(t, err)
	p := books.Peers[0]
	require.Equal(t, []string{"1", "0", "3"}, []string{p.ID, p.CreditLine.String(), p.Position.String()})
}
