package server_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// clusterID is the cluster id of the servers.
const clusterID = 7

// clientTimeout bounds the run of a client's program.
const clientTimeout = 2 * time.Minute

var recordClients = flag.Bool("record-clients", false, "write the Go client's answers of TigerBeetle to testdata/clients/recorded.jsonl")

// scriptClient is one of TigerBeetle's clients. run runs the script on the server at address and returns the lines of
// testdata/clients/README.md, or skips the test if the client is missing.
type scriptClient struct {
	title string
	name  string // in the script
	run   func(t *testing.T, address string) []string
}

var scriptClients = []scriptClient{{"Go", "go", runGoClient}, {"Node", "node", runNodeClient}, {"Python", "python", runPythonClient}}

func runNodeClient(t *testing.T, address string) []string {
	t.Helper()
	folder := os.Getenv("PEERLEDGER_NODE_CLIENT")
	if folder == "" {
		t.Skip("needs TigerBeetle's client for Node: .ci/install node && export PEERLEDGER_NODE_CLIENT=\"$PWD/.bin/node-client\" in the root (an absolute path)")
	}
	if _, err := os.Stat(filepath.Join(folder, "node_modules", "tigerbeetle-node")); err != nil {
		t.Skipf("needs TigerBeetle's client for Node: npm install tigerbeetle-node in the folder of PEERLEDGER_NODE_CLIENT, an absolute path (%v)", err)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skipf("needs Node: install it (Debian: nodejs; %v)", err)
	}
	return runProgram(t, node, "run.mjs", folder, address, strconv.Itoa(clusterID), "script.json")
}

func runPythonClient(t *testing.T, address string) []string {
	t.Helper()
	python := os.Getenv("PEERLEDGER_PYTHON_CLIENT")
	if python == "" {
		t.Skip("needs TigerBeetle's client for Python: .ci/install python && export PEERLEDGER_PYTHON_CLIENT=\"$PWD/.bin/python-client/bin/python\" in the root (an absolute path)")
	}
	if output, err := exec.CommandContext(t.Context(), python, "-c", "import tigerbeetle").CombinedOutput(); err != nil {
		t.Skipf("needs TigerBeetle's client for Python: pip install tigerbeetle for the interpreter of PEERLEDGER_PYTHON_CLIENT, an absolute path (%v: %s)", err, output)
	}
	return runProgram(t, python, "run.py", address, strconv.Itoa(clusterID), "script.json")
}

// runProgram runs a program in testdata/clients and returns the lines that it prints.
func runProgram(t *testing.T, name string, args ...string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), clientTimeout)
	defer cancel()
	var stdout, stderr bytes.Buffer
	program := exec.CommandContext(ctx, name, args...)
	program.Dir, program.Stdout, program.Stderr = clientsFolder, &stdout, &stderr
	err := program.Run()
	require.NoError(t, cmp.Or(ctx.Err(), err), "%s", stderr.String())
	return strings.Split(strings.TrimSpace(stdout.String()), "\n")
}

// requireRecorded compares a client's lines with the recorded lines of the steps that the client runs.
func requireRecorded(t *testing.T, client string, lines []string) {
	t.Helper()
	left := map[string]bool{}
	for _, step := range readScript(t).Steps {
		left[step.Name] = !step.runsOn(client)
	}
	var want []string
	for _, line := range readRecorded(t) {
		if !left[line.step] {
			want = append(want, line.text)
		}
	}
	requireLines(t, want, lines)
}

// requireLines fails the test at the first line that differs.
func requireLines(t *testing.T, want, lines []string) {
	t.Helper()
	for i := range min(len(want), len(lines)) {
		require.Equal(t, want[i], lines[i])
	}
	require.Equal(t, len(want), len(lines), "lines")
}

// recordedLine is a line of testdata/clients/recorded.jsonl.
type recordedLine struct {
	step, text string
}

func readRecorded(t *testing.T) (lines []recordedLine) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(clientsFolder, "recorded.jsonl"))
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		var head struct {
			Step string `json:"step"`
		}
		require.NoError(t, json.Unmarshal([]byte(line), &head))
		lines = append(lines, recordedLine{head.Step, strings.TrimSpace(line)})
	}
	return lines
}
