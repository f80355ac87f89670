package console

import (
	"maps"
	"net/url"
	"slices"
	"time"
)

// Routes returns the paths of all routes.
func (c *Console) Routes() []string { return slices.Collect(maps.Keys(c.routes)) }

// SetActTime bounds changes. It must come before any request.
func (c *Console) SetActTime(limit time.Duration) { c.actTime = limit }

// SetJournalBytes bounds the reads of the journal. It must come before any request.
func (c *Console) SetJournalBytes(limit int64) { c.journalBytes = limit }

// IsForm reports whether a path is the address of a form, which needs a query.
func (c *Console) IsForm(path string) bool {
	return c.routes[path].act || path == "/statement"
}

// TagOf returns the end of the note of the journal's entry for a form.
func TagOf(form url.Values) string {
	f := actForm{key: form.Get("key"), values: url.Values{}}
	for name, values := range form {
		if name != "step" && name != "confirm" {
			f.values[name] = values
		}
	}
	return f.tag()
}
