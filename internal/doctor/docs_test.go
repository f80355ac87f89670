package doctor

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// The chapter on troubleshooting has every code of a fault, and no other code.
func TestTroubleshootingChapter(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	chapter := regexp.MustCompile(`(?s)\n## Troubleshooting.*`).FindString(string(text))
	named := map[string]bool{}
	for _, m := range regexp.MustCompile("`([a-z][a-z0-9]*(?:-[a-z0-9]+)+)`").FindAllStringSubmatch(chapter, -1) {
		named[m[1]] = true
	}
	named["silent"], named["unreachable"] = regexp.MustCompile("`silent`").MatchString(chapter), regexp.MustCompile("`unreachable`").MatchString(chapter)
	for _, code := range Codes() {
		if code.lookUpEntry().level != OK {
			require.True(t, named[string(code)], "%s is not in docs/operations.md", code)
		}
		delete(named, string(code))
	}
	require.Empty(t, named, "these are no findings")
}
