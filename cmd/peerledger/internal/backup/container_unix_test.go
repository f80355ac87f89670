//go:build unix

package backup

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/scripttest"
	"github.com/peerledger/peerledger/internal/vsr/vsrtest"
	"github.com/peerledger/peerledger/ledger"
)

// dockerStub replaces docker. Each container is a file in the folder. A file "<command>-waits"
// makes a command wait until the file is removed; a file "<command>-fails" makes it fail after its
// work. A slow daemon makes containers, and continues when the command is killed.
const dockerStub = `#!/bin/sh
cd "$DOCKER_STUB" || exit 1
command=$1
case $command in
create) name=$3 ;;
*) for name; do :; done ;;
esac
[ ! -e "$command-waits" ] || echo >"$command-begun"
while [ "$command" != create ] && [ -e "$command-waits" ]; do sleep 0.01; done
case $command in
create)
	[ ! -e "container-$name" ] || { echo "Conflict: the name is in use" >&2; exit 1; }
	if command -v setsid >/dev/null; then
		setsid sh -c 'while [ -e create-waits ]; do sleep 0.01; done; sleep 0.2; : >"container-$0"; : >create-done' "$name" >/dev/null 2>&1
	else
		: >"container-$name"
	fi
	;;
start) [ -e "container-$name" ] || exit 1 ;;
port) echo 127.0.0.1:1 ;;
rm)
	[ -e "container-$name" ] || { echo "Error: No such container: $name" >&2; exit 1; }
	rm "container-$name"
	;;
esac
[ ! -e "$command-fails" ]
`

// installDockerStub puts the stub on PATH.
func installDockerStub(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	bin := t.TempDir()
	require.NoError(t, scripttest.WriteExecutable(filepath.Join(bin, "docker"), dockerStub))
	t.Setenv("DOCKER_STUB", dir)
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	return dir
}

func listContainers(t *testing.T, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "container-*"))
	require.NoError(t, err)
	return list
}

// writeCopy writes a copy like one of Verify.
func writeCopy(t *testing.T) (file string) {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "backups", verifyPrefix+"1")
	require.NoError(t, os.MkdirAll(folder, 0o700))
	file = filepath.Join(folder, "7_0.tigerbeetle")
	vsrtest.DataFile(t, file, superblock)
	return file
}

func failToOpen(context.Context, uint128.Uint128, string) (ledger.Ledger, error) {
	return nil, errors.New("no ledger")
}

// Whatever fails, and whenever it is interrupted, no container is left.
//
//nolint:paralleltest // PATH is of the whole process
func TestContainersAreRemoved(t *testing.T) {
	for name, test := range map[string]struct {
		fails, interrupted string // a command
	}{
		"no image":                     {fails: "image"}, // the image is pulled
		"made, with an error":          {fails: "create"},
		"does not start":               {fails: "start"},
		"has no port":                  {fails: "port"},
		"has no ledger":                {},
		"interrupted while it is made": {interrupted: "create"},
		"interrupted while it starts":  {interrupted: "start"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := installDockerStub(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if test.fails != "" {
				require.NoError(t, os.WriteFile(filepath.Join(dir, test.fails+"-fails"), nil, 0o600))
			}
			waits := filepath.Join(dir, test.interrupted+"-waits")
			if test.interrupted != "" {
				require.NoError(t, os.WriteFile(waits, nil, 0o600))
			}
			ended := make(chan error)
			file := writeCopy(t)
			go func() {
				_, _, err := Container("image", failToOpen)(ctx, file)
				ended <- err
			}()
			if test.interrupted != "" {
				require.Eventually(t, func() bool { return fileExists(filepath.Join(dir, test.interrupted+"-begun")) }, 20*time.Second, time.Millisecond)
				cancel()
				require.NoError(t, os.Remove(waits))
			}
			require.Error(t, <-ended)
			if test.interrupted == "create" {
				if _, err := exec.LookPath("setsid"); err != nil {
					t.Skipf("needs setsid: install it (Debian: util-linux; %v)", err)
				}
				require.Eventually(t, func() bool { return fileExists(filepath.Join(dir, "create-done")) }, 20*time.Second, time.Millisecond)
			}
			require.Empty(t, listContainers(t, dir))
		})
	}
}

// The container of a verification that was killed is removed by the next one, and the
// containers of other backups stay.
//
//nolint:paralleltest // PATH is of the whole process
func TestContainerOfAKilledVerification(t *testing.T) {
	dir := installDockerStub(t)
	file := writeCopy(t)
	other := containerName(writeCopy(t))
	for _, name := range []string{containerName(file), other} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "container-"+name), nil, 0o600))
	}
	next := filepath.Join(filepath.Dir(filepath.Dir(file)), verifyPrefix+"2", "7_0.tigerbeetle")
	_, _, err := Container("image", failToOpen)(t.Context(), next)
	require.ErrorContains(t, err, "7_0.tigerbeetle")
	require.Equal(t, []string{filepath.Join(dir, "container-"+other)}, listContainers(t, dir))
}

// The same with Docker, of which the stub knows only what it was told.
func TestContainersOfDocker(t *testing.T) {
	t.Parallel()
	if err := exec.CommandContext(t.Context(), "docker", "info").Run(); err != nil {
		t.Skipf("needs a Docker engine: install and start one (Debian: docker.io; docker info: %v)", err)
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "sleeper.go"), []byte("package main\n\nimport \"time\"\n\nfunc main() { time.Sleep(time.Minute) }\n"), 0o600))
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "sleeper"), filepath.Join(dir, "sleeper.go"))
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	output, err := build.CombinedOutput()
	require.NoError(t, err, string(output))
	for name, entry := range map[string]string{"starts": "/sleeper", "does not start": "/missing"} {
		image := "peerledger-test:" + strings.ReplaceAll(name, " ", "-")
		output, err := exec.CommandContext(t.Context(), "sh", "-c", "tar -C "+dir+" -c sleeper | docker import --change 'ENTRYPOINT [\""+entry+"\"]' - "+image).CombinedOutput()
		require.NoError(t, err, string(output))
		for _, after := range []time.Duration{time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Minute} {
			ctx, cancel := context.WithTimeout(t.Context(), after)
			file := writeCopy(t)
			_, _, err := Container(image, failToOpen)(ctx, file)
			cancel()
			require.Error(t, err)
			left, err := exec.CommandContext(t.Context(), "docker", "ps", "--all", "--quiet", "--filter", "name="+containerName(file)).Output()
			require.NoError(t, err)
			require.Empty(t, string(left), "%s, interrupted after %v", name, after)
		}
		require.NoError(t, exec.CommandContext(t.Context(), "docker", "image", "rm", image).Run())
	}
}
