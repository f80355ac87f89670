package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/scripttest"
	"github.com/peerledger/peerledger/settlement/rfc0038/check"
)

// startEngine runs "rfc0038 engine" until the test ends, and returns its URL. The end is checked.
func startEngine(t *testing.T, args ...string) string {
	t.Helper()
	reader, writer := io.Pipe()
	stderr := new(strings.Builder)
	a := &app{stdin: strings.NewReader(""), stdout: writer, stderr: stderr, getenv: func(string) string { return "" }}
	ctx, cancel := context.WithCancel(context.Background())
	status := make(chan int, 1)
	go func() {
		status <- a.runCommand(ctx, append([]string{"rfc0038", "engine", "--address", "127.0.0.1:0", "--json"}, args...))
		_ = writer.Close()
	}()
	var ready engineReady
	if err := json.NewDecoder(reader).Decode(&ready); err != nil {
		require.Fail(t, "engine has ended", "status %d: %s", <-status, stderr)
	}
	t.Cleanup(func() {
		cancel()
		require.Equal(t, statusDone, <-status)
		require.Empty(t, stderr.String())
	})
	return ready.URL
}

func TestCheckOfEngines(t *testing.T) {
	t.Parallel()
	good := startEngine(t, "--folder", filepath.Join(t.TempDir(), "store"), "--rail", filepath.Join(t.TempDir(), "rail"))
	bad := startEngine(t, "--mode", "conflict")
	got := runApp(t, "rfc0038", "check", good)
	require.Equal(t, statusDone, got.status, got.errors+got.out)
	require.Empty(t, got.errors)
	require.Contains(t, got.out, "│ passed  │ settle/repeat            │ must   │ A repeat of a settlement under its key is answered with a 2xx.")
	require.Contains(t, got.out, "skipped: needs a way to restart the subject: give --restart-with\n")
	require.Regexp(t, `\n\d+ passed, 0 failed, 9 skipped\. The program took \d+ settlements of 0\.0000000000000000001\.\n$`, got.out)

	got = runApp(t, "rfc0038", "check", bad)
	require.Equal(t, statusFailed, got.status)
	require.Empty(t, got.errors, "the table has the failures")
	require.Contains(t, got.out, "\nFAILED settle/repeat: want a 2xx, got 409\n  source: RFC 0038, Handling idempotent requests")
	require.Regexp(t, `\n  sent:   POST /accounts/[-0-9a-f]+/settlements Idempotency-Key: [-0-9a-f]+ {"amount":"1","scale":19}\n  seen:   409 application/problem\+json {`, got.out)
	require.Contains(t, got.out, "skipped: needs settle/repeat, which failed\n")
}

func TestCheckInJSON(t *testing.T) {
	t.Parallel()
	got := runApp(t, "rfc0038", "check", startEngine(t, "--mode", "text"), "--json", "--amount", "5", "--scale", "200")
	require.Equal(t, statusFailed, got.status)
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	failed := map[string]bool{}
	for _, line := range lines[:len(lines)-1] {
		var r check.Result
		require.NoError(t, json.Unmarshal([]byte(line), &r), line)
		if r.Outcome == check.Failed {
			failed[r.ID] = true
			require.NotEmpty(t, r.Why)
			require.NotEmpty(t, r.Exchanges)
		}
	}
	require.Equal(t, map[string]bool{"create/id": true, "create/null-id": true, "settle/quantity": true}, failed)
	var sum checkSummary
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &sum))
	require.Equal(t, 3, sum.Failed)
	require.EqualValues(t, 200, sum.Amount.Scale)
	requireObjects(t, "check", got.out)
}

// A connector without an account is checked without bookings, and a token is sent.
func TestCheckOfConnectors(t *testing.T) {
	t.Parallel()
	token, restart := filepath.Join(t.TempDir(), "token"), writeScript(t, "exit 7")
	require.NoError(t, os.WriteFile(token, []byte("secret\n"), 0o600))
	url := startEngine(t, "--token-file", token)
	got := runApp(t, "rfc0038", "check", url, "--role", "connector", "--token-file", token)
	require.Equal(t, statusDone, got.status, got.errors+got.out)
	require.Contains(t, got.out, "skipped: needs an account of the connector: name one with --account\n")
	require.Contains(t, got.out, "The program took 0 settlements")
	require.Equal(t, statusFailed, runApp(t, "rfc0038", "check", url).status, "without the token")
	got = runApp(t, "rfc0038", "check", url, "--token-file", token, "--restart-with", restart, "--only", "restart")
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.out, "FAILED restart: the restart failed: exit status 7")
}

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	for want, args := range map[string][]string{
		"usage: peerledger rfc0038 check url":     {},
		"must be a URL of http or https":          {"localhost:3000"},
		`there is no role "wallet"`:               {"http://127.0.0.1:1", "--role", "wallet"},
		"give both --amount and --scale, or none": {"http://127.0.0.1:1", "--amount", "5"},
		`--amount: "5.5" is no integer`:           {"http://127.0.0.1:1", "--amount", "5.5", "--scale", "2"},
		"must be above 0":                         {"http://127.0.0.1:1", "--amount", "0", "--scale", "2"},
		"is above 200":                            {"http://127.0.0.1:1", "--amount", "1", "--scale", "201"},
		"invalid argument":                        {"http://127.0.0.1:1", "--amount", "1", "--scale", "256"},
		`there is no clause "pay"`:                {"http://127.0.0.1:1", "--only", "pay"},
		"is empty":                                {"http://127.0.0.1:1", "--token-file", empty},
		"no such file":                            {"http://127.0.0.1:1", "--token-file", empty + "er"},
		"give both --listen and --trigger-with":   {"http://127.0.0.1:1", "--listen", "127.0.0.1:0"},
		"takes no --folder":                       {"http://127.0.0.1:1", "--folder", "x"},
	} {
		got := runApp(t, append([]string{"rfc0038", "check"}, args...)...)
		require.Equal(t, statusUsage, got.status, "%v: %s", args, got.errors)
		require.Contains(t, got.errors, want)
		require.Empty(t, got.out)
	}
	got := runApp(t, "rfc0038", "check", "http://"+freeAddress(t))
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.out, "FAILED answers: want any answer, got no answer")
}

func TestEngineRefuses(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		`there is no mode "draft-4"`:             {"--mode", "draft-4"},
		`there is no habit "never"`:              {"--reports", "never"},
		"want account=engine/account":            {"--peer", "alice=bob"},
		"is beyond loopback":                     {"--address", "0.0.0.0:0"},
		"rfc0038 engine takes no --cluster-id":   {"--cluster-id", "7"},
		"--token-file: open /nonexistent: no su": {"--token-file", "/nonexistent"},
	} {
		if args[0] != "--address" {
			args = append(args, "--address", "127.0.0.1:0")
		}
		got := runApp(t, append([]string{"rfc0038", "engine"}, args...)...)
		require.Equal(t, statusUsage, got.status, "%v: %s", args, got.errors)
		require.Contains(t, got.errors, want)
	}
}

// A program steers the engine over HTTP, and two engines trade on the rail in a file.
func TestEngineAsAProgram(t *testing.T) {
	t.Parallel()
	rail := filepath.Join(t.TempDir(), "rail")
	url := startEngine(t, "--rail", rail, "--name", "a", "--peer", "alice=b/carol")
	for path, body := range map[string]string{"/accounts": `{"id":"alice"}`, "/test/payments": `{"account":"alice","id":"p","amount":{"amount":"1","scale":0}}`} {
		response, err := http.Post(url+path, "application/json", strings.NewReader(body)) //nolint:noctx // a test
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, 2, response.StatusCode/100)
	}
	content, err := os.ReadFile(rail)
	require.NoError(t, err)
	require.JSONEq(t, `{"id":"p","from":{"engine":"outside","account":""},"to":{"engine":"a","account":"alice"},"amount":{"amount":"1","scale":0},"key":""}`, string(content))
	script := filepath.Join(t.TempDir(), "true")
	require.NoError(t, scripttest.WriteExecutable(script, "#!/bin/sh\nexit 0\n"))
	got := runApp(t, "rfc0038", "check", url, "--account", "alice", "--restart-with", script)
	require.Equal(t, statusDone, got.status, got.out)
	require.Contains(t, got.out, ", 0 failed, 7 skipped.")
}
