//go:build cgo && unix

package tigerbeetletest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"
)

// host runs replicas, as processes or as containers.
type host interface {
	// createServer formats the data file of a replica, and prepares its process or container.
	createServer(ctx context.Context, spec replicaSpec) (server, error)
}

// server runs one replica. Each method returns when its action is complete. Only removeServer
// deletes the data.
type server interface {
	startServer(ctx context.Context) error
	stopServer(ctx context.Context) error // like an operator
	killServer(ctx context.Context) error
	pauseServer(ctx context.Context) error
	resumeServer(ctx context.Context) error
	readLog(ctx context.Context) (string, error)
	removeServer(ctx context.Context) error
}

// replicaSpec is the configuration of one replica.
type replicaSpec struct {
	cluster        uint128.Uint128
	replica, count int
	development    bool
	addresses      []string // of all replicas, as seen from this replica
}

// cacheGrid is enough cache for tests, instead of a gigabyte.
const cacheGrid = "64MiB"

func (s replicaSpec) formatArgs(path string) []string {
	args := []string{
		"format", "--cluster=" + s.cluster.String(),
		"--replica=" + strconv.Itoa(s.replica), "--replica-count=" + strconv.Itoa(s.count),
	}
	if s.development {
		args = append(args, "--development")
	}
	return append(args, path)
}

func (s replicaSpec) startArgs(path string) []string {
	args := []string{"start", "--addresses=" + strings.Join(s.addresses, ",")}
	if s.development {
		args = append(args, "--development")
	} else {
		args = append(args, "--cache-grid="+cacheGrid)
	}
	return append(args, path)
}

// fileName returns the name of the data file according to TigerBeetle's documentation.
func (s replicaSpec) fileName() string { return fmt.Sprintf("%v_%d.tigerbeetle", s.cluster, s.replica) }

// actionTimeout bounds an action on a replica.
const actionTimeout = time.Minute

// Replica is one replica of a [Cluster]. Each method returns when its action is complete, and fails
// the test if the action fails. The methods must not be called concurrently.
type Replica struct {
	t       testing.TB
	server  server
	index   int
	address string
	running bool
	paused  bool
}

// Start starts the replica again with its old data. Start returns when the process runs;
// [Cluster.Ready] waits until the cluster answers.
func (r *Replica) Start() {
	r.t.Helper()
	require.False(r.t, r.running, "replica %d runs", r.index)
	r.mustDo("start", r.server.startServer)
	r.running = true
}

// Stop ends the replica like an operator, with SIGTERM.
func (r *Replica) Stop() { r.t.Helper(); r.endServer("stop", r.server.stopServer) }

// Kill ends the replica with SIGKILL.
func (r *Replica) Kill() { r.t.Helper(); r.endServer("kill", r.server.killServer) }

func (r *Replica) endServer(verb string, action func(context.Context) error) {
	r.t.Helper()
	require.True(r.t, r.running, "replica %d does not run", r.index)
	if r.paused && verb == "stop" {
		r.Resume() // a paused process handles no SIGTERM
	}
	r.mustDo(verb, action)
	r.running, r.paused = false, false
}

// Pause freezes the replica: its connections stay open, but it does nothing.
func (r *Replica) Pause() {
	r.t.Helper()
	require.True(r.t, r.running && !r.paused, "replica %d does not run", r.index)
	r.mustDo("pause", r.server.pauseServer)
	r.paused = true
}

// Resume lets a paused replica go on.
func (r *Replica) Resume() {
	r.t.Helper()
	require.True(r.t, r.paused, "replica %d is not paused", r.index)
	r.mustDo("resume", r.server.resumeServer)
	r.paused = false
}

// Addr returns the address of the replica itself, "127.0.0.1:port". Connections to this address
// bypass the proxies and their faults.
func (r *Replica) Addr() string { return r.address }

// Running reports whether the replica was started, and not stopped or killed since. A paused
// replica is running.
func (r *Replica) Running() bool { return r.running }

// Log returns everything that the replica has logged since its creation.
func (r *Replica) Log() string {
	r.t.Helper()
	text, err := r.readLog()
	require.NoError(r.t, err)
	return text
}

func (r *Replica) readLog() (text string, err error) {
	err = r.tryAction("read the log of", func(ctx context.Context) (err error) {
		text, err = r.server.readLog(ctx)
		return err
	})
	return text, err
}

// readLastLines returns the end of the log, or the error of reading the log, for a failure message.
func (r *Replica) readLastLines(n int) string {
	text, err := r.readLog()
	if err != nil {
		return err.Error()
	}
	return lastLines(text, n)
}

func (r *Replica) mustDo(verb string, action func(context.Context) error) {
	r.t.Helper()
	require.NoError(r.t, r.tryAction(verb, action))
}

func (r *Replica) tryAction(verb string, action func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), actionTimeout) // also in Cleanup, when the test's context has ended
	defer cancel()
	if err := action(ctx); err != nil {
		return fmt.Errorf("%s replica %d: %w", verb, r.index, err)
	}
	return nil
}
