//go:build cgo && linux

package deploy_test

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/cluster"
)

// project is a Compose file of this folder with a project name for one test.
type project struct {
	name    string
	command []string // docker compose, or docker-compose
	file    string
	env     []string
}

// findCompose returns the command of Compose, version 2 or later, or skips the test.
func findCompose(t *testing.T) []string {
	t.Helper()
	for _, command := range [][]string{strings.Fields(os.Getenv("COMPOSE")), {"docker", "compose"}, {"docker-compose"}} {
		if len(command) == 0 {
			continue
		}
		output, err := exec.CommandContext(t.Context(), command[0], append(command[1:], "version", "--short")...).Output()
		if err == nil && !strings.HasPrefix(strings.TrimPrefix(string(output), "v"), "1.") {
			return command
		}
	}
	t.Skip("needs Docker Compose 2: install Docker's plugin or docker-compose, or name the command in COMPOSE")
	return nil
}

// newProject returns a project. The end of the test takes it down, with its volumes.
func newProject(t *testing.T, file string, env ...string) project {
	t.Helper()
	name := strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-")) + fmt.Sprint(os.Getpid())
	p := project{name, findCompose(t), file, append(env, "COMPOSE_PROJECT_NAME="+name, "PEERLEDGER_METRICS_PORT=0")}
	needTigerBeetleImage(t)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		output, err := p.runCompose(ctx, "--profile", "tools", "down", "--volumes")
		require.NoError(t, err, output)
	})
	return p
}

func hasImage(t *testing.T, image string) bool {
	t.Helper()
	return exec.CommandContext(t.Context(), "docker", "image", "inspect", image).Run() == nil
}

// needTigerBeetleImage skips the test without a Docker engine that has TigerBeetle's image.
func needTigerBeetleImage(t *testing.T) {
	t.Helper()
	image := cmp.Or(os.Getenv("PEERLEDGER_TIGERBEETLE_IMAGE"), "ghcr.io/tigerbeetle/tigerbeetle:"+cluster.ClientRelease)
	if !hasImage(t, image) {
		t.Skip("needs the TigerBeetle image: start a Docker engine, then docker pull " + image)
	}
}

// needOwnImage skips the test without the image of this repository. All its tests need TigerBeetle's
// image too.
func needOwnImage(t *testing.T) {
	t.Helper()
	needTigerBeetleImage(t)
	if image := cmp.Or(os.Getenv("PEERLEDGER_IMAGE"), "peerledger:local"); !hasImage(t, image) {
		t.Skipf("needs the image %s: docker build -f deploy/Dockerfile -t %[1]s .", image)
	}
}

func (p project) runCompose(ctx context.Context, args ...string) (string, error) {
	args = append(append(append([]string{}, p.command[1:]...), "-f", p.file), args...)
	cmd := exec.CommandContext(ctx, p.command[0], args...)
	cmd.Env = append(os.Environ(), p.env...)
	output, err := cmd.CombinedOutput()
	return string(output), err
}

// runScript runs a script in the folder of the Compose file.
func (p project) runScript(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(filepath.Dir(p.file), name))
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = append(append(os.Environ(), p.env...), "COMPOSE="+strings.Join(p.command, " "))
	output, err := cmd.CombinedOutput()
	return string(output), err
}

func (p project) mustRunCompose(t *testing.T, args ...string) string {
	t.Helper()
	output, err := p.runCompose(t.Context(), args...)
	require.NoError(t, err, "%v: %s", args, output)
	return output
}

// findAddress returns the address of a service's container, as reached from this host.
func (p project) findAddress(t *testing.T, service string) string {
	t.Helper()
	container := strings.TrimSpace(p.mustRunCompose(t, "ps", "--all", "--quiet", service))
	output, err := exec.CommandContext(t.Context(), "docker", "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", container).Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(output)) + ":3001"
}

// openCluster opens a cluster.
func openCluster(t *testing.T, id uint64, addresses ...string) *cluster.Ledger {
	t.Helper()
	cfg := cluster.Config{ClusterID: uint128.From64(id), Addresses: addresses, Sessions: 1, OpenTimeout: 30 * time.Second}
	l, err := cluster.Open(t.Context(), cfg)
	require.NoError(t, err)
	return l
}

var account = ledger.Account{ID: ledger.NewID(7, 0), Ledger: 1, Code: 1}

func createAccount(t *testing.T, l *cluster.Ledger) {
	t.Helper()
	results, err := l.CreateAccounts(t.Context(), []ledger.Account{account})
	require.NoError(t, err)
	require.Equal(t, ledger.AccountCreated, results[0].Status)
}

func requireAccount(t *testing.T, l *cluster.Ledger) {
	t.Helper()
	rows, err := l.LookupAccounts(t.Context(), []ledger.ID{account.ID})
	require.NoError(t, err)
	require.Len(t, rows, 1)
	require.NoError(t, l.Close())
}

func TestComposeFilesAreValid(t *testing.T) {
	t.Parallel()
	command := findCompose(t)
	for _, args := range [][]string{
		{"-f", "single-node/compose.yaml"},
		{"-f", "single-node/compose.yaml", "-f", "single-node/compose.monitoring.yaml"},
		{"-f", "cluster/compose.yaml"},
		{"-f", "cluster/compose.yaml", "-f", "cluster/compose.six.yaml", "--env-file", "cluster/six.env"},
		{"-f", "monitoring/compose.yaml"},
	} {
		output, err := exec.CommandContext(t.Context(), command[0], append(append(append([]string{}, command[1:]...), args...), "config", "--quiet")...).CombinedOutput()
		require.NoError(t, err, "%v: %s", args, output)
		require.Empty(t, string(output), args)
	}
}

// On a single node the rows outlive a restart and a kill. After a change of the cluster id no empty
// ledger starts.
func TestSingleNode(t *testing.T) {
	t.Parallel()
	const id = 180150000000000001 // the default
	p := newProject(t, "single-node/compose.yaml")
	p.mustRunCompose(t, "up", "--detach", "--wait", "tigerbeetle")
	l := openCluster(t, id, p.findAddress(t, "tigerbeetle"))
	createAccount(t, l)
	requireAccount(t, l)

	p.mustRunCompose(t, "restart", "tigerbeetle")
	requireAccount(t, openCluster(t, id, p.findAddress(t, "tigerbeetle")))
	p.mustRunCompose(t, "kill", "tigerbeetle")
	p.mustRunCompose(t, "up", "--detach", "--wait", "tigerbeetle")
	requireAccount(t, openCluster(t, id, p.findAddress(t, "tigerbeetle")))

	other := p
	other.env = append([]string{"PEERLEDGER_CLUSTER_ID=99"}, p.env...)
	output, err := other.runCompose(t.Context(), "up", "--detach", "--wait", "tigerbeetle")
	require.Error(t, err, output)
	require.Contains(t, p.mustRunCompose(t, "logs", "format"), "holds 180150000000000001_0.tigerbeetle, and 99_0.tigerbeetle was asked for")
	p.mustRunCompose(t, "up", "--detach", "--wait", "tigerbeetle")
	requireAccount(t, openCluster(t, id, p.findAddress(t, "tigerbeetle")))
}

// The steps of a new user: the connector becomes ready, the operator's command finds no problem,
// and the connector's books add up at its end.
func TestSingleNodeWithTheConnector(t *testing.T) {
	t.Parallel()
	needOwnImage(t)
	p := newProject(t, "single-node/compose.yaml")
	p.mustRunCompose(t, "up", "--detach", "--wait", "--no-build")
	p.mustRunCompose(t, "run", "--rm", "-T", "peerledger", "doctor", "--json")
	require.Contains(t, p.mustRunCompose(t, "run", "--rm", "-T", "peerledger", "balances"), "alice")

	p.mustRunCompose(t, "up", "--detach", "--wait", "--no-build") // again: no change
	require.Contains(t, p.mustRunCompose(t, "logs", "format"), "nothing to do")

	p.mustRunCompose(t, "stop", "connector")
	require.Contains(t, p.mustRunCompose(t, "logs", "connector"), "the books add up")
}

// A backup by Compose's own services is restored into a new volume. The test needs the image of
// this repository: docker build -f deploy/Dockerfile -t peerledger:local .
func TestBackupOfASingleNode(t *testing.T) {
	t.Parallel()
	needOwnImage(t)
	const id = 180150000000000001
	backups := t.TempDir()
	p := newProject(t, "single-node/compose.yaml", "PEERLEDGER_BACKUPS="+backups)
	p.mustRunCompose(t, "up", "--detach", "--wait", "tigerbeetle")
	l := openCluster(t, id, p.findAddress(t, "tigerbeetle"))
	createAccount(t, l)
	require.NoError(t, l.Close())
	output, err := p.runCompose(t.Context(), "run", "--rm", "--no-deps", "-T", "backup")
	require.Error(t, err)
	require.Contains(t, output, "the data file is in use")

	output, err = p.runScript(t, "backup.sh")
	require.NoError(t, err, output)

	p.mustRunCompose(t, "down", "--volumes")
	p.mustRunCompose(t, "run", "--rm", "--no-deps", "-T", "backup", "restore", "/backups", fmt.Sprintf("/data/%d_0.tigerbeetle", id))
	p.mustRunCompose(t, "up", "--detach", "--wait", "tigerbeetle")
	requireAccount(t, openCluster(t, id, p.findAddress(t, "tigerbeetle")))
}

// A cluster of three runs with two replicas, also during a restart and a recovery.
func TestCluster(t *testing.T) {
	t.Parallel()
	const id = 180150000000000002
	replicas := []string{"replica-0", "replica-1", "replica-2"}
	subnet := fmt.Sprintf("10.213.%d", 8+os.Getpid()%240) // for this process, to avoid the default subnet
	addresses := []string{subnet + ".10:3001", subnet + ".11:3001", subnet + ".12:3001"}
	p := newProject(t, "cluster/compose.yaml", "PEERLEDGER_SUBNET="+subnet, "PEERLEDGER_ADDRESSES="+strings.Join(addresses, ","), "PEERLEDGER_CACHE_GRID=64MiB")
	p.mustRunCompose(t, append([]string{"up", "--detach", "--wait"}, replicas...)...)
	l := openCluster(t, id, addresses...)
	p.mustRunCompose(t, "stop", "replica-1")
	createAccount(t, l)
	requireAccount(t, l)
	p.mustRunCompose(t, "start", "replica-1")
	p.mustRunCompose(t, "stop", "replica-2")
	requireAccount(t, openCluster(t, id, addresses...))
	t.Run("restarted one by one", func(t *testing.T) { //nolint:paralleltest // on the same replicas
		needOwnImage(t)
		testRollingRestart(t, p)
		requireAccount(t, openCluster(t, id, addresses...))
	})
	t.Run("one lost and recovered", func(t *testing.T) { //nolint:paralleltest // on the same replicas
		testLostReplica(t, p)
		p.mustRunCompose(t, "stop", "replica-0") // the two running replicas include the recovered one
		requireAccount(t, openCluster(t, id, addresses...))
	})
}

// testRollingRestart restarts all replicas. REQUIRES: replica-2 is stopped.
func testRollingRestart(t *testing.T, p project) {
	t.Helper()
	output, err := p.runScript(t, "rolling-restart.sh")
	require.Error(t, err, "replica-2 is down already")
	require.Contains(t, output, "not begun")
	p.mustRunCompose(t, "start", "replica-2")
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		output, err := p.runCompose(t.Context(), "run", "--rm", "--no-deps", "-T", "peerledger", "doctor", "--strict")
		assert.NoError(c, err, output)
	}, 2*time.Minute, 3*time.Second)
	before := p.mustRunCompose(t, "ps", "--quiet")
	output, err = p.runScript(t, "rolling-restart.sh")
	require.NoError(t, err, output)
	for _, container := range strings.Fields(before) {
		require.NotContains(t, p.mustRunCompose(t, "ps", "--quiet"), container, "every container is new")
	}
}

func testLostReplica(t *testing.T, p project) {
	t.Helper()
	p.mustRunCompose(t, "up", "--detach", "--wait", "replica-0", "replica-1", "replica-2")
	output, err := p.runScript(t, "recover.sh", "1")
	require.Error(t, err)
	require.Contains(t, output, "the volume holds")
	require.Contains(t, p.mustRunCompose(t, "ps", "--status", "running", "replica-1"), "replica-1", "a replica with its file keeps running")

	p.mustRunCompose(t, "rm", "--stop", "--force", "format-1", "replica-1")
	require.NoError(t, exec.CommandContext(t.Context(), "docker", "volume", "rm", p.name+"_data-1").Run())
	output, err = p.runCompose(t.Context(), "up", "--detach", "--wait", "replica-1")
	require.Error(t, err, "it must not be formatted again: %s", output)
	require.Contains(t, p.mustRunCompose(t, "logs", "format-1"), "was here before")

	output, err = p.runScript(t, "recover.sh", "1")
	require.NoError(t, err, output)
	require.Contains(t, output, "made 180150000000000002_1.tigerbeetle")
	p.mustRunCompose(t, "up", "--detach", "--wait", "replica-1")
	require.NotContains(t, p.mustRunCompose(t, "logs", "format-1"), "cannot be inspected", "format.sh can inspect a recovered file")
}
