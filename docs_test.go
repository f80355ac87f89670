package peerledger_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// documents returns the texts of the repository's documents by path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"README.md", "CONTRIBUTING.md", "docs/*.md", "deploy/*/README.md"} {
		paths, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, paths, pattern)
		for _, path := range paths {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			texts[path] = string(text)
		}
	}
	return texts
}

// goFiles parses the Go files below a folder, and calls each with every file.
func goFiles(t *testing.T, folder string, each func(path, text string, file *ast.File)) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ParseComments|parser.SkipObjectResolution)
		if err == nil {
			each(path, string(text), file)
		}
		return err
	}))
}

var (
	shownBy  = regexp.MustCompile("(?:`([a-z/]+)`: )?`(Test\\w+)(?:/(\\w+))?`")
	mentions = regexp.MustCompile("`(Test\\w+)`")
)

// Each guarantee of the README names a test, and all tests named by a document exist.
func TestNamedTestsExist(t *testing.T) {
	t.Parallel()
	tests, texts, all := map[string]map[string]bool{}, map[string]string{}, map[string]bool{}
	goFiles(t, ".", func(path, text string, file *ast.File) {
		if !strings.HasSuffix(path, "_test.go") {
			return
		}
		folder := filepath.ToSlash(filepath.Dir(path))
		if folder == "." {
			folder = "peerledger"
		}
		texts[folder] += text
		for _, d := range file.Decls {
			if f, is := d.(*ast.FuncDecl); is && f.Recv == nil {
				if tests[folder] == nil {
					tests[folder] = map[string]bool{}
				}
				tests[folder][f.Name.Name], all[f.Name.Name] = true, true
			}
		}
	})
	docs := documents(t)
	_, table, found := strings.Cut(docs["README.md"], "| what | how | shown by |\n| --- | --- | --- |\n")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n\n")
	for row := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(row), "|"), " | ")
		require.Len(t, cells, 3, row)
		folder, named := "", 0
		for _, m := range shownBy.FindAllStringSubmatch(cells[2], -1) {
			if m[1] != "" {
				folder = m[1]
			}
			require.True(t, tests[folder][m[2]], "%s has no %s", folder, m[2])
			subtest := m[3] == "" || strings.Contains(texts[folder], `"`+strings.ReplaceAll(m[3], "_", " ")+`"`)
			require.True(t, subtest, "%s has no %s", m[2], m[3])
			named++
		}
		require.True(t, named > 0 || strings.Contains(cells[2], "RequireConserved"), "nothing shows it: %s", row)
	}
	for path, text := range docs {
		for _, m := range mentions.FindAllStringSubmatch(text, -1) {
			require.True(t, all[m[1]], "%s names %s", path, m[1])
		}
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	noSlug  = regexp.MustCompile(`[^\w\- ]`)
)

// Links between our files name existing files and headings.
func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	for path, text := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			target := filepath.Join(filepath.Dir(path), file)
			if file == "" {
				target = path
			}
			require.True(t, exists(target), "%s: %s", path, m[1])
			if anchor == "" {
				continue
			}
			content, err := os.ReadFile(target)
			require.NoError(t, err)
			var slugs []string
			for _, h := range heading.FindAllStringSubmatch(string(content), -1) {
				slugs = append(slugs, strings.ReplaceAll(noSlug.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-"))
			}
			require.Contains(t, slugs, anchor, "%s: %s", path, m[1])
		}
	}
}

// Each picture of the documents is on a page, and is small enough for a repository.
func TestPicturesAreShown(t *testing.T) {
	t.Parallel()
	pictures, err := filepath.Glob("docs/images/*")
	require.NoError(t, err)
	require.NotEmpty(t, pictures)
	texts := strings.Join(slices.Collect(maps.Values(documents(t))), "\n")
	for _, path := range pictures {
		require.Contains(t, texts, "(images/"+filepath.Base(path)+")", "no page of docs shows %s", path)
		file, err := os.Stat(path)
		require.NoError(t, err)
		require.Less(t, file.Size(), int64(120_000), path)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// members has the names declared in our packages. of has the fields and methods by type.
type members struct {
	names    map[string]bool
	of       map[string]map[string]bool
	packages map[string]bool // their names
}

// declaredNames reads the names declared outside of tests.
func declaredNames(t *testing.T) members {
	t.Helper()
	m := members{map[string]bool{}, map[string]map[string]bool{}, map[string]bool{}}
	goFiles(t, ".", func(path, _ string, file *ast.File) {
		if !strings.HasSuffix(path, "_test.go") {
			m.add(file)
		}
	})
	return m
}

func (m members) add(file *ast.File) {
	m.packages[file.Name.Name] = true
	member := func(of, name string) {
		if m.of[of] == nil {
			m.of[of] = map[string]bool{}
		}
		m.of[of][name], m.names[name] = true, true
	}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			m.names[d.Name.Name] = true
			if d.Recv != nil {
				ast.Inspect(d.Recv.List[0].Type, func(n ast.Node) bool {
					if id, is := n.(*ast.Ident); is {
						member(id.Name, d.Name.Name)
					}
					return true
				})
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						m.names[name.Name] = true
					}
				case *ast.TypeSpec:
					m.names[spec.Name.Name] = true
					ast.Inspect(spec.Type, func(n ast.Node) bool {
						if field, is := n.(*ast.Field); is {
							for _, name := range field.Names {
								member(spec.Name.Name, name.Name)
							}
						}
						return true
					})
				}
			}
		}
	}
}

var (
	codeBlock = regexp.MustCompile("(?s)```.*?```")
	exported  = regexp.MustCompile("`(?:([a-z]+)\\.)?([A-Z]\\w*[a-z]\\w*(?:\\.[A-Z]\\w*)*)(?:\\(\\))?`")
	noNames   = map[string]bool{"Bob": true, "ExecStopPost": true} // a peer's id, and a setting of systemd
)

// Every exported name in a document exists in our packages.
func TestNamedIdentifiersExist(t *testing.T) {
	t.Parallel()
	known := declaredNames(t)
	seen := 0
	for path, text := range documents(t) {
		if strings.HasSuffix(path, "CONTRIBUTING.md") || strings.HasPrefix(path, "deploy") {
			continue
		}
		for _, m := range exported.FindAllStringSubmatch(codeBlock.ReplaceAllString(text, ""), -1) {
			parts := strings.Split(m[2], ".")
			last := parts[len(parts)-1]
			if strings.HasPrefix(last, "Test") || noNames[last] || m[1] != "" && !known.packages[m[1]] {
				continue
			}
			if len(parts) > 1 {
				require.True(t, known.of[parts[len(parts)-2]][last], "%s: %s", path, m[0])
			}
			require.True(t, known.names[last], "%s: %s", path, m[0])
			seen++
		}
	}
	require.Greater(t, seen, 100)
}
