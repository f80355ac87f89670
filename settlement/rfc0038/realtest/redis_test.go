//go:build unix

package realtest_test

import (
	"encoding/json"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// redisServer is a Redis in memory alone. The test kills engines and connectors, never Redis: Redis is the rail, and a
// rail that forgets payments would be no witness.
type redisServer struct {
	t       *testing.T
	port    int
	cli     string // path of redis-cli
	version string
	server  *program
}

// startRedis starts a redis-server on a free port of 127.0.0.1, or skips the test.
func startRedis(t *testing.T) redisServer {
	t.Helper()
	server, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("needs redis-server: .ci/install debian, or install it (Debian: redis-server)")
	}
	cli, err := exec.LookPath("redis-cli")
	if err != nil {
		t.Skip("needs redis-cli: install it (Debian: redis-tools)")
	}
	r := redisServer{t: t, port: freePort(t), cli: cli}
	r.server = newProgram(t, "redis-server", nil, server, "--bind", "127.0.0.1", "--port", strconv.Itoa(r.port), "--dir", t.TempDir(),
		"--save", "", "--appendonly", "no", "--daemonize", "no", "--logfile", "")
	r.server.start("Ready to accept connections")
	version, err := exec.CommandContext(t.Context(), server, "--version").Output()
	require.NoError(t, err)
	for field := range strings.FieldsSeq(string(version)) { // "Redis server v=7.0.15 sha=..."
		if number, found := strings.CutPrefix(field, "v="); found {
			r.version = number
		}
	}
	return r
}

// read runs a command of Redis, and reads the answer into out.
func (r redisServer) read(database int, out any, command ...string) {
	r.t.Helper()
	args := append([]string{"-h", "127.0.0.1", "-p", strconv.Itoa(r.port), "-n", strconv.Itoa(database), "--json"}, command...)
	answer, err := exec.CommandContext(r.t.Context(), r.cli, args...).Output()
	require.NoError(r.t, err, "%v", command)
	require.NoError(r.t, json.Unmarshal(answer, out), "%v: %s", command, answer)
}

// entry is a payment of the rail, or an amount that settlement-core asked the rail to pay.
type entry struct{ id, account, amount string }

// readStream reads all entries of a stream of the rail.
func (r redisServer) readStream(name string) (entries []entry) {
	r.t.Helper()
	var rows [][2]json.RawMessage
	r.read(0, &rows, "XRANGE", name, "-", "+")
	for _, row := range rows {
		var fields []string
		require.NoError(r.t, json.Unmarshal(row[1], &fields))
		require.Len(r.t, fields, 6)
		entries = append(entries, entry{id: fields[1], account: fields[3], amount: fields[5]})
	}
	return entries
}

// waitForEntry waits until a stream of the rail has an entry.
func (r redisServer) waitForEntry(stream string) {
	r.t.Helper()
	var entries any
	r.read(0, &entries, "XREAD", "COUNT", "1", "BLOCK", strconv.FormatInt(patience.Milliseconds(), 10), "STREAMS", stream, "0")
	require.NotNil(r.t, entries, "%s: no entry within %v", stream, patience)
}

// readRequests reads the settlements that settlement-core has accepted for an account, by key: its own record.
func (r redisServer) readRequests(database int, account string) map[string]string {
	r.t.Helper()
	const script = `local out = {}
		for _, name in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
			out[#out + 1] = string.sub(name, #ARGV[1] + 1)
			out[#out + 1] = redis.call('HGET', name, 'amount')
		end
		return out`
	var flat []string
	r.read(database, &flat, "EVAL", script, "0", "accounts:"+account+":settlement-requests:")
	amounts := map[string]string{}
	for i := 0; i < len(flat); i += 2 {
		amounts[flat[i]] = flat[i+1]
	}
	return amounts
}

// readList reads a list of settlement-core: "queued-settlements", accepted and not yet given to the rail, or
// "uncredited-settlements", refused by the connector.
func (r redisServer) readList(database int, account, name string) (amounts []string) {
	r.t.Helper()
	r.read(database, &amounts, "LRANGE", "accounts:"+account+":"+name, "0", "-1")
	return amounts
}
