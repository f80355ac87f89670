package console

import (
	"maps"
	"slices"
	"time"
)

// Routes returns the paths of all routes.
func (c *Console) Routes() []string { return slices.Collect(maps.Keys(c.routes)) }

// SetActTime bounds changes. It must come before any request.
func (c *Console) SetActTime(limit time.Duration) { c.actTime = limit }

// RememberActsSince sets the time from which the console remembers all acts. It must come before any request.
func (c *Console) RememberActsSince(t time.Time) { c.acts.since = t }

// IsForm reports whether a path is the address of a form, which needs a query.
func (c *Console) IsForm(path string) bool {
	return c.routes[path].act || path == "/statement"
}
