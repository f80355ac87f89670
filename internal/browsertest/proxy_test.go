//go:build cgo && !race

package browsertest

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/console"
)

// requireAllPages logs a tab in by the form, opens all pages, and sees them live.
func (w *world) requireAllPages() {
	w.t.Helper()
	b := w.logIn()
	b.waitForText("#live", "● live")
	b.crawl(w, 1, nil)
	b.open(w.page("peers"))
	b.press("go")
	b.waitFor("the overview", "location.href === "+quote(w.url)+` && document.readyState === "complete"`)
	b.click(".out button")
	b.waitForPage("login")
	require.True(w.t, strings.HasPrefix(ask[string](b, "location.href"), w.url))
}

// Under a path of a connector's server, links, the log-in, the stream and the keys stay below the path.
func TestUnderAPrefix(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{prefix: "/ops/books/", mount: func(h http.Handler) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("/ops/books/", http.StripPrefix("/ops/books", h))
		return mux
	}}, line("kiterail", usd, 1_000_00), line("harborpay", usd, 1_000_00))
	w.send("kiterail", "harborpay", 900_00)
	w.requireAllPages()
}

// atPlainAddress returns an address with the host that the browser takes for another machine's, without TLS.
func atPlainAddress(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	u.Host = plainAddress + ":" + u.Port()
	return u.String()
}

// serveProxy puts a proxy in front of the world that removes the prefix /books and changes the Host header. The
// world's url is then the proxy's address.
func (w *world) serveProxy(server *httptest.Server) {
	w.t.Helper()
	back, err := url.Parse(w.url)
	require.NoError(w.t, err)
	proxy := &httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(back) }, // SetURL sets Host too
		ErrorLog: log.New(io.Discard, "", 0),                        // tabs that are closed break streams off
	}
	server.Config.Handler = http.StripPrefix("/books", proxy)
	server.Start()
	w.t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	w.url = atPlainAddress(w.t, server.URL) + "/books/"
}

// Behind a proxy that changes Host, on plain HTTP by address, the browser sends no Sec-Fetch-Site (miniflux#4338).
// With the public URL a person logs in; without it, the page says which header was wrong, and what to set.
func TestBehindAProxyThatChangesHost(t *testing.T) {
	t.Parallel()
	peers := line("kiterail", usd, 1_000_00)

	server := httptest.NewUnstartedServer(nil)
	public := atPlainAddress(t, "http://"+server.Listener.Addr().String()) + "/books/"
	w := newWorld(t, worldOptions{console: func(c *console.Config) { c.PublicURL = public }}, peers)
	w.serveProxy(server)
	require.Equal(t, public, w.url)
	w.requireAllPages()

	without := newWorld(t, worldOptions{}, peers)
	back := without.url
	without.serveProxy(httptest.NewUnstartedServer(nil))
	b := newTab(t, without.url)
	b.allow("status of 403")
	b.open(without.url)
	b.waitForPage("login")
	b.do("type the token", typeInto("#token", token))
	b.click("button")
	b.waitForText("h1", "403")
	u, err := url.Parse(without.url)
	require.NoError(t, err)
	b.waitForText("#reason", `the Origin header is "http://`+u.Host+`", but the Host header is "`+strings.TrimSuffix(strings.TrimPrefix(back, "http://"), "/")+`"`)
	require.Contains(t, b.text("#reason"), "set PublicURL (--public-url)")
}

// On plain HTTP by address, without a proxy, everything works.
func TestByAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{}, line("kiterail", usd, 1_000_00))
	w.url = atPlainAddress(t, w.url)
	w.requireAllPages()
}

// A foreign page that resolves its own name to this machine sees nothing of the console, and a foreign form does
// not log in.
func TestForeignNamesAndForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{}, line("kiterail", usd, 1_000_00))
	u, err := url.Parse(w.url)
	require.NoError(t, err)
	rebound := "http://" + evilName + ":" + u.Port() + "/"
	foreign := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		_, _ = rw.Write([]byte(`<link rel="icon" href="data:,x"><form method="post" action="` + w.url + `login"><input name="token" value="` + token + `"><button>Win</button></form>`))
	}))
	t.Cleanup(foreign.Close)
	b := newTab(t, w.url, rebound, foreign.URL)
	b.allow("status of 403|Refused to (?:apply|execute) .*MIME type") // the answer to all is the page of the error
	b.open(rebound)
	require.Contains(t, b.text("#reason"), "the console does not know that name")
	require.NotContains(t, b.text("body"), "kiterail")

	b.open(foreign.URL)
	b.click("button")
	b.waitForText("h1", "403")
	require.Contains(t, b.text("#reason"), "Sec-Fetch-Site header is")
	b.open(w.page("peers"))
	b.waitForPage("login")
}
