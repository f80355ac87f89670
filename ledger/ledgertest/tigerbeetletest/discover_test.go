//go:build cgo && unix

package tigerbeetletest

import (
	"errors"
	"os"
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
			[]string{"the TigerBeetle binary or image: download ", "the test needs a real one; ", "containers: not here; ", "TIGERBEETLE_BINARY is not set; ", "PATH: not here"},
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
			h, line, fail := chooseHost(Config{Real: true}, noVariable, func() discovery { return f })
			require.False(t, fail)
			require.Equal(t, test.want, h)
			require.NotContains(t, line, "\n")
			for _, parts := range test.parts {
				require.Contains(t, line, parts)
			}
		})
	}
}

func noVariable(string) string { return "" }

// Without a TigerBeetle one replica is a server in this process, unless the test or
// PEERLEDGER_REQUIRE_CLUSTER demands a real one. PEERLEDGER_TIGERBEETLE chooses the server where it
// can be.
func TestChooseHost(t *testing.T) {
	t.Parallel()
	setVariable := func(name, value string) func(string) string {
		return func(asked string) string { return map[string]string{name: value}[asked] }
	}
	required, chosen := setVariable("PEERLEDGER_REQUIRE_CLUSTER", "1"), setVariable("PEERLEDGER_TIGERBEETLE", "server")
	found, missing := discovery{host: processes{"/tb"}}, discovery{err: errors.New("not here")}
	for _, test := range []struct {
		name   string
		found  discovery
		cfg    Config
		getenv func(string) string
		want   host
		fail   bool
		part   string
	}{
		{"found", found, Config{}, noVariable, processes{"/tb"}, false, ""},
		{"found and required", found, Config{Replicas: 3}, required, processes{"/tb"}, false, ""},
		{"one replica", missing, Config{}, noVariable, inProcess{}, false, "ledger/server in this process"},
		{"one replica, given as 1", missing, Config{Replicas: 1, Production: true}, noVariable, inProcess{}, false, ""},
		{"one replica, required", missing, Config{}, required, nil, true, "the TigerBeetle binary or image: "},
		{"several replicas", missing, Config{Replicas: 2}, noVariable, nil, false, "the test needs 2 replicas; looked for not here"},
		{"several replicas, required", missing, Config{Replicas: 3}, required, nil, true, "the test needs 3 replicas"},
		{"found, but the server is chosen", found, Config{}, chosen, inProcess{}, false, ""},
		{"the server is chosen, but is too little", found, Config{Replicas: 2}, chosen, processes{"/tb"}, false, ""},
		{"the server is chosen, but the test needs a real one", missing, Config{Real: true}, chosen, nil, false, "TigerBeetle binary"},
		{"a real one", missing, Config{Real: true}, noVariable, nil, false, "the test needs a real one"},
	} {
		h, line, fail := chooseHost(test.cfg, test.getenv, func() discovery { return test.found })
		require.Equal(t, test.want, h, test.name)
		require.Equal(t, test.fail, fail, test.name)
		require.Contains(t, line, test.part, test.name)
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

// The gate installs the other languages' clients of the same release.
func TestClientsOfTheRelease(t *testing.T) {
	t.Parallel()
	for file, version := range map[string]string{"python/requirements.txt": "tigerbeetle==" + Release + " ", "node/package.json": `"tigerbeetle-node": "` + Release + `"`} {
		text, err := os.ReadFile(filepath.Join("../../../.ci/clients", file))
		require.NoError(t, err)
		require.Contains(t, string(text), version)
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

// The error of a missing binary names the wrong value of the variable, once.
func TestFindBinary(t *testing.T) {
	t.Parallel()
	missing, text := filepath.Join(t.TempDir(), "nope"), filepath.Join(t.TempDir(), "text")
	require.NoError(t, os.WriteFile(text, nil, 0o600))
	for named, want := range map[string]string{missing: "no such file or directory", text: "permission denied"} {
		_, err := findBinary(named)
		require.ErrorContains(t, err, "the TigerBeetle binary: download ")
		require.ErrorContains(t, err, "(TIGERBEETLE_BINARY="+named+": "+want+")")
	}
	self, err := os.Executable()
	require.NoError(t, err)
	got, err := findBinary(self)
	require.NoError(t, err)
	require.Equal(t, self, got)
}
