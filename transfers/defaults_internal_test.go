package transfers

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The defaults match the comments of Config.
func TestDefaults(t *testing.T) {
	t.Parallel()
	c := Config{}.withDefaults()
	require.Equal(t, []any{2, 65536, 32768, 2 * time.Second, time.Second}, []any{c.Lanes, c.MaxBacklog, c.BacklogResume, c.HoldMargin, c.MinHold})
	require.Equal(t, 1, Config{MaxBacklog: 1}.withDefaults().BacklogResume)
}
