package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// runningConsole is a console command in this process.
type runningConsole struct {
	consoleReady

	lines  *bufio.Scanner // of the output
	cancel func()         // asks the command to end
	status chan int       // of the command, when it has ended
	stop   func() int     // ends the command, and returns its status
}

// startConsole starts the command, and waits for its ready line.
func startConsole(t *testing.T, s testLedger, environment map[string]string, args ...string) *runningConsole {
	t.Helper()
	out, in := io.Pipe()
	var complaints bytes.Buffer
	a := &app{stdin: strings.NewReader(""), stdout: in, stderr: &complaints, getenv: func(name string) string { return environment[name] }}
	ctx, cancel := context.WithCancel(t.Context())
	status := make(chan int, 1)
	go func() {
		status <- a.runCommand(ctx, append([]string{"console", "--json", "--config", s.config, "--folder", s.folder}, args...))
		_ = in.Close()
	}()
	c := &runningConsole{lines: bufio.NewScanner(out), cancel: cancel, status: status}
	ended := false
	c.stop = func() int {
		cancel()
		for c.lines.Scan() { // a link may be on its way
			continue
		}
		ended = true
		return <-status
	}
	t.Cleanup(func() {
		if !ended {
			c.stop()
		}
	})
	if !c.lines.Scan() {
		require.Fail(t, "the console has ended", complaints.String())
	}
	require.NoError(t, json.Unmarshal(c.lines.Bytes(), &c.consoleReady))
	return c
}

// logIn opens the link, and posts the token that its form has.
func logIn(t *testing.T, browser *http.Client, link, origin string) *http.Response {
	t.Helper()
	here, err := url.Parse(link)
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, origin+"/login", strings.NewReader(url.Values{"token": {here.Query().Get("token")}}.Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", origin)
	answer, err := browser.Do(r)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	return answer
}

func newTestBrowser(t *testing.T, transport *http.Transport) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Jar: jar, Transport: transport}
}

func readPage(t *testing.T, browser *http.Client, address string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	answer, err := browser.Do(r)
	require.NoError(t, err)
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusOK, answer.StatusCode, string(text))
	return string(text)
}

// The console shows the configured peers, prints a new link after each log-in, and ends with an open
// stream.
func TestConsole(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	c := startConsole(t, s, nil, "--address", "127.0.0.1:0")
	require.True(t, strings.HasPrefix(c.Login, "http://"+c.Address+"/login?token="), c.Login)
	browser := newTestBrowser(t, &http.Transport{})
	require.Equal(t, http.StatusOK, logIn(t, browser, c.Login, "http://"+c.Address).StatusCode)
	require.True(t, c.lines.Scan())
	var next consoleReady
	require.NoError(t, json.Unmarshal(c.lines.Bytes(), &next))
	require.NotEqual(t, c.Login, next.Login)
	require.Equal(t, http.StatusForbidden, logIn(t, newTestBrowser(t, &http.Transport{}), c.Login, "http://"+c.Address).StatusCode)
	readPage(t, browser, next.Login) // leads to the first page, and uses the link up
	require.True(t, c.lines.Scan())
	require.Equal(t, http.StatusForbidden, logIn(t, newTestBrowser(t, &http.Transport{}), next.Login, "http://"+c.Address).StatusCode)

	require.Regexp(t, `(?m)^alice,USD/2,active,-30\.01,`, readPage(t, browser, "http://"+c.Address+"/peers.csv"))
	require.Contains(t, readPage(t, browser, "http://"+c.Address+"/orders"), "No order is open")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+c.Address+"/events", nil)
	require.NoError(t, err)
	stream, err := browser.Do(r)
	require.NoError(t, err)
	require.Equal(t, statusDone, c.stop())
	_, err = io.Copy(io.Discard, stream.Body)
	require.NoError(t, err)
	require.NoError(t, stream.Body.Close())
	s.runOK(t, "balances") // the folder is free
}

// The console's page of health has what doctor finds in the books of the folder that the console has open.
func TestConsoleHealth(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.runOK(t, "adjust", "debit", "bob@USD", "7", "--key", "a", "--reason", "1", "--beyond-headroom", "--yes")
	c := startConsole(t, s, nil, "--address", "127.0.0.1:0")
	browser := newTestBrowser(t, &http.Transport{})
	logIn(t, browser, c.Login, "http://"+c.Address)
	table := readPage(t, browser, "http://"+c.Address+"/health.csv")
	require.Contains(t, table, "code,level,subject,found,cause,remedy\n")
	require.Contains(t, table, ",warning,books in USD/2,bob 7.00 USD,")
	require.Contains(t, table, ",ok,books in EUR/2,")
	require.NotContains(t, table, "problem", "the folder in use is this one")
	require.Equal(t, statusDone, c.stop())
}

// A socket file is the owner's alone. A dead one is replaced, and a file that is no socket is left alone.
func TestConsoleOnASocket(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	folder, err := os.MkdirTemp("", "console") //nolint:usetesting // t.TempDir may be too long for a socket
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	file := filepath.Join(folder, "s")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: file, Net: "unix"})
	require.NoError(t, err)
	dead.SetUnlinkOnClose(false)
	require.NoError(t, dead.Close())
	c := startConsole(t, s, map[string]string{consoleTokenEnv: "a secret of some length, in a file"}, "--unix-socket", file)
	require.Equal(t, "http://localhost/login", c.Login, "no secret is printed")
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Zero(t, info.Mode().Perm()&0o077, "nobody else can ever connect: no later chmod is needed")
	browser := newTestBrowser(t, &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", file)
	}})
	require.Equal(t, http.StatusOK, logIn(t, browser, "http://localhost/?token="+url.QueryEscape("a secret of some length, in a file"), "http://localhost").StatusCode)
	require.Contains(t, readPage(t, browser, "http://localhost/peers"), "alice")
	require.Equal(t, statusDone, c.stop())

	require.NoError(t, os.WriteFile(file, []byte("books"), 0o600))
	got := s.runCommand(t, "console", "--unix-socket", file)
	require.Equal(t, statusFailed, got.status, got.errors)
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "books", string(content))

	// A socket that refuses for another reason than a dead owner is left alone: here it is of another kind.
	require.NoError(t, os.Remove(file))
	other, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: file, Net: "unixgram"})
	require.NoError(t, err)
	defer func() { _ = other.Close() }()
	got = s.runCommand(t, "console", "--unix-socket", file)
	require.Equal(t, statusFailed, got.status, got.errors)
	require.Contains(t, got.errors, "give another file")
	_, err = os.Lstat(file)
	require.NoError(t, err)
}

// A stopped terminal takes no further link, and the command still ends.
func TestConsoleEndsWithAStoppedOutput(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	c := startConsole(t, s, nil, "--address", "127.0.0.1:0")
	require.Equal(t, http.StatusOK, logIn(t, newTestBrowser(t, &http.Transport{}), c.Login, "http://"+c.Address).StatusCode)
	c.cancel()
	select {
	case status := <-c.status:
		require.Equal(t, statusDone, status)
		c.status <- status // for the end of the test
	case <-time.After(20 * time.Second):
		require.Fail(t, "the command waits for its output")
	}
}

// Beyond loopback the console needs a word of the operator on how it is protected.
func TestConsoleRefusesToBeRemote(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	for _, test := range []struct{ args, complaint string }{
		{"--address 0.0.0.0:0", "beyond loopback"},
		{"--address :0", "beyond loopback"},
		{"--address 0.0.0.0:0 --allow-remote", consoleTokenEnv},
		{"--address 127.0.0.1", "--address"},
		{"--public-url ops.example", "PublicURL"},
		{"--host ops.example:80", "Hosts"},
		{"--every 1ms", "--every"},
		{"--address 127.0.0.1:0 --unix-socket x", "unix-socket"},
	} {
		got := s.runCommand(t, append([]string{"console"}, strings.Fields(test.args)...)...)
		require.Equal(t, statusUsage, got.status, "%s: %s", test.args, got.errors)
		require.Contains(t, got.errors, test.complaint)
	}
	c := startConsole(t, s, nil, "--address", "127.0.0.1:0", "--allow-remote", "--public-url", "https://ops.example/books")
	require.True(t, strings.HasPrefix(c.Login, "https://ops.example/books/login?token="), c.Login)
}
