package console_test

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// The script of the pages says when figures are not live, and why, and leads to the log-in when the session has
// ended. testdata/live.js has the cases.
func TestScriptSaysWhenFiguresAreNotLive(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("needs node: install it (Debian: nodejs)")
	}
	out, err := exec.CommandContext(t.Context(), node, "testdata/live.js", "assets/console.js").CombinedOutput()
	require.NoError(t, err, "%s", out)
}
