//go:build cgo && unix

package tigerbeetletest

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// failingServer fails to read its log and to be removed with err, and counts the removals.
type failingServer struct {
	server
	err     error
	removed int
}

func (s *failingServer) readLog(context.Context) (string, error) { return "", s.err }
func (s *failingServer) removeServer(context.Context) error      { s.removed++; return s.err }

// removeAll goes on after a replica that cannot be removed.
func TestRemoveAll(t *testing.T) {
	t.Parallel()
	first, second := &failingServer{err: errors.New("no")}, &failingServer{}
	replicas := []*Replica{{server: first}, {server: second, index: 1}}
	require.EqualError(t, removeAll(replicas), "remove replica 0: no")
	require.Equal(t, []int{1, 1}, []int{first.removed, second.removed})
	require.Equal(t, "read the log of replica 0: no", replicas[0].readLastLines(1))
}
