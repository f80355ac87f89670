package main

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

	"github.com/peerledger/peerledger/internal/operatorlog"
)

// send posts the form on a page to an address, and returns the page that follows.
func send(t *testing.T, browser *http.Client, base, path, page string) string {
	t.Helper()
	values := url.Values{}
	for _, m := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`).FindAllStringSubmatch(page, -1) {
		values.Set(m[1], html.UnescapeString(m[2]))
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+path, strings.NewReader(values.Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", base)
	answer, err := browser.Do(r)
	require.NoError(t, err)
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusOK, answer.StatusCode, string(text))
	return string(text)
}

// With --allow=act the console changes the books, and the journal of the configuration has the act, as do the commands' acts.
func TestConsoleActs(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	c := startConsole(t, s, map[string]string{operatorEnv: "ann"}, "--address", "127.0.0.1:0", "--allow=act")
	browser, base := newTestBrowser(t, &http.Transport{}), "http://"+c.Address
	require.Equal(t, http.StatusOK, logIn(t, browser, c.Login, base).StatusCode)
	page := readPage(t, browser, base+"/suspend?peer=alice&asset=USD%2F2")
	page = send(t, browser, base, "/suspend", page)
	require.Contains(t, page, "Would suspend alice in USD/2, from active to suspended.")
	page = send(t, browser, base, "/suspend", page)
	require.Contains(t, page, "<strong>Done:</strong>")
	require.Contains(t, page, "console ann")
	require.Contains(t, readPage(t, browser, base+"/audit?peer=alice"), "console ann")
	page = send(t, browser, base, "/pay", readPage(t, browser, base+"/pay?peer=bob&asset=USD%2F2"))
	require.Contains(t, page, "no policy or no rail for the peer", "no engine is configured")
	require.Equal(t, statusDone, c.stop())
	require.Contains(t, s.runOK(t, "balances", "alice@USD"), "suspended")
	acts, err := operatorlog.Read(t.Context(), filepath.Join(filepath.Dir(s.config), defaultOperatorJournal), operatorlog.Filter{Peer: "alice"})
	require.NoError(t, err)
	require.Equal(t, []string{"console", "console ann", "suspend", "written"}, []string{acts[0].Via, acts[0].Who, acts[0].Action, string(acts[0].Outcome)})
	require.Contains(t, s.runOK(t, "audit", "alice"), "console ann")
}

// By default the pages show the acts of commands and change nothing, and wrong flags are refused.
func TestConsoleActsOnlyIfAllowed(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.runOK(t, "peers", "suspend", "alice@USD", "--yes")
	c := startConsole(t, s, nil, "--address", "127.0.0.1:0")
	browser, base := newTestBrowser(t, &http.Transport{}), "http://"+c.Address
	require.Equal(t, http.StatusOK, logIn(t, browser, c.Login, base).StatusCode)
	require.Regexp(t, `(?m)^[0-9a-f]{32},[^,]*,[^,]*,command,suspend,alice,USD/2,`, readPage(t, browser, base+"/audit.csv"))
	require.Contains(t, readPage(t, browser, base+"/"), "View only: this console changes nothing.")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/resume?peer=alice&asset=USD%2F2", nil)
	require.NoError(t, err)
	answer, err := browser.Do(r)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusNotFound, answer.StatusCode)
	require.Equal(t, statusDone, c.stop())
	for _, test := range []struct{ args, complaint string }{
		{"--allow=edit", "--allow"},
		{"--allow=act --user-header X-User", "TrustedProxies"},
		{"--allow=act --user-header X-User --trusted-proxy 10.0.0.1", "--trusted-proxy"},
	} {
		got := s.runCommand(t, append([]string{"console"}, strings.Fields(test.args)...)...)
		require.Equal(t, statusUsage, got.status, "%s: %s", test.args, got.errors)
		require.Contains(t, got.errors, test.complaint)
	}
}
