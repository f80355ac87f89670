//go:build cgo && unix

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/scripttest"
	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
)

const tigerbeetleModule = "github.com/tigerbeetle/tigerbeetle-go"

// modulePort matches the port that the module's tests give to their server. The test replaces
// it: port 3000 may be in use on a machine with other programs.
var modulePort = regexp.MustCompile(`(?m)^(\tTIGERBEETLE_PORT +)= "3000"$`)

// The public tests of TigerBeetle's Go client pass against peerledger serve, every test. The tests
// start a program named tigerbeetle, here a wrapper of peerledger serve.
func TestTestsOfTheGoClient(t *testing.T) {
	t.Parallel()
	output, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", tigerbeetleModule).Output()
	require.NoError(t, err)
	root := t.TempDir()
	// The tests look for ../../../tigerbeetle.
	folder := filepath.Join(root, "clients", "go", "module")
	copyModule(t, strings.TrimSpace(string(output)), folder)
	replacePort(t, filepath.Join(folder, "tb_client_test.go"))
	writeWrapper(t, filepath.Join(root, "tigerbeetle"))

	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	tests := exec.CommandContext(ctx, "go", "test", "-v", "-count=1", "-timeout=3m", ".")
	tests.Dir, tests.Env = folder, append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	output, err = tests.CombinedOutput()
	require.NoError(t, err, "%s", output)
	for _, name := range []string{
		"TestClient/can_create_accounts", "TestClient/can_create_concurrent_linked_chains", "TestClient/can_submit_concurrent_requests",
		"TestClient/can_query_transfers_for_an_account", "TestClient/get_change_events", "TestClient/invalid_query_filters",
		"TestClient/accept_zero-length_lookup_transfers", "TestImportedFlag/can_import_accounts_and_transfers", "Test_ID",
	} {
		require.Contains(t, string(output), "--- PASS: "+name+" ", "%s", output)
	}
	require.NotContains(t, string(output), "--- SKIP")
	t.Log(strings.Count(string(output), "--- PASS"), "tests passed, none failed and none was skipped")
}

// copyModule copies the sources of a module, writable. A module without dependencies needs no
// network.
func copyModule(t *testing.T, from, to string) {
	t.Helper()
	require.NotEmpty(t, from, "the module's source is missing")
	require.NoError(t, os.CopyFS(to, os.DirFS(from)))
	require.NoError(t, filepath.WalkDir(to, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chmod(path, 0o700) //nolint:gosec // folders too
	}))
}

// replacePort replaces the port in the source of the tests by a free port.
func replacePort(t *testing.T, path string) {
	t.Helper()
	_, port, err := net.SplitHostPort(tigerbeetletest.FindFreeAddress(t))
	require.NoError(t, err)
	source, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Len(t, modulePort.FindAll(source, -1), 1)
	source = modulePort.ReplaceAll(source, []byte(fmt.Sprintf(`${1}= "%s"`, port)))
	require.NoError(t, os.WriteFile(path, source, 0o600))
}

// writeWrapper writes the program tigerbeetle.
func writeWrapper(t *testing.T, path string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, scripttest.WriteExecutable(path, fmt.Sprintf("#!/bin/sh\nexec env %s=tigerbeetle '%s' \"$@\"\n", runAsEnv, self)))
}
