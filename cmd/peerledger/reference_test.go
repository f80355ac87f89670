package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// docs/commands.md has the help of every command. It is made by this test with -update.
func TestReference(t *testing.T) {
	t.Parallel()
	const path = "../../docs/commands.md"
	text := renderReference()
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), text, "write it with: go test ./cmd/peerledger -run TestReference -update")
}

// renderReference returns the reference of all commands as Markdown.
func renderReference() string {
	var contents, pages strings.Builder
	var global string
	visitCommands(func(cmd *cobra.Command) {
		cmd.InitDefaultHelpFlag()
		path := cmd.CommandPath()
		if !cmd.HasParent() {
			global = renderBlock("Flags of all commands; some commands refuse those that they would not use", cmd.PersistentFlags().FlagUsages())
		}
		indent := strings.Repeat("  ", max(0, strings.Count(path, " ")-1))
		fmt.Fprintf(&contents, "%s- [%s](#%s): %s\n", indent, path, strings.ReplaceAll(path, " ", "-"), cmd.Short)
		fmt.Fprintf(&pages, "\n## %s\n\n%s.\n", path, cmd.Short)
		pages.WriteString(renderBlock("", cmd.UseLine()))
		pages.WriteString(renderBlock("", cmd.Long))
		pages.WriteString(renderBlock("Examples", cmd.Example))
		if cmd.HasParent() {
			pages.WriteString(renderBlock("Flags", cmd.NonInheritedFlags().FlagUsages()))
			if parent := cmd.Parent(); parent.HasParent() {
				pages.WriteString(renderBlock("Flags of "+parent.CommandPath(), parent.PersistentFlags().FlagUsages()))
			}
		}
	})
	return "# Commands\n\nThe help of every command, as `peerledger COMMAND --help` prints it. A test makes this page and compares it.\n" +
		"[operations.md](operations.md) explains the exit statuses and the flags of lists.\n\n" + contents.String() + global + pages.String()
}

// renderBlock returns a text as a block of code with a title; "" without text.
func renderBlock(title, text string) string {
	if strings.TrimSpace(text) == "" {
		return ""
	}
	if title != "" {
		title = "\n" + title + ":\n"
	}
	return title + "\n```text\n" + strings.Trim(text, "\n") + "\n```\n"
}
