//go:build cgo && unix

package tigerbeetletest

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/scripttest"
)

// The first TigerBeetle in the order of the package comment is used.
func TestFindServer(t *testing.T) {
	t.Parallel()
	absent := errors.New("not here")
	for _, test := range []struct {
		name           string
		image          error
		variable, path string // binaries; "" if missing
		want           host
		parts          []string
	}{
		{"image first", nil, "/tb", "/usr/bin/tigerbeetle", containers{}, []string{"TigerBeetle: containers of " + Image}},
		{"then the variable", absent, "/tb", "/usr/bin/tigerbeetle", processes{"/tb"}, []string{"processes of /tb, release 0.17.9"}},
		{"then PATH", absent, "", "/usr/bin/tigerbeetle", processes{"/usr/bin/tigerbeetle"}, nil},
		{"another release", absent, "/old", "", processes{"/old"}, []string{"release 0.16.0, though these tests are for 0.17.9"}},
		{
			"none", absent, "", "", nil,
			[]string{"no TigerBeetle to test with: ", "containers: not here; ", "TIGERBEETLE_BINARY is not set; ", "PATH: not here"},
		},
		{"a binary that is none", absent, "/broken", "", nil, []string{"TIGERBEETLE_BINARY: /broken version: no"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := findServer(
				func() error { return test.image },
				func(string) string { return test.variable },
				func(file string) (string, error) {
					if file != "tigerbeetle" {
						return file, nil
					}
					if test.path == "" {
						return "", absent
					}
					return test.path, nil
				},
				func(binary string) (string, error) {
					switch binary {
					case "/broken":
						return "", errors.New("no")
					case "/old":
						return "0.16.0", nil
					}
					return Release, nil
				})
			require.Equal(t, test.want, f.host)
			line, fail := f.describeHost(func(string) string { return "" })
			require.False(t, fail)
			require.NotContains(t, line, "\n")
			for _, parts := range test.parts {
				require.Contains(t, line, parts)
			}
			_, fail = f.describeHost(func(name string) string { return map[string]string{"PEERLEDGER_REQUIRE_CLUSTER": "1"}[name] })
			require.Equal(t, test.want == nil, fail)
		})
	}
}

func TestReadRelease(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "tigerbeetle")
	require.NoError(t, scripttest.WriteExecutable(binary, "#!/bin/sh\necho TigerBeetle version 0.17.9+52ad553\n"))
	release, err := readRelease(binary)
	require.NoError(t, err)
	require.Equal(t, Release, release)
	for _, output := range []string{"", "TigerBeetle", "BusyBox v1.36 sh"} {
		_, err := parseRelease(output)
		require.Error(t, err)
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	s := replicaSpec{
		cluster: uint128.Max, replica: 1, count: 3, development: true,
		addresses: []string{"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"},
	}
	const id = "340282366920938463463374607431768211455"
	require.Equal(t, []string{"format", "--cluster=" + id, "--replica=1", "--replica-count=3", "--development", "f"}, s.formatArgs("f"))
	require.Equal(t, []string{"start", "--addresses=127.0.0.1:1,127.0.0.1:2,127.0.0.1:3", "--development", "f"}, s.startArgs("f"))
	require.Equal(t, id+"_1.tigerbeetle", s.fileName())
	s.development = false
	require.Equal(t, []string{"format", "--cluster=" + id, "--replica=1", "--replica-count=3", "f"}, s.formatArgs("f"))
	require.Equal(t, []string{"start", "--addresses=127.0.0.1:1,127.0.0.1:2,127.0.0.1:3", "--cache-grid=64MiB", "f"}, s.startArgs("f"))
}

func TestFindLastView(t *testing.T) {
	t.Parallel()
	require.Equal(t, 0, findLastView("listening on 127.0.0.1:3000"))
	require.Equal(t, 12, findLastView(`
		info(replica): 0n: transition_to_normal_from_recovering_status: view=2 backup
		info(replica): 0n: transition_to_normal_from_view_change_status: view=9..12 primary
		info(replica): 0n: transition_to_normal_from_view_change_status: view=4..5 backup
		info(replica): 0n: transition_to_view_change_status: view=13..14`))
}

func TestLastLines(t *testing.T) {
	t.Parallel()
	require.Equal(t, "b\nc", lastLines("a\nb\nc\n", 2))
	require.Equal(t, "a", lastLines("a", 2))
}
