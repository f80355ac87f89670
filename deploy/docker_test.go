//go:build cgo && linux

package deploy_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/cluster"
)

// project is a Compose file of this folder under a name of the test's own.
type project struct {
	command []string // docker compose, or a stand-alone one
	file    string
	env     []string
}

// composeCommand is Compose, version 2 or later, or the end of the test.
func composeCommand(t *testing.T) []string {
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
	t.Skip("Docker Compose 2 is missing: neither COMPOSE nor docker compose nor docker-compose is one")
	return nil
}

// newProject is a project that the end of the test takes down, with its volumes.
func newProject(t *testing.T, file string, env ...string) project {
	t.Helper()
	name := strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-")) + fmt.Sprint(os.Getpid())
	p := project{composeCommand(t), file, append(env, "COMPOSE_PROJECT_NAME="+name, "PEERLEDGER_METRICS_PORT=0")}
	image := "ghcr.io/tigerbeetle/tigerbeetle:" + cluster.ClientRelease
	if output, err := exec.CommandContext(t.Context(), "docker", "image", "inspect", image).CombinedOutput(); err != nil {
		t.Skipf("%s is missing: %s", image, output)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		output, err := p.try(ctx, "--profile", "tools", "down", "--volumes")
		require.NoError(t, err, output)
	})
	return p
}

func (p project) try(ctx context.Context, args ...string) (string, error) {
	args = append(append(append([]string{}, p.command[1:]...), "-f", p.file), args...)
	cmd := exec.CommandContext(ctx, p.command[0], args...)
	cmd.Env = append(os.Environ(), p.env...)
	output, err := cmd.CombinedOutput()
	return string(output), err
}

func (p project) do(t *testing.T, args ...string) string {
	t.Helper()
	output, err := p.try(t.Context(), args...)
	require.NoError(t, err, "%v: %s", args, output)
	return output
}

// address is that of a service's container, which this host reaches.
func (p project) address(t *testing.T, service string) string {
	t.Helper()
	container := strings.TrimSpace(p.do(t, "ps", "--all", "--quiet", service))
	output, err := exec.CommandContext(t.Context(), "docker", "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", container).Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(output)) + ":3001"
}

// open opens a ledger.
func open(t *testing.T, id uint64, addresses ...string) *cluster.Ledger {
	t.Helper()
	cfg := cluster.Config{ClusterID: uint128.From64(id), Addresses: addresses, Sessions: 1, OpenTimeout: 30 * time.Second}
	l, err := cluster.Open(t.Context(), cfg)
	require.NoError(t, err)
	return l
}

var account = ledger.Account{ID: ledger.NewID(7, 0), Ledger: 1, Code: 1}

func create(t *testing.T, l *cluster.Ledger) {
	t.Helper()
	results, err := l.CreateAccounts(t.Context(), []ledger.Account{account})
	require.NoError(t, err)
	require.Equal(t, ledger.AccountCreated, results[0].Status)
}

func requireThere(t *testing.T, l *cluster.Ledger) {
	t.Helper()
	rows, err := l.LookupAccounts(t.Context(), []ledger.ID{account.ID})
	require.NoError(t, err)
	require.Len(t, rows, 1)
	require.NoError(t, l.Close())
}

func TestComposeFilesAreValid(t *testing.T) {
	t.Parallel()
	command := composeCommand(t)
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

// A single node: what was written outlives a restart and a kill, and a changed cluster id
// does not start an empty ledger.
func TestSingleNode(t *testing.T) {
	t.Parallel()
	const id = 180150000000000001 // the default, as whoever edits nothing has it
	p := newProject(t, "single-node/compose.yaml")
	p.do(t, "up", "--detach", "--wait", "tigerbeetle")
	l := open(t, id, p.address(t, "tigerbeetle"))
	create(t, l)
	requireThere(t, l)

	p.do(t, "restart", "tigerbeetle")
	requireThere(t, open(t, id, p.address(t, "tigerbeetle")))
	p.do(t, "kill", "tigerbeetle")
	p.do(t, "up", "--detach", "--wait", "tigerbeetle")
	requireThere(t, open(t, id, p.address(t, "tigerbeetle")))

	other := p
	other.env = append([]string{"PEERLEDGER_CLUSTER_ID=99"}, p.env...)
	output, err := other.try(t.Context(), "up", "--detach", "--wait", "tigerbeetle")
	require.Error(t, err, output)
	require.Contains(t, p.do(t, "logs", "format"), "holds 180150000000000001_0.tigerbeetle, and 99_0.tigerbeetle was asked for")
	p.do(t, "up", "--detach", "--wait", "tigerbeetle")
	requireThere(t, open(t, id, p.address(t, "tigerbeetle")))
}

// A backup by Compose's own services is restored into a new volume. It needs the image of
// this repository: docker build -f deploy/Dockerfile -t peerledger:local .
func TestBackupOfASingleNode(t *testing.T) {
	t.Parallel()
	if output, err := exec.CommandContext(t.Context(), "docker", "image", "inspect", "peerledger:local").CombinedOutput(); err != nil {
		t.Skipf("peerledger:local is missing (docker build -f deploy/Dockerfile -t peerledger:local .): %s", output)
	}
	const id = 180150000000000001
	backups := t.TempDir()
	p := newProject(t, "single-node/compose.yaml", "PEERLEDGER_BACKUPS="+backups)
	p.do(t, "up", "--detach", "--wait", "tigerbeetle")
	l := open(t, id, p.address(t, "tigerbeetle"))
	create(t, l)
	require.NoError(t, l.Close())
	output, err := p.try(t.Context(), "run", "--rm", "--no-deps", "-T", "backup")
	require.Error(t, err)
	require.Contains(t, output, "the data file is in use")

	script, err := filepath.Abs("single-node/backup.sh")
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "sh", script)
	cmd.Env = append(append(os.Environ(), p.env...), "COMPOSE="+strings.Join(p.command, " "))
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, string(text))

	p.do(t, "down", "--volumes")
	p.do(t, "run", "--rm", "--no-deps", "-T", "backup", "restore", "/backups", fmt.Sprintf("/data/%d_0.tigerbeetle", id))
	p.do(t, "up", "--detach", "--wait", "tigerbeetle")
	requireThere(t, open(t, id, p.address(t, "tigerbeetle")))
}

// Three replicas go on without one.
func TestCluster(t *testing.T) {
	t.Parallel()
	const id = 180150000000000002
	replicas := []string{"replica-0", "replica-1", "replica-2"}
	addresses := []string{"172.30.9.10:3001", "172.30.9.11:3001", "172.30.9.12:3001"}
	p := newProject(t, "cluster/compose.yaml", "PEERLEDGER_SUBNET=172.30.9", "PEERLEDGER_ADDRESSES="+strings.Join(addresses, ","), "PEERLEDGER_CACHE_GRID=64MiB")
	p.do(t, append([]string{"up", "--detach", "--wait"}, replicas...)...)
	l := open(t, id, addresses...)
	p.do(t, "stop", "replica-1")
	create(t, l)
	requireThere(t, l)
	p.do(t, "start", "replica-1")
	p.do(t, "stop", "replica-2")
	requireThere(t, open(t, id, addresses...))
}
