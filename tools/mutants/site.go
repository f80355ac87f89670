package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Site names a mutant: a place in a file and its replacement. A Site has no line number, so it
// stays valid while other code of the file changes.
type Site struct {
	Package  string `json:"package"` // its folder, from the root of the module
	File     string `json:"file"`
	Function string `json:"function"` // "" outside of functions
	Operator string `json:"operator"`
	From     string `json:"from"`
	To       string `json:"to"`
	// Nth distinguishes sites of one function that are otherwise equal, from 0.
	Nth int `json:"nth,omitempty"`
}

func (s Site) String() string {
	nth := ""
	if s.Nth > 0 {
		nth = fmt.Sprintf(" (%d)", s.Nth+1)
	}
	return fmt.Sprintf("%s/%s %s %s: %s -> %s%s", s.Package, s.File, s.Function, s.Operator, s.From, s.To, nth)
}

// rankBySeed returns a random rank, which depends on the seed and the site alone: a new or removed
// site does not change the rank of any other.
func (s Site) rankBySeed(seed uint64) [sha256.Size]byte {
	return sha256.Sum256(fmt.Appendf(binary.LittleEndian.AppendUint64(nil, seed), "%q", s))
}

// A mutant is a site and the change of its file.
type mutant struct {
	Site
	path         string // of the file, absolute
	start, end   int    // the bytes replaced by text
	text         string
	declarations string // appended to the file
	pos          token.Position
	function     [2]token.Position // the extent of the function, zero outside of functions
}

// mutatedSource returns the mutated file.
func (m *mutant) mutatedSource() ([]byte, error) {
	content, err := os.ReadFile(m.path)
	if err != nil {
		return nil, err
	}
	return slices.Concat(content[:m.start], []byte(m.text), content[m.end:], []byte(m.declarations)), nil
}

// findMutants returns the mutants of a package, in the order of its files and of the places in
// them.
func findMutants(pkg *goPackage) ([]*mutant, error) {
	var all []*mutant
	for _, name := range pkg.files {
		found, err := findInFile(pkg.folder, filepath.Join(pkg.dir, name))
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	count := make(map[Site]int)
	for _, m := range all {
		n := count[m.Site]
		count[m.Site]++
		m.Nth = n
	}
	return all, nil
}

func findInFile(folder, path string) ([]*mutant, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	files := token.NewFileSet()
	tree, err := parser.ParseFile(files, path, content, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	f := &finder{text: content, files: files}
	for _, decl := range tree.Decls {
		f.findInDecl(decl)
	}
	slices.SortStableFunc(f.found, func(a, b *mutant) int { return cmp.Compare(a.start, b.start) })
	for _, m := range f.found {
		m.Package, m.File, m.path = folder, filepath.Base(path), path
	}
	return f.found, nil
}

// A finder collects the mutants of a file.
type finder struct {
	text     []byte
	files    *token.FileSet
	function string
	extent   [2]token.Position
	found    []*mutant
}

func (f *finder) findInDecl(decl ast.Decl) {
	f.function, f.extent = "", [2]token.Position{}
	if fn, ok := decl.(*ast.FuncDecl); ok {
		f.function = formatFunctionName(fn)
		f.extent = [2]token.Position{f.files.Position(fn.Pos()), f.files.Position(fn.End())}
	}
	var path []ast.Node
	ast.Inspect(decl, func(n ast.Node) bool {
		if n == nil {
			path = path[:len(path)-1]
			return true
		}
		f.mutateNode(n, path)
		path = append(path, n)
		return true
	})
}

// formatFunctionName returns the name of a function. A method has the name of its type in front.
func formatFunctionName(fn *ast.FuncDecl) string {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return fn.Name.Name
	}
	t := fn.Recv.List[0].Type
	for {
		switch of := t.(type) {
		case *ast.StarExpr:
			t = of.X
		case *ast.IndexExpr:
			t = of.X
		case *ast.IndexListExpr:
			t = of.X
		case *ast.Ident:
			return of.Name + "." + fn.Name.Name
		default:
			return fn.Name.Name
		}
	}
}

// addMutant adds a mutant with text in place of a node.
func (f *finder) addMutant(operator string, n ast.Node, text string) *mutant {
	m := &mutant{
		Site:  Site{Function: f.function, Operator: operator, From: oneLine(f.sourceOf(n)), To: oneLine(text)},
		start: f.files.Position(n.Pos()).Offset, end: f.files.Position(n.End()).Offset, text: text,
		pos: f.files.Position(n.Pos()), function: f.extent,
	}
	f.found = append(f.found, m)
	return m
}

func (f *finder) sourceOf(n ast.Node) string {
	return string(f.text[f.files.Position(n.Pos()).Offset:f.files.Position(n.End()).Offset])
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
