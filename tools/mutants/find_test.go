package main

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// listMutants returns the mutants of a function f with this body, one a line.
func listMutants(t *testing.T, results, body string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "f.go")
	source := "package p\n\nfunc f() " + results + " {\n" + body + "\n}\n"
	require.NoError(t, os.WriteFile(name, []byte(source), 0o600))
	found, err := findInFile("p", name)
	require.NoError(t, err)
	var lines []string
	for _, m := range found {
		require.Equal(t, "f", m.Function)
		requireParses(t, m)
		lines = append(lines, m.Operator+": "+m.From+" -> "+m.To)
	}
	return strings.Join(lines, "\n")
}

func requireParses(t *testing.T, m *mutant) {
	t.Helper()
	source, err := m.mutatedSource()
	require.NoError(t, err)
	_, err = parser.ParseFile(token.NewFileSet(), m.File, source, parser.SkipObjectResolution)
	require.NoError(t, err, m.String())
}

type finding struct{ results, body, want string }

var findings = map[string]finding{
	"conditions": {body: "if a {}; if !a {}; if a == b {}; for a {}", want: `
		negate: a -> !(a)
		negate: !a -> a
		negate: a == b -> (a != b)
		negate: a -> !(a)`},
	"operands of conditions": {body: "x := a && (b || !c)", want: `
		negate: a -> !(a)
		negate: b -> !(b)
		negate: !c -> c`},
	"cases": {body: "switch { case a, b: }; switch x { case c: }", want: `
		negate: a -> !(a)
		negate: b -> !(b)`},
	"bounds of comparisons": {body: "x = a < 5; x = a <= 5; x = 5 > a; x = 5 >= a; x = a > 0; x = a >= 0; x = a == 1", want: `
		bound: a < 5 -> a <= 5
		bound: a < 5 -> a < 4
		bound: a <= 5 -> a < 5
		bound: a <= 5 -> a <= 6
		bound: 5 > a -> 5 >= a
		bound: 5 > a -> 4 > a
		bound: 5 >= a -> 5 > a
		bound: 5 >= a -> 6 >= a
		bound: a > 0 -> a >= 0
		bound: a > 0 -> a > 1
		bound: a >= 0 -> a > 0
		bound: a == 1 -> a == 2`},
	"bounds of slices": {body: "x = a[1:n]; x = a[:0]; x = a[:]; x = a[n:2:m]", want: `
		bound: a[1:n] -> a[2:n]
		bound: a[1:n] -> a[0:n]
		bound: a[1:n] -> a[1:(n)-1]
		bound: a[:0] -> a[:1]
		bound: a[n:2:m] -> a[(n)+1:2:m]
		bound: a[n:2:m] -> a[n:1:m]
		bound: a[n:2:m] -> a[n:3:m]
		bound: a[n:2:m] -> a[n:2:(m)-1]`},
	"calls": {body: "g(); defer g(); go g(); x = g(); x := g(); for x = g(); ; x = g() {}", want: `
		call: g() -> left out
		call: defer g() -> left out
		call: go g() -> left out
		call: x = g() -> left out`},
	"calls in a case": {body: "switch x { case 1: x = g() }", want: "call: x = g() -> left out"},
	"calls for their error": {results: "error", body: "if err := g(); err != nil { return err }; return nil", want: `
		call: err := g(); err != nil -> left out
		negate: err != nil -> (err == nil)
		return: return err -> return nil
		return: return nil -> return mutantError{}`},
	"flags": {body: "x = a|b|c; x |= a; x &^= a; x = T{Flags: a}; x = T{Flags: a|b}", want: `
		flag: a|b|c -> a|b
		flag: a|b -> b
		flag: a|b -> a
		flag: x |= a -> left out
		flag: x &^= a -> left out
		flag: Flags: a -> Flags: 0
		flag: a|b -> b
		flag: a|b -> a`},
	"truths": {body: "x = true; x := false; x = T{a: true}; g(false)", want: `
		flag: true -> false
		flag: false -> true
		flag: true -> false
		call: g(false) -> left out
		flag: false -> true`},
	"results": {results: "(int, bool, error)", body: "return 1, true, g(); return 1, a < b, nil; return h()", want: `
		return: return 1, true, g() -> return 1, true, nil
		return: true -> false
		return: return 1, a < b, nil -> return 1, a < b, mutantError{}
		return: a < b -> (a >= b)
		bound: a < b -> a <= b`},
	"results of the innermost function": {results: "error", body: "x := func() bool { return g() }", want: "return: g() -> !(g())"},
	"no result of ours":                 {results: "int", body: "return 1", want: ""},
}

func TestFindMutants(t *testing.T) {
	t.Parallel()
	for name, c := range findings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := strings.ReplaceAll(strings.TrimSpace(c.want), "\t", "")
			require.Equal(t, want, listMutants(t, c.results, c.body))
		})
	}
}

func TestSitesAreNamedByTheirFunction(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "f.go")
	require.NoError(t, os.WriteFile(name, []byte("package p\n\nvar x = g(true)\n\n"+
		"func (a *T) f() { g(); h(); g() }\n\nfunc (a T[K]) f() { g() }\n\nfunc f() { g() }\n"), 0o600))
	found, err := findInFile("p", name)
	require.NoError(t, err)
	var functions []string
	for _, m := range found {
		functions = append(functions, m.Function)
	}
	require.Equal(t, []string{"", "T.f", "T.f", "T.f", "T.f", "f"}, functions)
}

// TestMutantsOfOurPackages parses mutants of the packages that are mutated by default.
func TestMutantsOfOurPackages(t *testing.T) {
	t.Parallel()
	root, err := findRoot(t.Context())
	require.NoError(t, err)
	seen := make(map[Site]bool)
	for _, folder := range packagesByDefault[:4] {
		pkg, err := loadPackage(t.Context(), root, folder)
		require.NoError(t, err)
		found, err := findMutants(pkg)
		require.NoError(t, err)
		for i, m := range found {
			require.NotContains(t, seen, m.Site)
			seen[m.Site] = true
			if i%20 == 0 { // parsing all of them takes seconds
				requireParses(t, m)
			}
		}
	}
	require.Greater(t, len(seen), 3000)
}

// TestEquivalentsAreOfTheCode finds entries that no longer fit the code.
func TestEquivalentsAreOfTheCode(t *testing.T) {
	t.Setenv("CGO_ENABLED", "1") // without cgo most files of ledger/cluster are excluded
	root, err := findRoot(t.Context())
	require.NoError(t, err)
	list, err := readEquivalents(filepath.Join(root, "tools/mutants/equivalents.json"))
	require.NoError(t, err)
	var all []*mutant
	for _, folder := range packagesByDefault {
		pkg, err := loadPackage(t.Context(), root, folder)
		require.NoError(t, err)
		found, err := findMutants(pkg)
		require.NoError(t, err)
		all = append(all, found...)
	}
	require.Empty(t, findStale(list, packagesByDefault, all))
}
