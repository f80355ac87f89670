package monitoring_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A packet in the format of TigerBeetle's src/trace/statsd.zig, and its metrics in Prometheus.
func TestBridge(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("statsd_exporter")
	if err != nil {
		t.Skip("needs statsd_exporter: go install github.com/prometheus/statsd_exporter@v0.31.0")
	}
	udp, web := findFreePort(t, "udp"), findFreePort(t, "tcp")
	ctx, cancel := context.WithCancel(t.Context())
	var log bytes.Buffer
	bridge := exec.CommandContext(ctx, path, "--statsd.mapping-config=statsd-mapping.yml",
		"--statsd.listen-udp="+udp, "--statsd.listen-tcp=", "--web.listen-address="+web)
	bridge.Stdout, bridge.Stderr = &log, &log
	require.NoError(t, bridge.Start())
	defer func() {
		cancel()
		var ended *exec.ExitError
		if err := bridge.Wait(); err != nil && !errors.As(err, &ended) {
			t.Error(err, log.String())
		}
	}()
	metrics := func() string { return getURL(t, "http://"+web+"/metrics") }
	require.Eventually(t, func() bool { return metrics() != "" }, 10*time.Second, 20*time.Millisecond)

	const tags = "|#cluster:0000000000000000000000000000000a,replica:2"
	lines := []string{
		"tb.replica_status:0|g" + tags,
		"tb.clock_delta_ns:-12|g" + tags,
		"tb.table_count_visible:3|g" + tags + ",tree:transfers.id",
		"tb.replica_request_us.min:100|g" + tags + ",operation:create_transfers",
		"tb.replica_request_us.max:500000|g" + tags + ",operation:create_transfers",
		"tb.replica_request_us.avg:450|g" + tags + ",operation:create_transfers",
		"tb.replica_request_us.sum:3000000|c" + tags + ",operation:create_transfers",
		"tb.replica_request_us.count:2000|c" + tags + ",operation:create_transfers",
		"somebody.else:1|c",
	}
	conn, err := net.Dial("udp", udp)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	for range 2 { // two intervals
		_, err = conn.Write([]byte(strings.Join(lines, "\n") + "\n"))
		require.NoError(t, err)
	}
	const labels = `{cluster="0000000000000000000000000000000a",`
	for _, want := range []string{
		"tb_replica_status" + labels + `replica="2"} 0`,
		"tb_table_count_visible" + labels + `replica="2",tree="transfers.id"} 3`,
		"tb_replica_request_seconds_max" + labels + `operation="create_transfers",replica="2"} 0.5`,
		"tb_replica_request_seconds_sum" + labels + `operation="create_transfers",replica="2"} 6`,
		"tb_replica_request_seconds_count" + labels + `operation="create_transfers",replica="2"} 4000`,
	} {
		require.Eventually(t, func() bool { return strings.Contains(metrics(), want+"\n") }, 10*time.Second, 20*time.Millisecond, want)
	}
	text := metrics()
	require.NotContains(t, text, "clock_delta", "negative gauges are changes")
	require.NotContains(t, text, "somebody")
	known := listServerMetrics(t)
	for line := range strings.Lines(text) {
		if name, _, _ := strings.Cut(line, "{"); strings.HasPrefix(line, "tb_") {
			require.True(t, known[name], "%s is not in testdata/tigerbeetle-metrics.txt", name)
		}
	}
}

// findFreePort returns an address of this machine that was free a moment ago.
func findFreePort(t *testing.T, network string) string {
	t.Helper()
	if network == "udp" {
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		require.NoError(t, err)
		defer func() { _ = conn.Close() }()
		return fmt.Sprint(conn.LocalAddr())
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// getURL returns the body of an answer, or "" after an error.
func getURL(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return ""
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return ""
	}
	return string(text)
}
