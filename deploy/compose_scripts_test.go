//go:build unix

package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/scripttest"
)

// loggingComposeStub is a docker compose that logs its arguments, but for a question about containers, to
// which it answers CONNECTOR. Calls that match FAILS fail, from the FROM-th of these calls on.
const loggingComposeStub = `#!/bin/sh
[ "$1" != ps ] || { echo "$CONNECTOR"; exit 0; }
echo "$*" >>"$CALLS"
case " $* " in
*$FAILS*) [ "$(grep -c -e "$FAILS" "$CALLS")" -lt "${FROM:-1}" ] || { echo "no" >&2; exit 1; } ;;
esac
`

// runScript runs a script with the stub and returns the logged lines and the script's output.
func runScript(t *testing.T, fails, from, script string, args ...string) (calls []string, output string, err error) {
	t.Helper()
	return runScriptBeside(t, "", fails, from, script, args...)
}

// runScriptBeside is runScript beside a connector's container; "" is none.
func runScriptBeside(t *testing.T, connector, fails, from, script string, args ...string) (calls []string, output string, err error) {
	t.Helper()
	stub, log := filepath.Join(t.TempDir(), "compose"), filepath.Join(t.TempDir(), "calls")
	require.NoError(t, scripttest.WriteExecutable(stub, loggingComposeStub))
	require.NoError(t, os.WriteFile(log, nil, 0o600))
	cmd := exec.CommandContext(t.Context(), "sh", append([]string{script}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "COMPOSE=" + stub, "CALLS=" + log, "FAILS=" + fails, "FROM=" + from, "PATIENCE=0", "CONNECTOR=" + connector}
	printed, err := cmd.CombinedOutput()
	return strings.Split(strings.TrimSpace(readFile(t, log)), "\n"), string(printed), err
}

const noMatch = "no call has this text"

// Replicas are restarted one after another, each only when all replicas answer. A replica that does
// not answer again ends the restart.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	const doctor = "run --rm --no-deps -T peerledger doctor --strict"
	up := func(replica string) string { return "up -d --no-deps --force-recreate " + replica }
	calls, output, err := runScript(t, noMatch, "", "cluster/rolling-restart.sh")
	require.NoError(t, err, output)
	require.Equal(t, []string{doctor, up("replica-0"), doctor, up("replica-1"), doctor, up("replica-2"), doctor}, calls)

	calls, output, err = runScript(t, "doctor", "1", "cluster/rolling-restart.sh")
	require.Error(t, err)
	require.Contains(t, output, "not begun")
	require.Equal(t, []string{doctor}, calls)

	calls, output, err = runScript(t, "doctor", "3", "cluster/rolling-restart.sh", "replica-2", "replica-0", "replica-1")
	require.Error(t, err)
	require.Contains(t, output, "stopped: replica-0 is not back")
	require.Equal(t, []string{doctor, up("replica-2"), doctor, up("replica-0"), doctor}, calls)
}

// recover.sh checks the volume before it stops the replica.
func TestRecoverLooksFirst(t *testing.T) {
	t.Parallel()
	calls, output, err := runScript(t, noMatch, "", "cluster/recover.sh", "1")
	require.NoError(t, err, output)
	require.Len(t, calls, 4)
	require.Contains(t, calls[0], "format-1 /scripts/recover.sh --check")
	require.Equal(t, "stop replica-1", calls[1])
	require.Contains(t, calls[2], "replica-1 /scripts/recover.sh")
	require.Contains(t, calls[3], "up -d --no-deps replica-1")

	calls, _, err = runScript(t, "--check", "1", "cluster/recover.sh", "1")
	require.Error(t, err)
	require.Len(t, calls, 1, "after a failed check nothing is stopped")
	calls, _, err = runScript(t, noMatch, "", "cluster/recover.sh", "seven")
	require.Error(t, err)
	require.Equal(t, []string{""}, calls)
}

// backup.sh starts the server again, even after a failure.
func TestBackupStartsTheServerAgain(t *testing.T) {
	t.Parallel()
	for fails, succeeds := range map[string]bool{noMatch: true, "backup": false, "stop": false} {
		calls, output, err := runScript(t, fails, "", "single-node/backup.sh")
		require.Equal(t, succeeds, err == nil, output)
		require.Equal(t, "stop tigerbeetle", calls[0])
		require.Equal(t, "start tigerbeetle", calls[len(calls)-1], "%q fails", fails)
		require.Equal(t, fails != "stop", len(calls) == 3, "%v", calls)
	}
}

// A connector is stopped with the server, its journal is copied with the data file, and both are started
// again, even after a failure.
func TestBackupBesideAConnector(t *testing.T) {
	t.Parallel()
	calls, output, err := runScriptBeside(t, "4b0b16", noMatch, "", "single-node/backup.sh")
	require.NoError(t, err, output)
	require.Equal(t, []string{"stop connector tigerbeetle", "run --rm --no-deps -T backup-with-journal", "start connector tigerbeetle"}, calls)
	calls, _, err = runScriptBeside(t, "4b0b16", "backup", "", "single-node/backup.sh")
	require.Error(t, err)
	require.Equal(t, "start connector tigerbeetle", calls[len(calls)-1])
}
