//go:build cgo && !race

package browsertest

import (
	"net/url"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
)

// crawl opens every page of the console that links lead to, and calls each with the page's address below the
// console's own. Of addresses that differ in their query, crawl opens the first ones, samePath at most: pages of two
// peers show what those of all do. Downloads are left out.
func (b *tab) crawl(w *world, samePath int, each func(name string)) (names []string) {
	b.t.Helper()
	paths, todo := map[string]int{}, []string{w.url}
	seen := map[string]bool{w.url: true}
	for len(todo) > 0 {
		address := todo[0]
		todo = todo[1:]
		u, err := url.Parse(address)
		require.NoError(b.t, err)
		if paths[u.Path]++; paths[u.Path] > samePath {
			continue
		}
		b.open(address)
		require.Equal(b.t, address, ask[string](b, "location.href"), "the page leads elsewhere")
		require.NotContains(b.t, b.text("h1"), "404")
		name := strings.TrimPrefix(address, w.url)
		names = append(names, name)
		if each != nil {
			each(name)
		}
		for _, link := range ask[[]string](b, `[...document.querySelectorAll("a[href]")].map((a) => a.href.split("#")[0])`) {
			require.True(b.t, strings.HasPrefix(link, w.url), "%s leads out of the console: %s", address, link)
			if path, _, _ := strings.Cut(link, "?"); seen[link] || strings.HasSuffix(path, ".csv") || strings.HasSuffix(path, ".json") {
				continue
			}
			seen[link] = true
			todo = append(todo, link)
		}
	}
	for _, path := range []string{"", "peers", "orders", "trial"} {
		require.Contains(b.t, names, path, "no link leads there")
	}
	for _, path := range []string{"peer?", "statement?"} {
		require.True(b.t, slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, path) }), "no link leads to %s", path)
	}
	return names
}
