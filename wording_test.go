//go:build !race

// The race detector finds nothing in files that are read one after the other.

package peerledger_test

import (
	"go/ast"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

var (
	proseWord = regexp.MustCompile(`[A-Za-z']+`)
	proseLink = regexp.MustCompile(`\[\*?(?:([a-z]\w*)\.)?([A-Z]\w*)(?:\.([A-Z]\w*))?\]`)
	// riddles are phrases whose subject the reader has to guess. CONTRIBUTING.md says what to write in their place.
	riddles = []string{"says that", "is that of", "are those of", "but that", "nobody", "somebody", "whoever", "what came", "who waits"}
	// pronouns are the words that stand for something named elsewhere.
	pronouns = strings.Fields(`it its they them their that which what who whom whose whoever whatever this these those one ones
		another other others nobody somebody anybody none else such`)
)

// prose is the language of the code that users read: comments and function names outside of tests.
type prose struct {
	known members // names of the module

	functions, oneWord    int
	words, pronouns, what int
	riddles, wrongLinks   []string
	links                 int
}

// Names and comments follow the rules of CONTRIBUTING.md, as far as a program can tell.
func TestWording(t *testing.T) {
	t.Parallel()
	p := prose{known: declaredNames(t)}
	goFiles(t, ".", func(path, _ string, file *ast.File) {
		if strings.Contains(filepath.ToSlash(path), "testdata/") {
			return
		}
		p.findRiddles(path, file)
		if !strings.HasSuffix(path, "_test.go") {
			p.readFile(path, file)
		}
	})
	require.Empty(t, p.riddles, "%d phrases of CONTRIBUTING.md's list", len(p.riddles))
	require.Empty(t, p.wrongLinks, "documentation links to names that do not exist")
	require.GreaterOrEqual(t, p.links, 100)
	require.LessOrEqual(t, 100*p.oneWord, 17*p.functions, "names of one word: %d of %d functions", p.oneWord, p.functions)
	require.LessOrEqual(t, 1000*p.pronouns, 55*p.words, "pronouns: %d of %d words of comments", p.pronouns, p.words)
	require.LessOrEqual(t, 10000*p.what, 15*p.words, "what: %d of %d words of comments", p.what, p.words)
}

// findRiddles notes the phrases of a file's comments.
func (p *prose) findRiddles(path string, file *ast.File) {
	for _, group := range file.Comments {
		text := " " + strings.ToLower(strings.Join(strings.Fields(group.Text()), " ")) + " "
		for _, riddle := range riddles {
			if strings.Contains(text, " "+riddle+" ") {
				p.riddles = append(p.riddles, path+": "+riddle)
			}
		}
	}
}

// readFile counts a file's names, words and links.
func (p *prose) readFile(path string, file *ast.File) {
	for _, d := range file.Decls {
		if f, is := d.(*ast.FuncDecl); is {
			p.functions++
			if name := f.Name.Name; name != "main" && name != "init" && !strings.ContainsFunc(name, unicode.IsUpper) {
				p.oneWord++
			}
		}
	}
	for _, group := range file.Comments {
		text := strings.Join(strings.Fields(group.Text()), " ")
		for _, w := range proseWord.FindAllString(strings.ToLower(text), -1) {
			p.words++
			if w == "what" || w == "whatever" {
				p.what++
			}
			if slices.Contains(pronouns, w) {
				p.pronouns++
			}
		}
		for _, m := range proseLink.FindAllStringSubmatch(text, -1) {
			p.links++
			if m[1] != "" && !p.known.packages[m[1]] { // of the standard library
				continue
			}
			if !p.known.names[m[2]] || m[3] != "" && !p.known.of[m[2]][m[3]] {
				p.wrongLinks = append(p.wrongLinks, path+": "+m[0])
			}
		}
	}
}
