package console_test

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/console"
	"github.com/peerledger/peerledger/internal/operatorlog"
)

// writeActs writes acts to the journal; one of three is of bob.
func writeActs(t *testing.T, path string, count int) {
	t.Helper()
	log, err := operatorlog.Open(path)
	require.NoError(t, err)
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for i := range count {
		peer, who := "alice", "Ann"
		if i%3 == 0 {
			peer, who = "bob", "bea <b>"
		}
		act, err := log.Begin(operatorlog.Entry{
			Time: begin.Add(time.Duration(i/2) * time.Second), Who: who, Via: "command", Action: "set the credit line", Peer: peer, Asset: "USD/2", // pairs of one time
			Before: fmt.Sprint(i), After: fmt.Sprint(i + 1), Reason: 3, ReasonName: "goodwill",
		})
		require.NoError(t, err)
		require.NoError(t, act.End(operatorlog.Written, "", nil))
	}
	require.NoError(t, log.Close())
}

var (
	actRow   = regexp.MustCompile(`data-label="Before, after">(\d+) `)
	nextPage = regexp.MustCompile(`<a rel="next" href="([^"]*)">Older`)
)

// All acts are on the pages once, the newest first, and in the downloads. A console that only shows has the pages too.
func TestAuditPages(t *testing.T) {
	t.Parallel()
	a := newActFixture(t, nil)
	writeActs(t, a.journal, 251) // an odd number: pairs of one time are on two pages
	viewing := newFixture(t, func(c *console.Config) { c.JournalFile = a.journal })
	for query, want := range map[string]int{"": 251, "?peer=bob": 84, "?who=BEA": 84, "?peer=alice&who=bea": 0} {
		seen, pages := map[string]bool{}, 0
		last := 251
		for address := "/audit" + query; address != "/"; pages++ {
			text := viewing.show(address)
			require.NotContains(t, text, "bea <b>")
			require.NotContains(t, text, `href="done`, "the page of results is for those who act")
			for _, m := range actRow.FindAllStringSubmatch(text, -1) {
				require.False(t, seen[m[1]], m[1])
				seen[m[1]] = true
				var number int
				_, err := fmt.Sscan(m[1], &number)
				require.NoError(t, err)
				require.Less(t, number/2, (last+2)/2, "the newest first")
				last = number
			}
			next := ""
			if m := nextPage.FindStringSubmatch(text); m != nil {
				next = html.UnescapeString(m[1])
			}
			address = "/" + next
		}
		require.Len(t, seen, want, query)
		require.Equal(t, max(1, (want+99)/100), pages)
		var rows []map[string]any
		require.NoError(t, json.Unmarshal([]byte(viewing.show("/audit.json"+query)), &rows))
		require.Len(t, rows, want)
		require.Equal(t, want+1, strings.Count(viewing.show("/audit.csv"+query), "\n"))
		if want > 0 {
			require.Equal(t, "goodwill", rows[0]["reason_name"])
			require.EqualValues(t, 3, rows[0]["reason"])
			require.Nil(t, rows[0]["transfer"])
		}
	}
	require.Contains(t, a.show("/audit"), `href="done?id=`)
	require.Contains(t, a.show("/peer?"+ofAlice), `href="audit?peer=alice"`)
	status, _ := viewing.open("/audit?before=yesterday")
	require.Equal(t, http.StatusBadRequest, status)
	stranger, _ := viewing.get(newBrowser(t), viewing.server.URL+"/audit")
	require.Equal(t, http.StatusSeeOther, stranger.StatusCode)
	unaudited := newFixture(t, nil)
	status, _ = unaudited.open("/audit")
	require.Equal(t, http.StatusNotFound, status)
}

// A missing journal and torn lines are said, and not taken for no acts.
func TestAuditOfABrokenJournal(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/journal"
	f := newFixture(t, func(c *console.Config) { c.JournalFile = path })
	require.Contains(t, f.show("/audit"), "There is no journal "+path+" yet")
	status, _ := f.open("/audit.csv")
	require.Equal(t, http.StatusServiceUnavailable, status)
	writeActs(t, path, 1)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, append(content, "{\"id\":"...), 0o600))
	text := f.show("/audit")
	require.Contains(t, text, "damaged lines")
	require.Contains(t, text, "bea &lt;b&gt;")
}

// The pages of a console that acts have nothing inline, work under a path, and lead only to pages of the console. A
// hostile name does not break out of a form.
func TestActPagesAreSafe(t *testing.T) {
	t.Parallel()
	const prefix, hostile = "/ops/", `"><script>alert(1)</script>&amp;'`
	a := newActFixture(t, nil)
	handle, err := a.client.Provision(t.Context(), accounts.PeerConfig{ID: hostile, Asset: usd})
	require.NoError(t, err)
	a.peers[hostile] = handle[0]
	next, err := console.New(console.Config{
		Book: a.client.Book, Settlement: a.client.Settlement, Allow: console.Act, JournalFile: a.journal, Token: token, Operator: "ann", Interval: time.Millisecond,
		Peers: func(accounts.Asset) []string { return []string{"alice", "bob", hostile} },
	})
	require.NoError(t, err)
	t.Cleanup(next.Close)
	mux := http.NewServeMux()
	mux.Handle(prefix, http.StripPrefix(strings.TrimSuffix(prefix, "/"), next))
	a.serve(mux)
	a.server.URL += strings.TrimSuffix(prefix, "/")
	require.Equal(t, http.StatusSeeOther, a.postLogin(a.browser, a.server.URL+"/login", token, strings.TrimSuffix(a.server.URL, "/ops")).StatusCode)
	orderBob(a)
	query := "asset=USD%2F2&peer=" + url.QueryEscape(hostile)
	origin := map[string]string{"Origin": strings.TrimSuffix(a.server.URL, "/ops")}
	form := a.openForm("suspend", query, nil)
	require.Equal(t, hostile, form.Get("peer"))
	form.Set("note", `<script>alert(2)</script>`)
	status, _, second := a.postFrom(a.browser, "suspend", form, origin)
	require.Equal(t, http.StatusOK, status)
	status, location, _ := a.postFrom(a.browser, "suspend", readHidden(t, second), origin)
	require.Equal(t, http.StatusSeeOther, status)
	require.Contains(t, a.show("/"+location), "<strong>Done:</strong>")

	start, err := url.Parse(a.server.URL + "/")
	require.NoError(t, err)
	seen, todo := map[string]bool{}, []*url.URL{start}
	for len(todo) > 0 {
		page := todo[0]
		todo = todo[1:]
		require.True(t, strings.HasPrefix(page.Path, prefix), page)
		if seen[page.String()] || strings.HasSuffix(page.Path, "/logout") || page.RawQuery == "" && next.IsForm(strings.TrimPrefix(page.Path, "/ops")) {
			continue
		}
		if base := path.Base(page.Path); page.RawQuery == "" && slices.Contains([]string{"statement", "peer", "compare"}, base) || strings.HasPrefix(base, "compare.") {
			continue // addresses of forms
		}
		seen[page.String()] = true
		require.Less(t, len(seen), 500)
		answer, text := a.get(a.browser, page.String())
		require.Equal(t, http.StatusOK, answer.StatusCode, "%s: %s", page, text)
		if !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html") {
			continue
		}
		require.Empty(t, inline.FindString(text), page)
		require.NotContains(t, text, "<script>alert")
		for _, m := range reference.FindAllStringSubmatch(text, -1) {
			to, err := page.Parse(html.UnescapeString(m[1]))
			require.NoError(t, err)
			to.Fragment = ""
			todo = append(todo, to)
		}
	}
	for _, path := range []string{"suspend?asset=USD%2F2&peer=alice", "audit", "fund?asset=USD%2F2"} {
		require.True(t, seen[a.server.URL+"/"+path], path)
	}
}
