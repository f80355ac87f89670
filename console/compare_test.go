package console_test

import (
	"bytes"
	"context"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

// postStatement posts a file as the form does. origin "" is the console's own.
func (f *fixture) postStatement(browser *http.Client, path string, content []byte, origin string) (*http.Response, string) {
	f.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("statement", "theirs.csv")
	require.NoError(f.t, err)
	_, err = part.Write(content)
	require.NoError(f.t, err)
	require.NoError(f.t, form.Close())
	r, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, f.server.URL+path, &body)
	require.NoError(f.t, err)
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("Origin", f.server.URL)
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	answer, err := browser.Do(r)
	require.NoError(f.t, err)
	text, err := io.ReadAll(answer.Body)
	require.NoError(f.t, err)
	require.NoError(f.t, answer.Body.Close())
	return answer, string(text)
}

const compareAlice = "?peer=alice&asset=USD/2&from="

// theirBooks are the books of alice, who knows us as us: the same packets as newCompareFixture, with a wrong amount, one
// packet more and one payment less. write is accounts.WriteCSV or WriteJSON.
func theirBooks(t *testing.T, amounts map[byte]uint64, write func(context.Context, io.Writer, *accounts.Statement) error) []byte {
	t.Helper()
	client, err := peerledger.New(embedded.New(), peerledger.Config{Accounts: accounts.Config{Assets: []accounts.Asset{usd}}})
	require.NoError(t, err)
	defer func() { require.NoError(t, client.Close(context.Background())) }()
	handles, err := client.Provision(t.Context(), line("user", usd, 1000_00), line("us", usd, 1000_00))
	require.NoError(t, err)
	f := &fixture{t: t, client: client, peers: map[string]accounts.PeerAccount{"user": handles[0], "us": handles[1]}}
	for _, condition := range []byte{1, 2, 3, 4} {
		if amounts[condition] > 0 {
			f.sendWith("user", "us", amounts[condition], amounts[condition], condition)
		}
	}
	_, err = client.Settlement.RecordOutgoing(t.Context(), settlement.OutgoingPayment{Account: handles[1], Key: "wire", Amount: ledger.NewAmount(20_00)})
	require.NoError(t, err)
	statement, err := client.Book.Statement(t.Context(), handles[1], time.Time{}, time.Time{}, accounts.WithHolds())
	require.NoError(t, err)
	var text bytes.Buffer
	require.NoError(t, write(t.Context(), &text, statement))
	return text.Bytes()
}

func newCompareFixture(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t, nil, line("alice", usd, 100_00), line("bob", usd, 0))
	for condition, amount := range map[byte]uint64{1: 10_00, 2: 5_00, 3: 1} {
		f.sendWith("alice", "bob", amount, amount, condition)
	}
	_, err := f.client.Settlement.RecordIncoming(t.Context(), settlement.IncomingPayment{Account: f.peers["alice"], Key: "wire", Amount: ledger.NewAmount(20_00)})
	require.NoError(t, err)
	return f
}

// Statements that agree have all rows equal, in both forms, and nothing is changed.
func TestCompareEqualStatements(t *testing.T) {
	t.Parallel()
	f := newCompareFixture(t)
	before := f.show("/statement.csv" + compareAlice)
	amounts := map[byte]uint64{1: 10_00, 2: 5_00, 3: 1}
	for _, content := range [][]byte{theirBooks(t, amounts, accounts.WriteCSV), theirBooks(t, amounts, accounts.WriteJSON)} {
		answer, page := f.postStatement(f.browser, "/compare"+compareAlice, content, "")
		require.Equal(t, http.StatusOK, answer.StatusCode, page)
		text := textOf(t, page, "result")
		require.Contains(t, text, "The statements agree Equal 4 packets, payments and corrections in both Differences 0 listed below Ours 4.99 sum")
		require.Contains(t, text, "Theirs -4.99 the same in the peer's")
		require.Contains(t, text, "Drift 0.00")
		require.Contains(t, text, "No packet, payment or correction differs.")
	}
	require.Equal(t, before, f.show("/statement.csv"+compareAlice))
	require.Contains(t, f.show("/statement"+compareAlice), `href="compare?asset=USD%2F2&amp;peer=alice&amp;from=&amp;to="`)
	require.Contains(t, f.show("/compare"+compareAlice), `<form class="filter upload" method="post" action="compare?asset=USD%2F2&amp;peer=alice&amp;from=&amp;to=" enctype="multipart/form-data">`)
}

// Each packet and payment has its class and the amounts of both sides, on the page as in the downloads.
func TestCompareDifferentStatements(t *testing.T) {
	t.Parallel()
	f := newCompareFixture(t)
	content := theirBooks(t, map[byte]uint64{1: 10_00, 2: 5_07, 4: 2_00}, accounts.WriteCSV)
	answer, text := f.postStatement(f.browser, "/compare.csv"+compareAlice, content, "")
	require.Equal(t, http.StatusOK, answer.StatusCode, text)
	require.Equal(t, "text/csv; charset=utf-8", answer.Header.Get("Content-Type"))
	rows := rowsOf(t, text)
	got := map[string]string{}
	for _, row := range rows {
		got[row["kind"]+" "+row["condition"]] = strings.Join([]string{row["difference"], row["ours"], row["theirs"], row["drift"]}, " ")
	}
	require.Equal(t, map[string]string{
		"packet 0101000000000000": "equal -10.00 10.00 0.00",
		"packet 0201000000000000": "other amount -5.00 5.07 0.07",
		"packet 0301000000000000": "missing there -0.01 0.00 -0.01",
		"packet 0401000000000000": "missing here 0.00 2.00 2.00",
		"settlement ":             "equal 20.00 -20.00 0.00",
	}, got)
	_, inJSON := f.postStatement(f.browser, "/compare.json"+compareAlice, content, "")
	for i, row := range jsonRows(t, inJSON) {
		require.Equal(t, []any{rows[i]["difference"], rows[i]["ours"], rows[i]["drift"]}, []any{row["difference"], row["ours"], row["drift"]})
	}
	_, page := f.postStatement(f.browser, "/compare"+compareAlice, content, "")
	result := textOf(t, page, "result")
	require.Contains(t, result, "The statements differ Equal 2 packets, payments and corrections in both Differences 3 listed below Ours 4.99")
	require.Contains(t, result, "Theirs -2.93")
	require.Contains(t, result, "Drift 2.06")
	for _, row := range rows {
		require.Contains(t, result, strings.Join(strings.Fields(strings.Join([]string{"UTC", row["difference"], row["kind"], row["ours"], row["theirs"], row["drift"], row["condition"], row["our_packet"], row["their_packet"]}, " ")), " "))
	}
	require.Contains(t, page, `<a href="find?q=0201000000000000">`)
	require.Contains(t, textOf(t, page, ""), "missing here only the peer&#39;s statement has the packet or payment")
}

// A file that is no statement of the asset, none at all, or too large is refused, and the fault is named.
func TestCompareWrongUploads(t *testing.T) {
	t.Parallel()
	f := newCompareFixture(t)
	csv := string(theirBooks(t, map[byte]uint64{1: 10_00}, accounts.WriteCSV))
	many := strings.Repeat("x", 16<<20)
	for want, test := range map[string]struct {
		content string
		status  int
	}{
		"choose the file":              {"", http.StatusBadRequest},
		"line 1 must have the headers": {"<script>alert(1)</script>\n", http.StatusBadRequest},
		"is missing":                   {strings.Join(strings.SplitAfter(csv, "\n")[:4], ""), http.StatusBadRequest},
		"asset is &#34;EUR/2&#34;":     {strings.ReplaceAll(csv, "USD/2", "EUR/2"), http.StatusBadRequest},
		"more than 16 MiB":             {many + "x", http.StatusRequestEntityTooLarge},
		"16 MiB":                       {many + many, http.StatusRequestEntityTooLarge},
		"more than 65536 bytes":        {many, http.StatusBadRequest},
	} {
		for _, path := range []string{"/compare", "/compare.csv", "/compare.json"} {
			answer, text := f.postStatement(f.browser, path+compareAlice, []byte(test.content), "")
			require.Equal(t, test.status, answer.StatusCode, "%s: %s", want, text)
			require.Contains(t, text, want)
			require.NotContains(t, text, "<script>alert")
		}
	}
	for query, status := range map[string]int{"?peer=nobody&asset=USD/2": http.StatusNotFound, "?peer=alice&asset=X": http.StatusBadRequest, "?peer=alice&asset=USD/2&from=soon": http.StatusBadRequest} {
		answer, text := f.postStatement(f.browser, "/compare"+query, []byte(csv), "")
		require.Equal(t, status, answer.StatusCode, text)
	}
	status, _ := f.open("/compare.csv" + compareAlice)
	require.Equal(t, http.StatusMethodNotAllowed, status)
}

// A statement is taken from a page of the console alone, of a browser that has logged in.
func TestCompareIsGuarded(t *testing.T) {
	t.Parallel()
	f := newCompareFixture(t)
	content := theirBooks(t, map[byte]uint64{1: 10_00}, accounts.WriteCSV)
	for _, path := range []string{"/compare", "/compare.csv", "/compare.json"} {
		answer, text := f.postStatement(f.browser, path+compareAlice, content, "https://evil.example")
		require.Equal(t, http.StatusForbidden, answer.StatusCode)
		require.NotContains(t, text, "alice")
		answer, text = f.postStatement(newBrowser(t), path+compareAlice, content, "")
		require.NotContains(t, text, "alice")
		if path == "/compare" {
			require.Equal(t, "login", answer.Header.Get("Location"))
		} else {
			require.Equal(t, http.StatusUnauthorized, answer.StatusCode)
		}
		for _, method := range []string{http.MethodPut, http.MethodPatch, http.MethodDelete} {
			r, err := http.NewRequestWithContext(t.Context(), method, f.server.URL+path+compareAlice, nil)
			require.NoError(t, err)
			r.Header.Set("Origin", f.server.URL)
			answer, err := f.browser.Do(r)
			require.NoError(t, err)
			require.NoError(t, answer.Body.Close())
			require.Equal(t, http.StatusMethodNotAllowed, answer.StatusCode)
		}
	}
}

// The page has the first of many rows of each kind, and a download has all.
func TestCompareManyRows(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, line("alice", usd, 100_00), line("bob", usd, 0))
	for i := range 310 {
		_, err := f.client.Recorder.Forward(t.Context(), transfers.Packet{From: f.peers["alice"], To: f.peers["bob"], In: 1, Out: 1, Condition: [32]byte{byte(i), byte(i >> 8), 1}})
		require.NoError(t, err)
	}
	// Alice's statement of nothing, and our own with the opposite signs: what we have, the peer has too.
	ours, err := f.client.Book.Statement(t.Context(), f.peers["bob"], time.Time{}, time.Time{})
	require.NoError(t, err)
	var mirror bytes.Buffer
	require.NoError(t, accounts.WriteCSV(t.Context(), &mirror, ours))
	_, page := f.postStatement(f.browser, "/compare"+compareAlice, mirror.Bytes(), "")
	require.Contains(t, textOf(t, page, "result"), "The statements agree Equal 310")
	require.Contains(t, page, "These are the first 300 of 310 equal rows: download all rows.")
	_, text := f.postStatement(f.browser, "/compare.csv"+compareAlice, mirror.Bytes(), "")
	require.Len(t, rowsOf(t, text), 310)
	_, page = f.postStatement(f.browser, "/compare?peer=bob&asset=USD/2&from=", mirror.Bytes(), "")
	require.Contains(t, page, "These are the first 300 of 310 differences: download all rows.")
	require.Equal(t, 300, strings.Count(page, `<td class="name">`))
	_, text = f.postStatement(f.browser, "/compare.json?peer=bob&asset=USD/2&from=", mirror.Bytes(), "")
	require.Len(t, jsonRows(t, text), 310)
}
