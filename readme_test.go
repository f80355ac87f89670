package peerledger_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The README's program is the body of Example, and the README's output is the output of Example.
func TestReadmeProgramIsTheExample(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	source, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	_, example, found := strings.Cut(string(source), "func Example() {\n")
	require.True(t, found)
	body, rest, found := strings.Cut(example, "\t// Output:\n")
	require.True(t, found)
	output, _, found := strings.Cut(rest, "}\n")
	require.True(t, found)

	program := block(t, string(readme), "go")
	require.Equal(t, strings.TrimPrefix(strings.ReplaceAll(body, "\n\t", "\n"), "\t"), program)
	require.LessOrEqual(t, strings.Count(program, "\n"), 25)
	require.Equal(t, strings.ReplaceAll(output, "\t// ", ""), block(t, string(readme), "text"))
}

// The README asks for the Go release of go.mod.
func TestReadmeNamesTheGoRelease(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	module, err := os.ReadFile("go.mod")
	require.NoError(t, err)
	release := regexp.MustCompile(`(?m)^go (\S+)$`).FindSubmatch(module)
	require.Len(t, release, 2)
	named := regexp.MustCompile(`Go (1\.[0-9.]*[0-9])`).FindAllSubmatch(readme, -1)
	require.NotEmpty(t, named)
	for _, name := range named {
		require.Equal(t, string(release[1]), string(name[1]))
	}
}

// block returns the first block of code in a language.
func block(t *testing.T, text, language string) string {
	t.Helper()
	_, after, found := strings.Cut(text, "```"+language+"\n")
	require.True(t, found)
	inside, _, found := strings.Cut(after, "```\n")
	require.True(t, found)
	return inside
}

// The parts of programs in docs/testing.md are bodies of examples, and the outputs below them are the examples' outputs.
func TestTestingGuideIsTheExamples(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("docs/testing.md")
	require.NoError(t, err)
	sources := ""
	for _, path := range []string{"ledger/server/client_example_test.go", "ledger/server/faulty/example_test.go"} {
		source, err := os.ReadFile(path)
		require.NoError(t, err)
		sources += string(source)
	}
	indent := regexp.MustCompile(`(?m)^(.)`)
	shown := regexp.MustCompile("(?s)```go\n(.*?)```\n+```text\n(.*?)```\n").FindAllStringSubmatch(string(guide), -1)
	examples := 0
	for _, pair := range shown {
		if strings.HasPrefix(pair[1], "package main\n") {
			continue // the tests of cmd/peerledger run it
		}
		want := indent.ReplaceAllString(pair[1], "\t$1") + "\t// Output:\n" + indent.ReplaceAllString(pair[2], "\t// $1")
		require.Contains(t, sources, want)
		examples++
	}
	require.Equal(t, 3, examples)
}
