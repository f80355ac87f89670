//go:build cgo

package cluster

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Open returns when each session has an answer: here no session is answered before all have asked.
func TestOpenHearsFromEverySession(t *testing.T) {
	t.Parallel()
	const sessions = 4
	s, asked, all := newServers(), make(map[*fakeClient]bool), make(chan struct{})
	s.setFate(func(c *fakeClient) fate {
		if asked[c] = true; len(asked) == sessions {
			s.next = nil
			close(all)
		}
		return fate{before: all}
	})
	openFake(t, s, Config{Sessions: sessions, OpenTimeout: 30 * time.Second})
	require.Len(t, asked, sessions)
}
