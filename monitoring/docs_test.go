package monitoring_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The program in docs/monitoring.md is part of the example, which runs as a test.
func TestDocsAreTheExample(t *testing.T) {
	t.Parallel()
	docs, err := os.ReadFile("../docs/monitoring.md")
	require.NoError(t, err)
	example, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(docs), "```go\n")
	require.True(t, found)
	program, _, found := strings.Cut(rest, "```\n")
	require.True(t, found)
	require.LessOrEqual(t, strings.Count(program, "\n"), 10)
	for line := range strings.Lines(program) {
		require.Contains(t, string(example), "\t"+line)
	}
}
