package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// documentedCommand matches a command line in the documents: in code blocks and between backquotes.
var documentedCommand = regexp.MustCompile("(?m)(?:^    (?:docker compose run --rm )?|`)peerledger ([a-z][^`\n#]*)")

// Every documented command line has an existing command and existing flags.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../deploy/*/README.md")
	require.NoError(t, err)
	files = append(files, "../../README.md", "../../docs/operations.md", "../../docs/settlement.md", "../../docs/monitoring.md", "../../docs/money.md", "../../docs/testing.md", "../../docs/aggregation.md", "../../docs/console.md")
	seen := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range documentedCommand.FindAllStringSubmatch(strings.ReplaceAll(string(text), "\\\n", ""), -1) {
			words := splitLine(m[1])
			cmd, rest, err := (&app{}).newRootCommand().Find(words)
			require.NoError(t, err, "%s: %s", file, m[1])
			if words[0] == "help" || words[0] == "completion" || words[0] == "version" {
				continue
			}
			require.True(t, cmd.HasParent(), "%s: there is no command %q", file, m[1])
			require.NoError(t, cmd.ParseFlags(rest), "%s: %s", file, m[1])
			if cmd.Args != nil && len(rest) > 0 { // a name alone is a mention
				require.NoError(t, cmd.Args(cmd, cmd.Flags().Args()), "%s: %s", file, m[1])
			}
			seen[cmd.Name()] = true
		}
	}
	for _, name := range []string{"doctor", "balances", "statement", "orders", "backup", "restore", "verify", "migrate", "bench", "serve", "fund", "withdraw", "compare", "check", "console", "limits", "exposure", "watch", "list", "use", "show", "init"} {
		require.True(t, seen[name], "%s is in no document", name)
	}
}

// The configurations in the documents and in the example have only known fields.
func TestDocumentedConfiguration(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	found := 0
	for _, m := range regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		if strings.Contains(m[1], "namespace:") {
			cfg, err := parseConfig([]byte(m[1]))
			require.NoError(t, err)
			require.NotEmpty(t, cfg.Peers)
			found++
		}
	}
	require.Equal(t, 1, found)
	text, err = os.ReadFile("../../deploy/peerledger.yaml")
	require.NoError(t, err)
	_, err = parseConfig(text)
	require.NoError(t, err)
}

// splitLine splits a command line into words and removes quotes.
func splitLine(line string) (words []string) {
	for _, m := range regexp.MustCompile(`'[^']*'|\S+`).FindAllString(line, -1) {
		words = append(words, strings.Trim(m, "'.,;:)"))
	}
	return words
}
