package console_test

import (
	"html"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/console"
	"github.com/peerledger/peerledger/internal/effects"
	"github.com/peerledger/peerledger/internal/operatorlog"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// actFixture is a console that acts.
type actFixture struct {
	*fixture

	journal string
}

// newActFixture opens books with alice, who may owe 100.00, and bob, who may owe nothing. change may be nil.
func newActFixture(t *testing.T, change func(*console.Config)) *actFixture {
	t.Helper()
	a := &actFixture{journal: filepath.Join(t.TempDir(), "journal.jsonl")}
	a.fixture = newFixture(t, func(c *console.Config) {
		c.Allow, c.JournalFile, c.Operator = console.Act, a.journal, "ann"
		c.Reasons = map[string]uint32{"goodwill": 3}
		if change != nil {
			change(c)
		}
	}, line("alice", usd, 100_00), line("bob", usd, 0))
	return a
}

var hiddenInput = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// readHidden returns the hidden fields of a page's form.
func readHidden(t *testing.T, page string) url.Values {
	t.Helper()
	values := url.Values{}
	for _, m := range hiddenInput.FindAllStringSubmatch(page, -1) {
		values.Add(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	require.NotEmpty(t, values, page)
	return values
}

// post posts a form from a page of the console.
func (a *actFixture) post(path string, values url.Values) (status int, location, text string) {
	a.t.Helper()
	return a.postFrom(a.browser, path, values, map[string]string{"Origin": a.server.URL})
}

func (a *actFixture) postFrom(browser *http.Client, path string, values url.Values, headers map[string]string) (status int, location, text string) {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, a.server.URL+"/"+path, strings.NewReader(values.Encode()))
	require.NoError(a.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	answer, err := browser.Do(r)
	require.NoError(a.t, err)
	body, err := io.ReadAll(answer.Body)
	require.NoError(a.t, err)
	require.NoError(a.t, answer.Body.Close())
	return answer.StatusCode, answer.Header.Get("Location"), string(body)
}

// openForm gets a form, and fills these fields in.
func (a *actFixture) openForm(path, query string, fields url.Values) url.Values {
	a.t.Helper()
	page := a.show("/" + path + "?" + query)
	values := readHidden(a.t, page)
	for name, value := range fields {
		if name != "confirm" {
			require.Regexp(a.t, `name="`+name+`"`, page)
			values[name] = value
		}
	}
	return values
}

// check posts a form, and returns the second page and its form.
func (a *actFixture) check(path string, form url.Values, fields url.Values) (text string, second url.Values) {
	a.t.Helper()
	status, _, text := a.post(path, form)
	require.Equal(a.t, http.StatusOK, status, text)
	second = readHidden(a.t, text)
	require.Equal(a.t, "do", second.Get("step"))
	if confirm := fields.Get("confirm"); confirm != "" {
		require.Contains(a.t, text, `name="confirm"`)
		second.Set("confirm", confirm)
	}
	return text, second
}

// do posts a second page, which must lead to a result.
func (a *actFixture) do(path string, second url.Values) (location, text string) {
	a.t.Helper()
	status, location, text := a.post(path, second)
	require.Equal(a.t, http.StatusSeeOther, status, text)
	require.True(a.t, strings.HasPrefix(location, "done?"), location)
	return location, a.show("/" + location)
}

// prepare opens and checks a form, and returns the second page's form.
func (a *actFixture) prepare(path, query string, fields url.Values) url.Values {
	a.t.Helper()
	_, second := a.check(path, a.openForm(path, query, fields), fields)
	return second
}

// describe returns the balance of a peer in one line.
func (a *actFixture) describe(peer string) string {
	a.t.Helper()
	b, err := a.client.Book.Balance(a.t.Context(), a.peers[peer])
	require.NoError(a.t, err)
	text := effects.Summarize(b, "").String() + ", line " + effects.FormatLine(usd, b.CreditLine) + ", " + effects.DescribeState(b)
	if !b.Settling.IsZero() {
		text += ", settling " + usd.Format(b.Settling)
	}
	return text
}

// describeAll returns the balances of the peers and our own, in lines.
func (a *actFixture) describeAll() string {
	a.t.Helper()
	own, err := a.client.Book.OwnPositions(a.t.Context())
	require.NoError(a.t, err)
	return "alice: " + a.describe("alice") + "\nbob: " + a.describe("bob") + "\nown: liquidity " + effects.FormatSigned(usd, own[0].Liquidity) +
		", suspense " + effects.FormatSigned(usd, own[0].Suspense)
}

// readActs returns the acts of the journal, the newest first.
func (a *actFixture) readActs() []operatorlog.Entry {
	a.t.Helper()
	entries, err := operatorlog.Read(a.t.Context(), a.journal, operatorlog.Filter{})
	require.NoError(a.t, err)
	return entries
}

// placeOrder has the engine order what we owe a peer; the rail does not answer.
func (a *actFixture) placeOrder(peer string) settlement.OpenOrder {
	a.t.Helper()
	_, err := a.client.Settlement.SettleNow(a.t.Context(), a.peers[peer])
	require.ErrorIs(a.t, err, settlement.ErrPending)
	orders, err := a.client.Settlement.Orders(a.t.Context(), a.peers[peer])
	require.NoError(a.t, err)
	require.Len(a.t, orders, 1)
	return orders[0]
}

// debitBeyond has a peer in arrears.
func (a *actFixture) debitBeyond(peer string, units uint64) {
	a.t.Helper()
	_, err := a.client.Book.Adjust(a.t.Context(), accounts.Adjustment{Account: a.peers[peer], Key: "before", Debit: ledger.NewAmount(units), ReasonCode: 1, BeyondHeadroom: true})
	require.NoError(a.t, err)
}
