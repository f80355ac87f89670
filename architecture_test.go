//go:build !race

// The race detector finds nothing in files that are read one after the other.

package peerledger_test

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/peerledger/peerledger"

// layer is a line of the diagram: packages that import only packages of the lines below.
var layer = regexp.MustCompile(`(?m)^ *(\d+)  +(\S.*)$`)

// layersOf reads the diagram of docs/architecture.md: the layer of each package.
func layersOf(t *testing.T, page string) map[string]int {
	t.Helper()
	_, diagram, found := strings.Cut(page, "```text\n")
	require.True(t, found, "no diagram")
	diagram, _, _ = strings.Cut(diagram, "```")
	layers := map[string]int{}
	for _, m := range layer.FindAllStringSubmatch(diagram, -1) {
		number, err := strconv.Atoi(m[1])
		require.NoError(t, err)
		for _, name := range strings.Fields(m[2]) {
			layers[name] = number
		}
	}
	return layers
}

// Each package is in the diagram of docs/architecture.md, and imports only packages of lower layers.
func TestImportsPointDown(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("docs", "architecture.md"))
	require.NoError(t, err)
	layers := layersOf(t, string(page))
	seen := map[string]bool{}
	goFiles(t, ".", func(path, _ string, file *ast.File) {
		folder := filepath.ToSlash(filepath.Dir(path))
		if folder == "." {
			folder = "peerledger"
		}
		if strings.HasSuffix(path, "_test.go") || strings.Contains(folder, "testdata") {
			return
		}
		require.Contains(t, layers, folder, "docs/architecture.md has no layer for it")
		seen[folder] = true
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			if imported == module {
				imported = "peerledger"
			} else if rest, ours := strings.CutPrefix(imported, module+"/"); ours {
				imported = rest
			} else {
				continue
			}
			require.Less(t, layers[imported], layers[folder], "%s imports %s", path, imported)
		}
	})
	for name := range layers {
		require.True(t, seen[name], "docs/architecture.md has the package %s", name)
	}
}

var fileName = regexp.MustCompile(`\b[a-z_]+\.go\b`)

var codeName = regexp.MustCompile("`(?:[a-z]+\\.)?(?:([A-Za-z]\\w*)\\.)?([A-Za-z]\\w*)(?:\\(\\))?`")

// Each name in the prose of docs/architecture.md is declared in the code, and each file exists.
func TestArchitectureNamesExist(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("docs", "architecture.md"))
	require.NoError(t, err)
	known := declaredNames(t)
	files := map[string]bool{}
	goFiles(t, ".", func(path, _ string, _ *ast.File) { files[filepath.Base(path)] = true })
	for _, name := range fileName.FindAllString(string(page), -1) {
		require.True(t, files[name], "no file %s", name)
	}
	seen := 0
	for _, m := range codeName.FindAllStringSubmatch(codeBlock.ReplaceAllString(string(page), ""), -1) {
		switch {
		case m[1] == "" && (known.names[m[2]] || known.packages[m[2]]):
		case m[1] != "" && (known.of[m[1]][m[2]] || known.packages[m[1]] && known.names[m[2]]):
		default:
			require.Fail(t, "not in the code", m[0])
		}
		seen++
	}
	require.Greater(t, seen, 30)
}
