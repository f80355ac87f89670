package console_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/console"
)

func trusted(networks ...string) (list []netip.Prefix) {
	for _, n := range networks {
		list = append(list, netip.MustParsePrefix(n))
	}
	return list
}

// suspendAs sends the form that suspends alice, from an address and with headers, and returns the status.
func (a *actFixture) suspendAs(from string, headers http.Header) (int, string) {
	a.t.Helper()
	here, err := url.Parse(a.server.URL)
	require.NoError(a.t, err)
	ask := func(method, path string, body url.Values) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader(body.Encode()))
		r.Host, r.RemoteAddr = "localhost", from
		for _, cookie := range a.browser.Jar.Cookies(here) {
			cookie.Name = "peerledger_console_local" // a recorder has no port
			r.AddCookie(cookie)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		for name, values := range headers {
			r.Header[name] = values
		}
		w := httptest.NewRecorder()
		a.console.ServeHTTP(w, r)
		return w
	}
	form := ask(http.MethodGet, "/suspend?"+ofAlice, nil)
	if form.Code != http.StatusOK {
		return form.Code, form.Body.String()
	}
	values := readHidden(a.t, form.Body.String())
	values.Set("step", "check")
	second := ask(http.MethodPost, "/suspend", values)
	done := ask(http.MethodPost, "/suspend", readHidden(a.t, second.Body.String()))
	return done.Code, done.Body.String()
}

// The user and the role count from the proxy alone.
func TestUserOfAProxy(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		from    string
		headers http.Header
		who     string // "" is refused
		reason  string
	}{
		"proxy":               {from: "10.1.2.3:4000", headers: http.Header{"X-User": {"ann@example"}, "X-Role": {"act"}}, who: "ann@example"},
		"proxy over IPv6":     {from: "[::ffff:10.1.2.3]:4000", headers: http.Header{"X-User": {"ann"}, "X-Role": {"act"}}, who: "ann"},
		"role view":           {from: "10.1.2.3:4000", headers: http.Header{"X-User": {"ann"}, "X-Role": {"view"}}, reason: "its role is not act"},
		"no role":             {from: "10.1.2.3:4000", headers: http.Header{"X-User": {"ann"}}, reason: "no header X-Role"},
		"no user":             {from: "10.1.2.3:4000", headers: http.Header{"X-Role": {"act"}}, reason: "no header X-User"},
		"empty user":          {from: "10.1.2.3:4000", headers: http.Header{"X-User": {""}, "X-Role": {"act"}}, reason: "no header X-User"},
		"control characters":  {from: "10.1.2.3:4000", headers: http.Header{"X-User": {"ann\nbob"}, "X-Role": {"act"}}, reason: "printable"},
		"two users":           {from: "10.1.2.3:4000", headers: http.Header{"X-User": {"ann", "eve"}, "X-Role": {"act"}}, reason: "2 times"},
		"beside the proxy":    {from: "10.2.0.1:4000", headers: http.Header{"X-User": {"ann"}, "X-Role": {"act"}}, reason: "no trusted proxy"},
		"a socket":            {from: "@", headers: http.Header{"X-User": {"ann"}, "X-Role": {"act"}}, reason: "no trusted proxy"},
		"two roles, act last": {from: "10.1.2.3:4000", headers: http.Header{"X-User": {"ann"}, "X-Role": {"view", "act"}}, reason: "2 times"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newActFixture(t, func(c *console.Config) {
				c.UserHeader, c.RoleHeader, c.TrustedProxies, c.Operator = "x-user", "X-Role", trusted("10.1.0.0/16", "192.0.2.0/24"), ""
			})
			status, text := a.suspendAs(test.from, test.headers)
			if test.who == "" {
				require.Equal(t, http.StatusForbidden, status, text)
				require.Contains(t, text, test.reason)
				require.Contains(t, a.describe("alice"), "active")
				require.Empty(t, a.readActs())
				return
			}
			require.Equal(t, http.StatusSeeOther, status, text)
			require.Equal(t, test.who, a.readActs()[0].Who)
		})
	}
}

// The log-in page of a console that acts asks for a name, which is in the journal. A wrong name does not use a link up.
func TestOperatorLogsInWithAName(t *testing.T) {
	t.Parallel()
	a := newActFixture(t, nil)
	bare := newActFixture(t, nil)
	named, err := console.New(console.Config{
		Book: a.client.Book, Settlement: a.client.Settlement, Allow: console.Act, JournalFile: bare.journal, Token: token,
		Peers: func(accounts.Asset) []string { return []string{"alice", "bob"} },
	})
	require.NoError(t, err)
	t.Cleanup(named.Close)
	a.serve(named)
	a.console = named
	link := strings.TrimPrefix(named.NewLogin(), "login?token=")
	_, page := a.get(a.browser, a.server.URL+"/login?token="+link)
	require.Contains(t, page, `name="operator"`)
	headers := map[string]string{"Origin": a.server.URL}
	for _, name := range []string{"", "  ", "ann\x07", strings.Repeat("x", 65)} {
		status, _, text := a.postFrom(a.browser, "login", with("token", link, "operator", name), headers)
		require.Equal(t, http.StatusUnprocessableEntity, status, name)
		require.Contains(t, text, "Not logged in")
		require.Contains(t, text, link, "the link is good still")
		_, _, text = a.postFrom(a.browser, "login", with("token", token, "operator", name), headers)
		require.NotContains(t, text, token, "a typed token is not sent back")
	}
	status, _, _ := a.postFrom(a.browser, "login", with("token", link, "operator", " Ann of the desk "), headers)
	require.Equal(t, http.StatusSeeOther, status)
	a.journal = bare.journal
	a.do("suspend", a.prepare("suspend", ofAlice, nil))
	require.Equal(t, "console Ann of the desk", a.readActs()[0].Who)
	require.Contains(t, a.show("/peer?"+ofAlice), `href="resume?`)
}

// Faults of the configuration name their fields.
func TestActingConfigIsChecked(t *testing.T) {
	t.Parallel()
	for field, cfg := range map[string]console.Config{
		"JournalFile":    {Allow: console.Act},
		"Allow":          {Allow: 7},
		"Reasons":        {Reasons: map[string]uint32{"none": 0}},
		"Operator":       {Operator: "a\nb"},
		"TrustedProxies": {UserHeader: "X-User"},
	} {
		cfg.Book = new(accounts.Book)
		require.ErrorContains(t, cfg.Validate(), field)
	}
	f := newFixture(t, nil)
	_, err := console.New(console.Config{Book: f.client.Book, Allow: console.Act, JournalFile: "/no/such/folder/journal"})
	require.ErrorContains(t, err, "JournalFile")
}
