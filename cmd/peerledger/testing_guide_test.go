//go:build cgo && unix

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
)

// guideAddress is the address in the programs of docs/testing.md.
const guideAddress = "127.0.0.1:3000"

// guideProgram is a program of docs/testing.md. find returns the command that runs the source, or
// skips the test.
type guideProgram struct {
	language string // of the code block
	find     func(ctx context.Context, t *testing.T, source string) *exec.Cmd
	partial  bool // the output has more lines than the document
}

// Every program of docs/testing.md prints against peerledger serve what the document shows.
func TestProgramsOfTheGuide(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/testing.md")
	require.NoError(t, err)
	for heading, program := range map[string]guideProgram{
		"Node":     {"js", findNode, false},
		"Python":   {"python", findPython, false},
		"Go":       {"go", findGo, false},
		"The repl": {"sh", findRepl, true},
	} {
		t.Run(heading, func(t *testing.T) {
			t.Parallel()
			source, want := readGuide(t, string(text), heading, program.language)
			s := startServe(t, nil)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := program.find(ctx, t, strings.ReplaceAll(source, guideAddress, s.Address))
			var complaints strings.Builder
			cmd.Stderr = &complaints
			out, err := cmd.Output()
			require.NoError(t, err, "%s%s", out, complaints.String())
			if program.partial {
				require.Contains(t, string(out), want)
			} else {
				require.Equal(t, want, string(out))
			}
			require.NoError(t, s.process.Process.Signal(syscall.SIGTERM))
			require.Equal(t, statusDone, s.wait(t), s.stderr)
		})
	}
}

// readGuide returns the first program below a heading, and the output that follows the program.
func readGuide(t *testing.T, text, heading, language string) (source, output string) {
	t.Helper()
	_, section, found := strings.Cut(text, "\n## "+heading+"\n")
	require.True(t, found, heading)
	blocks := regexp.MustCompile("(?ms)^```" + language + "\n(.*?)^```$.*?^```text\n(.*?)^```$").FindStringSubmatch(section)
	require.Len(t, blocks, 3, heading)
	require.Contains(t, blocks[1], guideAddress)
	return blocks[1], blocks[2]
}

// writeSource writes a program into a folder of its own.
func writeSource(t *testing.T, name, source string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(source), 0o600))
	return path
}

func findNode(ctx context.Context, t *testing.T, source string) *exec.Cmd {
	t.Helper()
	folder := os.Getenv("PEERLEDGER_NODE_CLIENT") // has node_modules/tigerbeetle-node
	if folder == "" {
		t.Skip("needs TigerBeetle's client for Node: .ci/install node && export PEERLEDGER_NODE_CLIENT=\"$PWD/.bin/node-client\" in the root (an absolute path)")
	}
	cmd := exec.CommandContext(ctx, "node", writeSource(t, "program.js", source))
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(folder, "node_modules"))
	return cmd
}

func findPython(ctx context.Context, t *testing.T, source string) *exec.Cmd {
	t.Helper()
	python := os.Getenv("PEERLEDGER_PYTHON_CLIENT") // a Python with the package tigerbeetle
	if python == "" {
		t.Skip("needs TigerBeetle's client for Python: .ci/install python && export PEERLEDGER_PYTHON_CLIENT=\"$PWD/.bin/python-client/bin/python\" in the root (an absolute path)")
	}
	return exec.CommandContext(ctx, python, writeSource(t, "program.py", source))
}

// findGo runs the program with the modules of this repository.
func findGo(ctx context.Context, t *testing.T, source string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(ctx, "go", "run", writeSource(t, "main.go", source))
}

func findRepl(ctx context.Context, t *testing.T, source string) *exec.Cmd {
	t.Helper()
	binary, err := tigerbeetletest.FindBinary()
	if err != nil {
		t.Skip("needs " + err.Error())
	}
	source = strings.ReplaceAll(source, "tigerbeetle repl", "'"+binary+"' repl")
	return exec.CommandContext(ctx, "sh", "-e", writeSource(t, "program.sh", source))
}
