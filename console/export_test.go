package console

import (
	"maps"
	"slices"
)

// Routes returns the paths of all routes.
func (c *Console) Routes() []string { return slices.Collect(maps.Keys(c.routes)) }
