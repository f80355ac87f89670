package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/internal/vsr/vsrtest"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// running is a "peerledger serve" in the test's process.
type running struct {
	ready  string // the ready line
	stderr *strings.Builder
	stop   func() (status int)
}

// startApp runs serve until stop is called.
func startApp(t *testing.T, args ...string) running {
	t.Helper()
	reader, writer := io.Pipe()
	r := running{stderr: new(strings.Builder)}
	a := &app{stdin: strings.NewReader(""), stdout: writer, stderr: r.stderr, getenv: func(string) string { return "" }}
	ctx, cancel := context.WithCancel(t.Context())
	status := make(chan int, 1)
	go func() {
		status <- a.runCommand(ctx, append([]string{"serve"}, args...))
		_ = writer.Close()
	}()
	r.stop = func() int {
		cancel()
		return <-status
	}
	text := make([]byte, 4096)
	n, err := reader.Read(text) // the line is one write
	if err != nil {
		require.Fail(t, "serve has ended", "status %d: %s", r.stop(), r.stderr)
	}
	r.ready = string(text[:n])
	return r
}

func TestReadyLine(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "books")
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "^Ready: cluster 0 on 127.0.0.1:[1-9][0-9]*, TigerBeetle 0.17.9's protocol, ledger in memory; one process without replication.\n$"},
		{[]string{"--folder", folder, "--cluster-id", "7"}, "^Ready: cluster 7 on .*, ledger new in " + folder + "; one process without replication.\n$"},
		{[]string{"--folder", folder, "--cluster-id", "7"}, "^Ready: cluster 7 on .*, ledger in " + folder + "; one process without replication.\n$"},
		{[]string{"--json"}, `^{"json":1,"address":"127.0.0.1:\d+","cluster_id":"0","release":"0.17.9","folder":"","new":true,"batch_max":8189,"replicas":1}` + "\n$"},
		{[]string{"--json", "--development", "--cluster-id", "340282366920938463463374607431768211455"}, `"cluster_id":"340282366920938463463374607431768211455".*"batch_max":253`},
	} {
		r := startApp(t, append(c.args, "--address", "127.0.0.1:0")...)
		require.Regexp(t, c.want, r.ready)
		require.Equal(t, statusDone, r.stop(), r.stderr)
		require.Empty(t, r.stderr.String())
	}
}

// The default limit of requests is production's, and that of --development is the one of
// TigerBeetle's flag. A server answers with the limit when a session is opened.
func TestRequestLimitOfServe(t *testing.T) {
	t.Parallel()
	for want, args := range map[uint32][]string{
		1<<20 - vsr.HeaderSize:  {"--json", "--address", "127.0.0.1:0"},
		32<<10 - vsr.HeaderSize: {"--json", "--address", "127.0.0.1:0", "--development"},
	} {
		r := startApp(t, args...)
		var line ready
		require.NoError(t, json.Unmarshal([]byte(r.ready), &line))
		require.Equal(t, want, register(t, line.Address))
		require.Equal(t, statusDone, r.stop(), r.stderr)
	}
}

func TestServeRefuses(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer busy.Close() //nolint:errcheck // a test's listener
	_, busyPort, err := net.SplitHostPort(busy.Addr().String())
	require.NoError(t, err)
	used, file := filepath.Join(t.TempDir(), "used"), filepath.Join(t.TempDir(), "file")
	l, err := embedded.Open(used)
	require.NoError(t, err)
	defer l.Close() //nolint:errcheck // a test's ledger
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, c := range []struct {
		status int
		want   string
		args   []string
	}{
		{statusFailed, "address already in use; for a free port give port 0", []string{"--address", busy.Addr().String()}},
		{statusFailed, "--address 127.0.0.1:" + busyPort + ": ", []string{"--address", busyPort}},
		{statusUsage, "missing port", []string{"--address", "127.0.0.1"}},
		{statusUsage, "invalid port", []string{"--address", "127.0.0.1:99999"}},
		{statusUsage, "nobody.invalid", []string{"--address", "nobody.invalid:1"}},
		{statusUsage, "is beyond loopback, and the protocol has no authentication and no encryption", []string{"--address", ":0"}},
		{statusUsage, "give an address such as 127.0.0.1:3001, or --allow-remote", []string{"--address", ":3001"}},
		{statusUsage, "is beyond loopback", []string{"--address", "0.0.0.0:0"}},
		{statusUsage, "is beyond loopback", []string{"--address", "[::]:0"}},
		{statusUsage, `cluster id "seven" is not`, []string{"--cluster-id", "seven"}},
		{statusNoAnswer, "peerledger: another process has the folder open: " + used + "\n", []string{"--folder", used}},
		{statusNoAnswer, "One process at a time uses a folder", []string{"--folder", used}},
		{statusUsage, "is a file", []string{"--folder", file}},
		{statusUsage, "peerledger: the parent folder " + filepath.Join(used, "no") + " does not exist: create it first\n", []string{"--folder", filepath.Join(used, "no", "such") + "/"}},
		{statusUsage, "peerledger: serve takes no --addresses: --address is the address to listen on\n", []string{"--addresses", "3001"}},
		{statusUsage, "peerledger: unknown flag: --port; peerledger serve --help lists the flags\n", []string{"--port", "3001"}},
		{statusFailed, "corrupt", []string{"--folder", corruptFolder(t)}},
	} {
		args := []string{"serve"}
		if c.args[0] != "--address" {
			args = append(args, "--address", "127.0.0.1:0")
		}
		got := runApp(t, append(args, c.args...)...)
		require.Equal(t, c.status, got.status, "%v: %s", c.args, got.errors)
		require.Contains(t, got.errors, c.want)
		require.Empty(t, got.out, "%v", c.args)
	}
}

// The hint about a free port is for an address in use alone.
func TestServeOnAnAddressOfAnotherHost(t *testing.T) {
	t.Parallel()
	got := runApp(t, "serve", "--allow-remote", "--address", "192.0.2.1:3001") // an address of documents
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "--address 192.0.2.1:3001: ")
	require.NotContains(t, got.errors, "free port")
}

// The help of serve has the flags that serve takes, with the defaults that serve has.
func TestHelpOfServe(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"serve", "--help"}, {"help", "serve"}} {
		got := runApp(t, args...)
		require.Equal(t, statusDone, got.status)
		_, flags, found := strings.Cut(got.out, "\nFlags:\n")
		require.True(t, found, got.out)
		for _, taken := range []string{"--address ", "--folder folder ", "--cluster-id id ", "--json ", "--development ", "--allow-remote "} {
			require.Equal(t, 1, strings.Count("\n"+flags, "\n      "+taken), "%s: %s", taken, got.out)
		}
		for _, refused := range []string{"--addresses", "--config", "--timeout", "$"} {
			require.NotContains(t, got.out, refused)
		}
	}
	require.Contains(t, runApp(t, "doctor", "--help").out, "--addresses", "the flag stays in the help of others")
}

func TestServeBeyondLoopbackWarns(t *testing.T) {
	t.Parallel()
	r := startApp(t, "--address", "0.0.0.0:0", "--allow-remote")
	require.Equal(t, statusDone, r.stop())
	require.Contains(t, r.stderr.String(), "level=WARN")
	require.Contains(t, r.stderr.String(), "the protocol has no authentication and no encryption")
}

// register opens a session of cluster 0 by hand, and returns the largest body of a request, in
// bytes.
func register(t *testing.T, address string) uint32 {
	t.Helper()
	body := make([]byte, 256)
	header := vsr.Request{Release: vsr.NewRelease(0, 17, 9), Client: uint128.From64(4711), Operation: vsr.OperationRegister}.
		Encode(uint128.Zero, body)
	client := vsrtest.Dial(t, address)
	client.Write(header[:], body)
	_, answer := client.Read()
	return binary.LittleEndian.Uint32(answer)
}
