package main

import (
	"context"
	"go/token"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestReadNotice(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		output, want string
		stops        bool
	}{
		"a failure":           {"=== x\n    --- FAIL: TestA/b (0.00s)\n--- FAIL: TestA (0.00s)\n", "TestA/b", true},
		"a panic":             {"panic: no\n\ngoroutine 1\npanic: later\n", "panic: no", false},
		"a failure by panic":  {"--- FAIL: TestA (0.00s)\npanic: no\n", "TestA", true},
		"a fatal error":       {"fatal error: all goroutines are asleep - deadlock!\n", "fatal error: all goroutines are asleep - deadlock!", false},
		"no failure":          {"PASS\n", "", false},
		"a line without end":  {"--- FAIL: TestA (0.00s)", "TestA", true},
		"a line that is long": {strings.Repeat("x", 1<<17) + "\n--- FAIL: TestA (0.00s)\n", "TestA", true},
	} {
		stopped := false
		require.Equal(t, c.want, readDetection(strings.NewReader(c.output), func() { stopped = true }), name)
		require.Equal(t, c.stops, stopped, name)
	}
}

func TestPortions(t *testing.T) {
	t.Parallel()
	var tests []test
	for _, took := range []time.Duration{1, 300, 600, 700, 4000, 9000, 9001} {
		tests = append(tests, test{Took: took * time.Millisecond})
	}
	var sizes []int
	for _, p := range splitTests(tests) {
		sizes = append(sizes, len(p))
	}
	require.Equal(t, []int{3, 2, 2}, sizes)
	require.Equal(t, [][]test{nil}, splitTests(nil))
}

func TestReach(t *testing.T) {
	t.Parallel()
	const profile = "mode: set\nm/p/f.go:3.10,5.2 1 1\nm/p/f.go:5.2,9.3 2 0\nm/p/f.go:10.1,12.2 1 0\nm/q/f.go:1.1,99.2 1 1\n"
	all, executed, err := readProfile(strings.NewReader(profile), "m/p")
	require.NoError(t, err)
	require.Len(t, all["f.go"], 3)
	s := &suite{Blocks: all, Tests: []test{{Name: "TestA", Blocks: executed}, {Name: "TestB"}}}
	reached := func(line, column int) int {
		at := token.Position{Line: line, Column: column}
		near, far := s.splitByReach(&mutant{Site: Site{File: "f.go"}, pos: at, function: [2]token.Position{{Line: 3, Column: 1}, {Line: 9, Column: 3}}})
		require.Len(t, far, len(s.Tests)-len(near))
		return len(near)
	}
	require.Equal(t, 1, reached(4, 1))
	require.Equal(t, 0, reached(5, 2), "a block ends before its end")
	require.Equal(t, 1, reached(3, 9), "what is in no block is executed with its function")

	_, _, err = readProfile(strings.NewReader("m/p/f.go:3.10 1 1\n"), "m/p")
	require.ErrorContains(t, err, "coverage profile")
}

// Tests run on a server in their process, whatever TigerBeetle the machine has.
func TestTestEnvironment(t *testing.T) {
	t.Parallel()
	environment := []string{"HOME=/", "TIGERBEETLE_BINARY=/tb", "TIGERBEETLE_ADDRESSES=3000", "PEERLEDGER_REQUIRE_CLUSTER=1", "PEERLEDGER_TIGERBEETLE=", "PATH=/bin"}
	before := slices.Clone(environment)
	require.Equal(t, []string{"HOME=/", "TIGERBEETLE_ADDRESSES=3000", "PEERLEDGER_TIGERBEETLE=", "PATH=/bin", "PEERLEDGER_TIGERBEETLE=server"},
		testEnvironment(environment)) // of two values, exec.Cmd takes the last
	require.Equal(t, before, environment)
}

// TestBroken tries a mutant that does not compile.
func TestBroken(t *testing.T) {
	t.Parallel()
	root, err := findRoot(t.Context())
	require.NoError(t, err)
	pkg, err := loadPackage(t.Context(), root, small)
	require.NoError(t, err)
	found, err := findMutants(pkg)
	require.NoError(t, err)
	m := found[0]
	m.text = "nothing"
	r, err := (&testRunner{root: root, dir: t.TempDir(), maxSlowdown: 1}).tryMutant(t.Context(), m, map[string]*suite{small: {pkg: pkg}})
	require.NoError(t, err)
	require.Equal(t, broken, r.Outcome)
	require.Equal(t, "undefined: nothing", r.By)
}

func TestCancelledTrialIsNoResult(t *testing.T) {
	t.Parallel()
	root, err := findRoot(t.Context())
	require.NoError(t, err)
	pkg, err := loadPackage(t.Context(), root, small)
	require.NoError(t, err)
	found, err := findMutants(pkg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = (&testRunner{root: root, dir: t.TempDir(), maxSlowdown: 1}).tryMutant(ctx, found[0], map[string]*suite{small: {pkg: pkg}})
	require.ErrorIs(t, err, context.Canceled)
}
