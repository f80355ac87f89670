package peerledger_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The README's program is the body of Example, which is run.
func TestReadmeProgramIsTheExample(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, after, found := strings.Cut(string(readme), "```go\n")
	require.True(t, found)
	program, _, found := strings.Cut(after, "```\n")
	require.True(t, found)

	source, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	_, after, found = strings.Cut(string(source), "func Example() {\n")
	require.True(t, found)
	body, _, found := strings.Cut(after, "\t// Output:")
	require.True(t, found)
	body = strings.TrimPrefix(strings.ReplaceAll(body, "\n\t", "\n"), "\t")
	require.Equal(t, body, program)
}
