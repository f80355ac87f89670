//go:build unix

package deploy_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/scripttest"
	"github.com/peerledger/peerledger/ledger/cluster"
)

// findTool returns the path of a program, or skips the test. Debian's package has the program.
func findTool(t *testing.T, name, debian string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("needs %s: install it (Debian: %s)", name, debian)
	}
	return path
}

func listScripts(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob("*/*.sh")
	require.NoError(t, err)
	require.Len(t, list, 5)
	return list
}

func TestScriptsParse(t *testing.T) {
	t.Parallel()
	for _, script := range listScripts(t) {
		output, err := exec.CommandContext(t.Context(), "sh", "-n", script).CombinedOutput()
		require.NoError(t, err, "%s: %s", script, output)
		info, err := os.Stat(script)
		require.NoError(t, err)
		require.NotZero(t, info.Mode()&0o100, "%s can be run", script)
	}
}

func TestShellcheck(t *testing.T) {
	t.Parallel()
	output, err := exec.CommandContext(t.Context(), findTool(t, "shellcheck", "shellcheck"), append(listScripts(t), "../.ci/run", "../.ci/install")...).CombinedOutput()
	require.NoError(t, err, string(output))
}

// The gate runs nothing if one of its steps does not exist, and lists the steps.
func TestUnknownStepOfTheGate(t *testing.T) {
	t.Parallel()
	bash := findTool(t, "bash", "bash")
	output, err := exec.CommandContext(t.Context(), bash, "../.ci/run", "gofmt", "nosuch").CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, string(output))
	require.Equal(t, 2, exit.ExitCode(), string(output))
	require.Equal(t, "there is no step nosuch: the steps are gofmt vet modules users nocgo test race lint fuzz bench examples sqlite ordertrace fmt\n", string(output))
}

func TestUnits(t *testing.T) {
	t.Parallel()
	units, err := filepath.Glob("systemd/*.[st][ei][rm]*")
	require.NoError(t, err)
	require.Len(t, units, 4)
	output, _ := exec.CommandContext(t.Context(), findTool(t, "systemd-analyze", "systemd"), append([]string{"verify"}, units...)...).CombinedOutput()
	for line := range strings.Lines(string(output)) {
		// The only accepted complaint: the programs are not installed here.
		require.Regexp(t, `is not executable: No such file or directory$`, strings.TrimSpace(line))
	}
}

// After a killed backup the unit starts the server, which may be stopped. A backup that ended by
// itself, with or without success, has started the server already.
func TestUnitStartsTheServerAgain(t *testing.T) {
	t.Parallel()
	unit := readFile(t, "systemd/peerledger-backup.service")
	require.Contains(t, unit, "\nKillMode=mixed\n", "systemd must not kill the command that starts the server")
	command := regexp.MustCompile(`(?m)^ExecStopPost=/bin/sh -c '(.*)'$`).FindStringSubmatch(unit)
	require.NotNil(t, command)
	bin := t.TempDir()
	require.NoError(t, scripttest.WriteExecutable(filepath.Join(bin, "systemctl"), "#!/bin/sh\necho systemctl $*\n"))
	for result, want := range map[string]string{
		"success": "", "exit-code": "",
		"signal": "systemctl start tigerbeetle@0\n", "oom-kill": "systemctl start tigerbeetle@0\n", "timeout": "systemctl start tigerbeetle@0\n",
	} {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", strings.ReplaceAll(command[1], "$$", "$"))
		cmd.Env = []string{"PATH=" + bin, "SERVICE_RESULT=" + result}
		output, err := cmd.CombinedOutput()
		require.NoError(t, err)
		require.Equal(t, want, string(output), result)
	}
}

// tigerbeetleStub is a tigerbeetle. format writes the arguments into the file, and inspect prints
// them in TigerBeetle's form. With DIES the calling script is killed during the format.
const tigerbeetleStub = `#!/bin/sh
eval "file=\${$#}"
case $1 in
format | recover)
	[ ! -e "$file" ] || { echo "exists" >&2; exit 1; }
	echo "$*" >"$file"
	[ -z "${DIES:-}" ] || kill -9 $PPID
	;;
inspect)
	set -- $(head -c 256 "$file" | sed -n 's/^format --cluster=\([0-9]*\) --replica=\([0-9]*\) --replica-count=\([0-9]*\) .*/\1 \2 \3/p')
	[ $# = 3 ] || exit 134
	echo "|||| vsr_state.checkpoint.header=Prepare{ .checksum=00, .cluster=$1, .size=256 }"
	echo "||__ vsr_state.replica_id=0x0$2"
	for index in 0 1 2 3 4 5; do echo "|||| vsr_state.members[$index]=0x0$index"; done
	echo "|||| vsr_state.replica_count=$3"
	;;
esac
`

// volume is a data volume, with the programs for the scripts.
type volume struct {
	dir    string
	binary string   // the server
	shell  []string // default sh
	path   string   // default PATH
}

func newVolume(t *testing.T) volume {
	t.Helper()
	v := volume{dir: t.TempDir(), binary: filepath.Join(t.TempDir(), "tigerbeetle"), shell: []string{"sh"}, path: os.Getenv("PATH")}
	require.NoError(t, scripttest.WriteExecutable(v.binary, tigerbeetleStub))
	return v
}

// runScript runs a script with variables.
func (v volume) runScript(t *testing.T, script string, variables ...string) (string, error) {
	t.Helper()
	words := strings.Fields(script) // the name and the flags
	args := append(append(v.shell[1:], filepath.Join("scripts", words[0])), words[1:]...)
	cmd := exec.CommandContext(t.Context(), v.shell[0], args...)
	cmd.Env = append([]string{"PATH=" + v.path, "DATA=" + v.dir, "TIGERBEETLE=" + v.binary}, variables...)
	output, err := cmd.CombinedOutput()
	return string(output), err
}

func (v volume) listNames(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(v.dir)
	require.NoError(t, err)
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func newIdentity(cluster string, replica, count int) []string {
	return []string{"CLUSTER_ID=" + cluster, fmt.Sprint("REPLICA=", replica), fmt.Sprint("REPLICA_COUNT=", count)}
}

// testEachBinary runs test with the stub, with the stub on BusyBox (the shell of the server's
// image), and with a real server.
func (v volume) testEachBinary(t *testing.T, test func(t *testing.T, v volume)) {
	t.Helper()
	t.Run("stub", func(t *testing.T) { test(t, v) })
	t.Run("busybox", func(t *testing.T) {
		busybox := findTool(t, "busybox", "busybox")
		path := t.TempDir()
		for _, name := range []string{"sh", "awk", "expr", "head", "mv", "readlink", "rm", "sed", "stat", "sync"} {
			require.NoError(t, os.Symlink(busybox, filepath.Join(path, name)))
		}
		test(t, volume{t.TempDir(), v.binary, []string{busybox, "sh"}, path})
	})
	t.Run("real", func(t *testing.T) {
		binary := os.Getenv("TIGERBEETLE_BINARY")
		if binary == "" {
			var err error
			if binary, err = exec.LookPath("tigerbeetle"); err != nil {
				t.Skip("needs the TigerBeetle binary: download release " + cluster.ClientRelease + " from https://github.com/tigerbeetle/tigerbeetle/releases and name it in TIGERBEETLE_BINARY")
			}
		}
		test(t, volume{t.TempDir(), binary, v.shell, v.path})
	})
}

func TestFormat(t *testing.T) {
	t.Parallel()
	newVolume(t).testEachBinary(t, func(t *testing.T, v volume) {
		t.Helper()
		output, err := v.runScript(t, "format.sh", newIdentity("7", 1, 3)...)
		require.NoError(t, err, output)
		require.Equal(t, []string{"7_1.tigerbeetle"}, v.listNames(t))
		before, err := os.Stat(filepath.Join(v.dir, "7_1.tigerbeetle"))
		require.NoError(t, err)

		output, err = v.runScript(t, "format.sh", newIdentity("7", 1, 3)...)
		require.NoError(t, err, output)
		require.Contains(t, output, "nothing to do")
		after, err := os.Stat(filepath.Join(v.dir, "7_1.tigerbeetle"))
		require.NoError(t, err)
		require.True(t, os.SameFile(before, after))

		for want, variables := range map[string][]string{
			"holds 7_1.tigerbeetle, and 8_1.tigerbeetle was asked for": newIdentity("8", 1, 3),
			"holds 7_1.tigerbeetle, and 7_2.tigerbeetle was asked for": newIdentity("7", 2, 3),
			"of a cluster of 3 replicas, and REPLICA_COUNT is 6":       newIdentity("7", 1, 6),
		} {
			output, err := v.runScript(t, "format.sh", variables...)
			require.Error(t, err, want)
			require.Contains(t, output, want)
			require.Equal(t, []string{"7_1.tigerbeetle"}, v.listNames(t), "nothing was formatted")
		}

		// The file name does not matter: a file may be restored or copied to a wrong place.
		require.NoError(t, os.Rename(filepath.Join(v.dir, "7_1.tigerbeetle"), filepath.Join(v.dir, "8_1.tigerbeetle")))
		output, err = v.runScript(t, "format.sh", newIdentity("8", 1, 3)...)
		require.Error(t, err)
		require.Contains(t, output, "it is of cluster 7 and replica 1 of 3")
		require.NoError(t, os.Rename(filepath.Join(v.dir, "8_1.tigerbeetle"), filepath.Join(v.dir, "7_0.tigerbeetle")))
		output, err = v.runScript(t, "format.sh", newIdentity("7", 0, 3)...)
		require.Error(t, err)
		require.Contains(t, output, "it is of cluster 7 and replica 1 of 3")
	})
}

// The largest id is valid.
func TestFormatTakesTheLargestID(t *testing.T) {
	t.Parallel()
	newVolume(t).testEachBinary(t, func(t *testing.T, v volume) {
		t.Helper()
		for range 2 {
			output, err := v.runScript(t, "format.sh", newIdentity("340282366920938463463374607431768211455", 0, 1)...)
			require.NoError(t, err, output)
		}
	})
}

// A replica that was formatted once and has lost its file is not formatted again.
func TestFormatRemembers(t *testing.T) {
	t.Parallel()
	v, record := newVolume(t), "RECORD="+t.TempDir()
	for range 2 {
		output, err := v.runScript(t, "format.sh", append(newIdentity("7", 1, 3), record)...)
		require.NoError(t, err, output)
	}
	lost := v
	lost.dir = t.TempDir()
	output, err := lost.runScript(t, "format.sh", append(newIdentity("7", 1, 3), record)...)
	require.Error(t, err)
	require.Contains(t, output, "7_1.tigerbeetle was here before")
	require.Contains(t, output, "recover.sh")
	require.Empty(t, lost.listNames(t))
	output, err = lost.runScript(t, "format.sh", append(newIdentity("7", 2, 3), record)...)
	require.NoError(t, err, "a replica without a record is formatted: %s", output)

	// With a new record an existing file is recorded.
	other := t.TempDir()
	output, err = v.runScript(t, "format.sh", append(newIdentity("7", 1, 3), "RECORD="+other)...)
	require.NoError(t, err, output)
	require.FileExists(t, filepath.Join(other, "7_1.tigerbeetle"))
}

// A data file may be a link to a file on a second disk. If that disk is not mounted, the link still
// counts as a data file, and nothing is formatted or recovered. If the file exists, the scripts use
// the file.
func TestLinkedDataFiles(t *testing.T) {
	t.Parallel()
	newVolume(t).testEachBinary(t, func(t *testing.T, v volume) {
		t.Helper()
		disk := filepath.Join(t.TempDir(), "disk")
		for name, want := range map[string]string{
			"7_0.tigerbeetle": "is a link to a file that is not there: " + disk,
			"8_0.tigerbeetle": "the volume holds 8_0.tigerbeetle",
		} {
			link := filepath.Join(v.dir, name)
			require.NoError(t, os.Symlink(disk, link))
			for _, script := range []string{"format.sh", "format.sh --check"} {
				output, err := v.runScript(t, script, newIdentity("7", 0, 1)...)
				require.Error(t, err, output)
				require.Contains(t, output, want)
			}
			output, err := v.runScript(t, "recover.sh", append(newIdentity("7", 0, 3), "ADDRESSES=a")...)
			require.Error(t, err, output)
			require.Contains(t, output, "is a link to a file that is not there: "+disk)
			target, err := os.Readlink(link)
			require.NoError(t, err, "the link is unchanged")
			require.Equal(t, disk, target)
			require.NoFileExists(t, disk)
			require.NoError(t, os.Remove(link))
		}

		output, err := v.runScript(t, "format.sh", newIdentity("7", 0, 1)...)
		require.NoError(t, err, output)
		file := filepath.Join(v.dir, "7_0.tigerbeetle")
		require.NoError(t, os.Rename(file, disk))
		require.NoError(t, os.Symlink(disk, file))
		output, err = v.runScript(t, "format.sh", newIdentity("7", 0, 1)...)
		require.NoError(t, err, output)
		require.Contains(t, output, "nothing to do")
		damageSuperblock(t, disk)
		output, err = v.runScript(t, "format.sh", newIdentity("7", 0, 1)...)
		require.NoError(t, err, output)
		require.Contains(t, output, "cannot be inspected", "the script checks the size of the file, not of the link")
	})
}

// A single node was formatted once, and its disk is not mounted. The error names `peerledger
// restore`, and not recover.sh, which needs a cluster.
func TestSingleNodeIsNotFormattedAgain(t *testing.T) {
	t.Parallel()
	v, record := newVolume(t), "RECORD="+t.TempDir()
	output, err := v.runScript(t, "format.sh", append(newIdentity("7", 0, 1), record)...)
	require.NoError(t, err, output)
	v.dir = t.TempDir()
	output, err = v.runScript(t, "format.sh", append(newIdentity("7", 0, 1), record)...)
	require.Error(t, err)
	require.Contains(t, output, "7_0.tigerbeetle was here before")
	require.Contains(t, output, "peerledger restore")
	require.NotContains(t, output, "recover.sh")
	require.Empty(t, v.listNames(t))
}

// With --check nothing is formatted. The systemd unit of a replica calls format.sh this way.
func TestFormatChecks(t *testing.T) {
	t.Parallel()
	v := newVolume(t)
	output, err := v.runScript(t, "format.sh --check", newIdentity("7", 0, 1)...)
	require.Error(t, err)
	require.Contains(t, output, "7_0.tigerbeetle is not there")
	require.Empty(t, v.listNames(t))
	output, err = v.runScript(t, "format.sh", newIdentity("7", 0, 1)...)
	require.NoError(t, err, output)
	output, err = v.runScript(t, "format.sh --check", newIdentity("7", 0, 1)...)
	require.NoError(t, err, output)
	_, err = v.runScript(t, "format.sh --check", newIdentity("8", 0, 1)...)
	require.Error(t, err)
}

func TestFormatRefusesBadIdentities(t *testing.T) {
	t.Parallel()
	v := newVolume(t)
	for want, variables := range map[string][]string{
		"CLUSTER_ID is ''":         {"REPLICA=0", "REPLICA_COUNT=1"},
		"CLUSTER_ID is '0x7'":      newIdentity("0x7", 0, 1),
		"CLUSTER_ID is '-7'":       newIdentity("-7", 0, 1),
		"CLUSTER_ID is '07'":       newIdentity("07", 0, 1),
		"CLUSTER_ID is '7 '":       newIdentity("7 ", 0, 1),
		"CLUSTER_ID is 0":          newIdentity("0", 0, 1),
		"CLUSTER_ID is 99999":      newIdentity(strings.Repeat("9", 40), 0, 1),
		"456, and must be below":   newIdentity("340282366920938463463374607431768211456", 0, 1), // 2^128
		"REPLICA_COUNT is 7":       newIdentity("7", 0, 7),
		"REPLICA_COUNT is 0":       newIdentity("7", 0, 0),
		"REPLICA is 3":             newIdentity("7", 3, 3),
		"REPLICA is ''":            {"CLUSTER_ID=7", "REPLICA_COUNT=1"},
		"REPLICA_COUNT is 'three'": {"CLUSTER_ID=7", "REPLICA=0", "REPLICA_COUNT=three"},
	} {
		output, err := v.runScript(t, "format.sh", variables...)
		require.Error(t, err, want)
		require.Contains(t, output, want)
		require.Empty(t, v.listNames(t))
	}
}

// A killed format leaves only the temporary file .formatting. The next format replaces .formatting,
// and makes the data file.
func TestInterruptedFormat(t *testing.T) {
	t.Parallel()
	v := newVolume(t)
	_, err := v.runScript(t, "format.sh", append(newIdentity("7", 0, 1), "DIES=1")...)
	require.Error(t, err)
	require.Equal(t, []string{".formatting"}, v.listNames(t))
	output, err := v.runScript(t, "format.sh", newIdentity("7", 0, 1)...)
	require.NoError(t, err, output)
	require.Equal(t, []string{"7_0.tigerbeetle"}, v.listNames(t))
}

// A file with a data file's name and other content is refused, and stays unchanged.
func TestFormatOnADamagedFile(t *testing.T) {
	t.Parallel()
	newVolume(t).testEachBinary(t, func(t *testing.T, v volume) {
		t.Helper()
		file := filepath.Join(v.dir, "7_0.tigerbeetle")
		require.NoError(t, os.WriteFile(file, []byte("hello"), 0o600))
		output, err := v.runScript(t, "format.sh", newIdentity("7", 0, 1)...)
		require.Error(t, err)
		require.Contains(t, output, "cannot be read")
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, "hello", string(content))
	})
}

// damageSuperblock damages the first copy of a data file's superblock.
func damageSuperblock(t *testing.T, path string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	_, err = file.WriteAt(bytes.Repeat([]byte{0xa5}, 4096), 0)
	require.NoError(t, err)
	info, err := file.Stat()
	require.NoError(t, err)
	require.NoError(t, file.Truncate(max(info.Size(), 1<<30+1))) // the stub's file is short
	require.NoError(t, file.Close())
}

// With one damaged copy of a superblock `tigerbeetle inspect` fails. The server repairs the copy at
// its start, so format.sh must not prevent the start.
func TestFormatLeavesRepairsToTheServer(t *testing.T) {
	t.Parallel()
	newVolume(t).testEachBinary(t, func(t *testing.T, v volume) {
		t.Helper()
		output, err := v.runScript(t, "format.sh", newIdentity("7", 0, 1)...)
		require.NoError(t, err, output)
		name := filepath.Join(v.dir, "7_0.tigerbeetle")
		damageSuperblock(t, name)
		output, err = v.runScript(t, "format.sh", newIdentity("7", 0, 1)...)
		require.NoError(t, err, output)
		require.Contains(t, output, "cannot be inspected")
		require.Contains(t, output, "nothing to do")
	})
}

func TestRecover(t *testing.T) {
	t.Parallel()
	v := newVolume(t)
	addresses := "ADDRESSES=10.0.0.1:3001,10.0.0.2:3001,10.0.0.3:3001"
	for want, variables := range map[string][]string{
		"ADDRESSES is not set":       newIdentity("7", 1, 3),
		"has too few other replicas": append(newIdentity("7", 0, 1), addresses),
		"REPLICA_COUNT is not set":   {"CLUSTER_ID=7", "REPLICA=1", addresses},
	} {
		output, err := v.runScript(t, "recover.sh", variables...)
		require.Error(t, err, want)
		require.Contains(t, output, want)
		require.Empty(t, v.listNames(t))
	}
	output, err := v.runScript(t, "recover.sh --check", append(newIdentity("7", 1, 3), addresses)...)
	require.NoError(t, err, output)
	require.Empty(t, v.listNames(t))
	output, err = v.runScript(t, "recover.sh", append(newIdentity("7", 1, 3), addresses)...)
	require.NoError(t, err, output)
	require.Contains(t, readFile(t, filepath.Join(v.dir, "7_1.tigerbeetle")), "recover --cluster=7 --addresses=10.0.0.1:3001,10.0.0.2:3001,10.0.0.3:3001 --replica=1 --replica-count=3 ")

	// An existing file is never replaced.
	output, err = v.runScript(t, "recover.sh", append(newIdentity("7", 1, 3), addresses)...)
	require.Error(t, err)
	require.Contains(t, output, "holds 7_1.tigerbeetle")
}

// waitingComposeStub logs its commands with "begun", and then waits for a file with the command's
// name before it logs the end.
const waitingComposeStub = `#!/bin/sh
[ "$1" != ps ] || exit 0 # no connector
echo "$1 begun" >>"$DIR/log"
while [ ! -e "$DIR/$1" ]; do sleep 0.01; done
echo "$1 done" >>"$DIR/log"
`

// Ctrl-C reaches the whole process group, also several times. During every command of backup.sh an
// interrupt leads to the same end: the stop command finishes, and then the server is started.
func TestInterruptedSingleNodeBackup(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		interrupted []string // commands under way at each interrupt
		want        string
	}{
		"never":                 {nil, "stop begun, stop done, run begun, run done, start begun, start done"},
		"during the stop":       {[]string{"stop"}, "stop begun, stop done, start begun, start done"},
		"during stop and start": {[]string{"stop", "start"}, "stop begun, stop done, start begun, start done"},
		"during the copy":       {[]string{"run"}, "stop begun, stop done, run begun, start begun, start done"},
		"during copy and start": {[]string{"run", "start"}, "stop begun, stop done, run begun, start begun, start done"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			stub := filepath.Join(dir, "compose")
			require.NoError(t, scripttest.WriteExecutable(stub, waitingComposeStub))
			log := func() string {
				content, err := os.ReadFile(filepath.Join(dir, "log"))
				if err != nil {
					return ""
				}
				return strings.ReplaceAll(strings.TrimSpace(string(content)), "\n", ", ")
			}
			script := exec.CommandContext(t.Context(), "sh", "single-node/backup.sh")
			script.Env = append(os.Environ(), "COMPOSE="+stub, "DIR="+dir)
			script.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			require.NoError(t, script.Start())
			for _, step := range []string{"stop", "run", "start"} {
				if !strings.Contains(test.want, step) {
					continue
				}
				require.Eventually(t, func() bool { return strings.Contains(log(), step+" begun") }, 20*time.Second, time.Millisecond, step)
				for _, interrupted := range test.interrupted {
					if interrupted == step {
						require.NoError(t, syscall.Kill(-script.Process.Pid, syscall.SIGINT))
					}
				}
				require.NoError(t, os.WriteFile(filepath.Join(dir, step), nil, 0o600))
			}
			err := script.Wait()
			require.Equal(t, test.interrupted == nil, err == nil, "%v", err)
			require.Equal(t, test.want, log())
		})
	}
}
