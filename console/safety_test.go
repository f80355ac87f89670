package console_test

import (
	"bufio"
	"context"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/console"
)

// A page of another site that has resolved its own name to this machine is refused, and the answer
// names the header and the setting.
func TestHostIsChecked(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *console.Config) {
		c.Hosts, c.PublicURL = []string{"books.Example"}, "https://ops.example:8443/console/"
	})
	for host, allowed := range map[string]bool{
		"localhost": true, "LOCALHOST.:3080": true, "127.0.0.1:3080": true, "10.0.0.7": true, "[::1]:3080": true, "[fe80::1]": true,
		"books.example:80": true, "ops.example": true,
		"evil.example": false, "localhost.evil.example": false, "127.0.0.1.evil.example:3080": false, "books.example.evil": false, "": false, ":3080": false,
	} {
		r := httptest.NewRequest(http.MethodGet, "/login", nil)
		r.Host = host
		w := httptest.NewRecorder()
		f.console.ServeHTTP(w, r)
		if allowed {
			require.Equal(t, http.StatusOK, w.Code, host)
			continue
		}
		require.Equal(t, http.StatusForbidden, w.Code, host)
		require.Contains(t, w.Body.String(), "Host header")
		require.Contains(t, w.Body.String(), "add it to Hosts (--host)")
	}
}

// A post must come from a page of the console. Behind a proxy that changes Host, on plain HTTP by
// address, browsers send no Sec-Fetch-Site: then only PublicURL can tell (miniflux#4338).
func TestForeignPostsAreRefused(t *testing.T) {
	t.Parallel()
	const proxy, back = "http://10.0.0.5:8080", "127.0.0.1:9000"
	for name, test := range map[string]struct {
		host, origin, site, publicURL string
		refused                       string // "" is accepted
	}{
		"same origin, plain HTTP":              {host: "10.0.0.5:8080", origin: proxy},
		"same origin, localhost":               {host: "localhost:3080", origin: "http://localhost:3080", site: "same-origin"},
		"another site":                         {host: "localhost:3080", origin: "https://evil.example", site: "cross-site", refused: `Sec-Fetch-Site header is &#34;cross-site&#34;`},
		"another port of this machine":         {host: "localhost:3080", origin: "http://localhost:9999", site: "same-site", refused: `Sec-Fetch-Site header is &#34;same-site&#34;`},
		"another site, plain HTTP":             {host: "10.0.0.5:8080", origin: "http://10.0.0.6:8080", refused: `Origin header is &#34;http://10.0.0.6:8080&#34;`},
		"no origin":                            {host: "10.0.0.5:8080", origin: "null", refused: `Origin header is &#34;null&#34;`},
		"neither header":                       {host: "localhost:3080", refused: "neither an Origin nor a Sec-Fetch-Site header"},
		"proxy changes Host":                   {host: back, origin: proxy, refused: `Origin header is &#34;http://10.0.0.5:8080&#34;, but the Host header is &#34;127.0.0.1:9000&#34;: if a proxy changed Host, set PublicURL (--public-url)`},
		"proxy changes Host, public URL":       {host: back, origin: proxy, publicURL: proxy + "/books/"},
		"proxy with the default port":          {host: back, origin: "https://ops.example", publicURL: "https://OPS.example:443/"},
		"another site beside the public URL":   {host: back, origin: "https://evil.example", publicURL: proxy, refused: "Origin header is"},
		"the public URL, with another scheme":  {host: back, origin: "https://10.0.0.5:8080", publicURL: proxy, refused: "Origin header is"},
		"another site under Host of the proxy": {host: back, origin: "https://evil.example", site: "cross-site", publicURL: proxy, refused: "Sec-Fetch-Site header is"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, func(c *console.Config) { c.PublicURL = test.publicURL })
			r := httptest.NewRequest(http.MethodPost, "/login", strings.NewReader(url.Values{"token": {token}}.Encode()))
			r.Host = test.host
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for header, value := range map[string]string{"Origin": test.origin, "Sec-Fetch-Site": test.site} {
				if value != "" {
					r.Header.Set(header, value)
				}
			}
			w := httptest.NewRecorder()
			f.console.ServeHTTP(w, r)
			if test.refused == "" {
				require.Equal(t, http.StatusSeeOther, w.Code, w.Body)
				require.NotEmpty(t, w.Header().Get("Set-Cookie"))
				return
			}
			require.Equal(t, http.StatusForbidden, w.Code)
			require.Contains(t, w.Body.String(), test.refused)
			require.Empty(t, w.Header().Get("Set-Cookie"))
		})
	}
}

// A link logs one browser in. Opening it uses nothing up.
func TestALinkLogsInOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	link := f.console.NewLogin()
	secret := strings.TrimPrefix(link, "login?token=")
	require.GreaterOrEqual(t, len(secret), 50)
	first, second := newBrowser(t), newBrowser(t)
	for range 3 {
		_, text := f.get(first, f.server.URL+"/"+link)
		require.Contains(t, text, `value="`+secret+`"`)
	}
	require.Equal(t, http.StatusSeeOther, f.postLogin(first, f.server.URL+"/login", secret, f.server.URL).StatusCode)
	answer, _ := f.get(first, f.server.URL+"/peers")
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.Equal(t, http.StatusForbidden, f.postLogin(second, f.server.URL+"/login", secret, f.server.URL).StatusCode)
	answer, _ = f.get(second, f.server.URL+"/peers")
	require.Equal(t, http.StatusSeeOther, answer.StatusCode)
	require.NotEqual(t, link, f.console.NewLogin())
}

// Only the configured token logs in, and an empty one never does.
func TestWrongTokensDoNotLogIn(t *testing.T) {
	t.Parallel()
	with, without := newFixture(t, nil), newFixture(t, nil)
	bare, err := console.New(console.Config{Book: without.client.Book})
	require.NoError(t, err)
	t.Cleanup(bare.Close)
	without.serve(bare)
	for _, f := range []*fixture{with, without} {
		for _, secret := range []string{"", " ", token + " ", token[1:]} {
			require.Equal(t, http.StatusForbidden, f.postLogin(newBrowser(t), f.server.URL+"/login", secret, f.server.URL).StatusCode, secret)
		}
	}
}

// The cookie is out of reach of scripts and of other sites, and two consoles of one machine do not
// share it. It has no Path: browsers then send it below the folder of the log-in page alone.
func TestCookieIsStrict(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	port := f.server.URL[strings.LastIndex(f.server.URL, ":")+1:]
	answer := f.postLogin(newBrowser(t), f.server.URL+"/login", token, f.server.URL)
	require.Regexp(t, `^peerledger_console_`+port+`=[A-Z2-7]{50,}; Max-Age=43200; HttpOnly; SameSite=Strict$`, answer.Header.Get("Set-Cookie"))

	encrypted := newFixture(t, func(c *console.Config) { c.PublicURL = "https://ops.example/" })
	answer = encrypted.postLogin(newBrowser(t), encrypted.server.URL+"/login", token, "https://ops.example")
	require.Contains(t, answer.Header.Get("Set-Cookie"), "; Secure; ")
}

// paths are all addresses of the console. TestRoutesAreKnown compares them with the routes.
var paths = []string{
	"/", "/peers", "/peers.csv", "/peers.json", "/peer?peer=alice&asset=USD%2F2", "/peer.csv?peer=alice&asset=USD%2F2", "/peer.json?peer=alice&asset=USD%2F2",
	"/orders", "/orders.csv", "/orders.json", "/trial", "/trial.csv", "/trial.json", "/totals", "/totals.csv", "/totals.json",
	"/statement?peer=alice&asset=USD%2F2", "/statement.csv?peer=alice&asset=USD%2F2", "/statement.json?peer=alice&asset=USD%2F2",
	"/holds?peer=alice&asset=USD%2F2", "/holds.csv?peer=alice&asset=USD%2F2", "/holds.json?peer=alice&asset=USD%2F2", "/events",
	"/find?q=wire", "/find.csv?q=wire", "/find.json?q=wire", "/alerts", "/alerts.csv", "/alerts.json", "/health", "/health.csv", "/health.json",
	"/orders?state=closed", "/orders.csv?state=closed", "/orders.json?state=closed",
	"/history?peer=alice&asset=USD%2F2", "/history.csv?peer=alice&asset=USD%2F2", "/history.json?peer=alice&asset=USD%2F2", comparison,
}

// comparison is the page that takes a statement: the only address beside the log-in that takes a post. Its downloads
// take nothing else. TestCompareIsGuarded and TestCompareEqualStatements look after the three.
const comparison = "/compare?peer=alice&asset=USD%2F2"

// The tests of this file see every route.
func TestRoutesAreKnown(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	var tested []string
	for _, path := range append([]string{"/login", "/logout", "/console.css", "/console.js", "/stream.js", "/icon.svg", "/compare.csv", "/compare.json"}, paths...) {
		path, _, _ = strings.Cut(path, "?")
		tested = append(tested, path)
	}
	slices.Sort(tested)
	require.ElementsMatch(t, f.console.Routes(), slices.Compact(tested))
}

// Positions are private: nothing but the log-in page and its files is shown without a session.
func TestEveryPageNeedsASession(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, line("alice", usd, 100_00))
	stranger := newBrowser(t)
	forged := newBrowser(t)
	here, err := url.Parse(f.server.URL)
	require.NoError(t, err)
	cookie := f.browser.Jar.Cookies(here)[0]
	forged.Jar.SetCookies(here, []*http.Cookie{{Name: cookie.Name, Value: strings.Repeat("A", len(cookie.Value))}})
	check := func(browser *http.Client, who string) {
		for _, path := range paths {
			answer, text := f.get(browser, f.server.URL+path)
			if strings.Contains(path, ".csv") || strings.Contains(path, ".json") || path == "/events" {
				require.Equal(t, http.StatusUnauthorized, answer.StatusCode, "%s %s", who, path)
			} else {
				require.Equal(t, http.StatusSeeOther, answer.StatusCode, "%s %s", who, path)
				require.Equal(t, "login", answer.Header.Get("Location"))
			}
			require.NotContains(t, text, "alice")
		}
	}
	check(stranger, "a stranger")
	check(forged, "a forged cookie")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.server.URL+"/logout", nil)
	require.NoError(t, err)
	r.Header.Set("Origin", f.server.URL)
	old := newBrowser(t)
	old.Jar.SetCookies(here, []*http.Cookie{cookie})
	answer, err := f.browser.Do(r)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	check(old, "a session that has logged out")
}

// The console has no action: every address refuses every method that could change something.
func TestNothingCanBeChanged(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, line("alice", usd, 100_00))
	actions := []string{"/line", "/suspend", "/resume", "/close", "/reopen", "/adjust", "/fund", "/withdraw", "/pay", "/resolve", "/cancel", "/peer/suspend"}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		for _, path := range append(actions, paths...) {
			if method == http.MethodPost && path == comparison {
				continue
			}
			r, err := http.NewRequestWithContext(t.Context(), method, f.server.URL+path, strings.NewReader("peer=alice"))
			require.NoError(t, err)
			r.Header.Set("Origin", f.server.URL)
			answer, err := f.browser.Do(r)
			require.NoError(t, err)
			require.NoError(t, answer.Body.Close())
			require.Contains(t, []int{http.StatusNotFound, http.StatusMethodNotAllowed}, answer.StatusCode, "%s %s", method, path)
		}
	}
}

var (
	inline    = regexp.MustCompile(`(?i)<style|<script(?:>| [^>]*>[^<])|\sstyle=|\son[a-z]+=|javascript:`)
	reference = regexp.MustCompile(`(?:href|src|action)="([^"]*)"`)
)

// Every answer has the headers, and no page has anything that its policy forbids.
func TestPolicyOfEveryAnswer(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, line("alice", usd, 100_00), line("bob", usd, 0))
	f.send("alice", "bob", 5_00)
	f.hold("alice", "bob", 1_00)
	for _, path := range append([]string{"/login", "/console.css", "/console.js", "/stream.js", "/icon.svg", "/nothing", "/peers?sort=no"}, paths...) {
		if path == "/events" {
			continue // TestStreamsAreBounded reads it
		}
		answer, text := f.get(f.browser, f.server.URL+path)
		h := answer.Header
		require.Equal(t, "no-store", h.Get("Cache-Control"), path)
		require.Equal(t, "strict-origin", h.Get("Referrer-Policy"), "no-referrer would make browsers post with Origin: null")
		require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
		policy := h.Get("Content-Security-Policy")
		for _, rule := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'", "script-src 'self'", "style-src 'self'"} {
			require.Contains(t, policy, rule)
		}
		require.NotContains(t, policy, "unsafe")
		if strings.HasPrefix(h.Get("Content-Type"), "text/html") {
			require.Empty(t, inline.FindString(text), path)
			for _, m := range reference.FindAllStringSubmatch(text, -1) {
				require.False(t, strings.HasPrefix(m[1], "/") || strings.Contains(m[1], "//"), "%s refers to %s", path, m[1])
			}
		}
	}
}

// After the log-in no secret is in an address or on a page.
func TestNoSecretIsShown(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, line("alice", usd, 100_00))
	answer := f.postLogin(f.browser, f.server.URL+"/login", token, f.server.URL)
	require.Equal(t, "./", answer.Header.Get("Location"))
	here, err := url.Parse(f.server.URL)
	require.NoError(t, err)
	session := f.browser.Jar.Cookies(here)[0].Value
	for _, path := range paths {
		if path == "/events" {
			continue
		}
		answer, text := f.get(f.browser, f.server.URL+path)
		for _, secret := range []string{token, session} {
			require.NotContains(t, text, secret, path)
			require.NotContains(t, fmt.Sprint(answer.Header), secret, path)
		}
	}
}

// Under a path prefix, behind a proxy or in a connector's own server, every link of every page leads
// to a page of the console.
func TestUnderAPrefix(t *testing.T) {
	t.Parallel()
	const prefix = "/ops/books/"
	f := newFixture(t, nil, line("alice", usd, 100_00), line("bob/../x?y=z&w", usd, 0))
	f.send("alice", "bob/../x?y=z&w", 15_00)
	mux := http.NewServeMux()
	mux.Handle(prefix, http.StripPrefix(strings.TrimSuffix(prefix, "/"), f.console))
	f.serve(mux)
	answer := f.postLogin(f.browser, f.server.URL+prefix+"login", token, f.server.URL)
	require.Equal(t, http.StatusSeeOther, answer.StatusCode)
	start, err := url.Parse(f.server.URL + prefix)
	require.NoError(t, err)
	seen, todo := map[string]bool{}, []*url.URL{start}
	for len(todo) > 0 {
		page := todo[0]
		todo = todo[1:]
		isForm := page.RawQuery == "" && slices.Contains([]string{"statement", "peer", "compare"}, path.Base(page.Path)) // whose fields make the query
		needsMore := isForm || slices.Contains([]string{"logout", "compare.csv", "compare.json"}, path.Base(page.Path))  // takes a post
		require.True(t, strings.HasPrefix(page.Path, prefix), page)
		if seen[page.String()] || needsMore {
			continue
		}
		seen[page.String()] = true
		require.Less(t, len(seen), 500)
		answer, text := f.get(f.browser, page.String())
		require.Equal(t, http.StatusOK, answer.StatusCode, "%s: %s", page, text)
		for _, m := range reference.FindAllStringSubmatch(text, -1) {
			next, err := page.Parse(html.UnescapeString(m[1]))
			require.NoError(t, err)
			next.Fragment = ""
			todo = append(todo, next)
		}
	}
	for _, path := range []string{"peers", "orders.csv", "console.js", "find", "alerts.json", "health", "orders?state=closed", "peer?asset=USD%2F2&peer=bob%2F..%2Fx%3Fy%3Dz%26w"} {
		require.True(t, seen[f.server.URL+prefix+path], "%s in %v", path, seen)
	}
}

// A request cannot be as large as it likes.
func TestRequestsAreBounded(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	answer := f.postLogin(newBrowser(t), f.server.URL+"/login", token+strings.Repeat("x", 1<<20), f.server.URL)
	require.Equal(t, http.StatusForbidden, answer.StatusCode)
	r := httptest.NewRequest(http.MethodPost, "/login", strings.NewReader("x="+strings.Repeat("x", 5<<10)+"&token="+url.QueryEscape(token)))
	r.Host = "localhost"
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	f.console.ServeHTTP(w, r)
	require.Equal(t, http.StatusForbidden, w.Code, "the token is beyond the largest body")
	status, _ := f.open("/peers?q=" + strings.Repeat("x", 5<<10))
	require.Equal(t, http.StatusRequestURITooLong, status)
}

// A stream tells of new figures, one stream more than MaxStreams is refused, and Close ends all.
func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *console.Config) { c.MaxStreams = 1 }, line("alice", usd, 100_00))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.server.URL+"/events", nil)
	require.NoError(t, err)
	stream, err := f.browser.Do(r)
	require.NoError(t, err)
	defer func() { _ = stream.Body.Close() }()
	require.Equal(t, "text/event-stream", stream.Header.Get("Content-Type"))
	lines := bufio.NewScanner(stream.Body)
	for looks := 0; looks < 3; {
		require.True(t, lines.Scan(), lines.Err())
		if lines.Text() == "event: look" {
			looks++
		}
	}
	status, text := f.open("/events")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, text, "MaxStreams")
	f.console.Close()
	for lines.Scan() { // to the end of the stream
		require.NotContains(t, lines.Text(), "alice")
	}
	require.NoError(t, lines.Err())
}

// A configuration with several faults names each of them.
func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	_, err := console.New(console.Config{
		Interval: -1, Timeout: -1, ExportTimeout: -1, StuckAfter: -1, MaxOrders: -1, MaxStreams: -1,
		Hosts: []string{"ops.example:80"}, PublicURL: "ops.example", Token: "short",
	})
	require.ErrorIs(t, err, accounts.ErrInvalid)
	for _, field := range []string{"Book", "Interval", "Timeout", "ExportTimeout", "StuckAfter", "MaxOrders", "MaxStreams", "Hosts", "PublicURL", "Token"} {
		require.ErrorContains(t, err, field)
	}
	require.NotContains(t, err.Error(), `"short"`)
	for length, ok := range map[int]bool{23: false, 24: true, 200: true, 201: false} {
		err := console.Config{Book: new(accounts.Book), Token: strings.Repeat("x", length)}.Validate()
		require.Equal(t, ok, err == nil, length)
	}
}
