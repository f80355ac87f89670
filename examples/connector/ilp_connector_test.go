package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/ilp"
)

// The parties of the tests with npm's ilp-connector 23.0.2 and ilp-plugin-btp 1.5.0: a left connector
// of ours logs in at the ilp-connector in the middle, and that logs in at a right connector of ours,
// over a proxy. testdata has the files of docs/btp.md; the tests replace the ports.
type parties struct {
	left, right *network
	proxy       *proxy
	admin       string // of the middle
}

// ilpConnectorFolder returns the folder with the npm packages, or skips the test.
func ilpConnectorFolder(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("PEERLEDGER_ILP_CONNECTOR")
	if folder == "" {
		t.Skip("needs npm's ilp-connector: .ci/install ilp_connector && export PEERLEDGER_ILP_CONNECTOR=\"$PWD/.bin/ilp-connector\" in the root (an absolute path)")
	}
	for _, name := range []string{"ilp-connector", "ilp-plugin-btp"} {
		text, err := os.ReadFile(filepath.Join(folder, "node_modules", name, "package.json"))
		if err != nil {
			t.Skipf("needs npm's ilp-connector: npm install ilp-connector@23.0.2 ilp-plugin-btp@1.5.0 in the folder of PEERLEDGER_ILP_CONNECTOR, an absolute path (%v)", err)
		}
		var about struct {
			Version string `json:"version"`
		}
		require.NoError(t, json.Unmarshal(text, &about))
		t.Logf("took part: %s %s", name, about.Version)
	}
	return folder
}

// freePort returns a port of loopback that was free a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	return port
}

// readTestdata reads a file of testdata with other ports.
func readTestdata(t *testing.T, name string, ports *strings.Replacer) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return ports.Replace(string(text))
}

// readConfig reads a network file of testdata with other ports.
func readConfig(t *testing.T, name string, ports *strings.Replacer) networkConfig {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(readTestdata(t, name, ports)), 0o600))
	cfg, err := readNetwork(path)
	require.NoError(t, err)
	return *cfg
}

// middleCommand is the shell command of docs/btp.md that starts the ilp-connector.
const middleCommand = "set -a && . ./middle.env && node node_modules/ilp-connector"

// startMiddle starts the ilp-connector with the environment of a shell file.
func startMiddle(t *testing.T, folder, environment string, more ...string) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skipf("needs Node: install it (Debian: nodejs; %v)", err)
	}
	path := filepath.Join(t.TempDir(), "middle.env")
	require.NoError(t, os.WriteFile(path, []byte(environment), 0o600))
	command := strings.NewReplacer("./middle.env", "'"+path+"'", "node node_modules", "exec node node_modules").Replace(middleCommand)
	var output bytes.Buffer
	middle := exec.Command("sh", "-c", command) // a variable of the environment below stays if the file does not set it
	middle.Dir, middle.Stdout, middle.Stderr = folder, &output, &output
	middle.Env = append(os.Environ(), more...)
	require.NoError(t, middle.Start())
	t.Cleanup(func() {
		_ = middle.Process.Kill() // an error means that it has ended
		_ = middle.Wait()         // killed
		if t.Failed() {
			text := output.String()
			t.Log(text[max(0, len(text)-20_000):])
		}
	})
}

// startParties starts all three and waits for their links.
func startParties(t *testing.T, environment ...string) *parties {
	t.Helper()
	folder := ilpConnectorFolder(t)
	middlePort, adminPort := freePort(t), freePort(t)
	p := new(parties)
	p.right = startNetwork(t, readConfig(t, "right.json", strings.NewReplacer("7769", "0", "7780", adminPort)), false)
	p.proxy = startProxy(t, p.right.listens)
	_, proxyPort, err := net.SplitHostPort(p.proxy.listener.Addr().String())
	require.NoError(t, err)
	ports := strings.NewReplacer("7768", middlePort, "7769", proxyPort, "7780", adminPort)
	startMiddle(t, folder, readTestdata(t, "middle.env", ports), environment...)
	p.left = startNetwork(t, readConfig(t, "left.json", ports), false)
	p.admin = "http://127.0.0.1:" + adminPort
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, p.left.waitLinked(ctx))
	require.NoError(t, p.right.waitLinked(ctx))
	p.waitReady(ctx, t)
	return p
}

// waitReady waits until the middle forwards packets both ways.
func (p *parties) waitReady(ctx context.Context, t *testing.T) {
	t.Helper()
	for _, way := range []struct {
		from *network
		to   string
	}{{p.left, "test.right"}, {p.right, "test.left"}} {
		for {
			if _, is := way.from.forwardPrepare(ctx, way.from.neighbours[0], newPrepare(way.to, 0, packetLifetime)).(ilp.Fulfill); is {
				break
			}
			select {
			case <-ctx.Done():
				require.Fail(t, "the ilp-connector does not forward")
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
}

// compare compares the figures of the middle with those of a side.
func (p *parties) compare(t *testing.T, side *network) []figureDifference {
	t.Helper()
	list, err := side.compareWith(t.Context(), side.neighbours[1])
	require.NoError(t, err)
	return list
}

// statementOf reads what a network has booked with the middle.
func statementOf(t *testing.T, n *network) iter.Seq2[accounts.Entry, error] {
	t.Helper()
	statement, err := n.c.client.Book.Statement(t.Context(), n.neighbours[1].account, time.Time{}, time.Time{})
	require.NoError(t, err)
	return statement.Entries(t.Context())
}

// The ilp-connector trades packets between two connectors of ours: fulfills, rejects of either side
// and of the middle, and expiries. Its figures are ours, to the unit. Repeats of a packet make the
// one difference that its habit explains.
func TestIlpConnectorTrades(t *testing.T) {
	t.Parallel()
	p := startParties(t)
	var senders sync.WaitGroup
	for i := range 40 {
		senders.Go(func() { p.requireFulfilled(t, p.left, newPrepare("test.right", uint64(1000+i), packetLifetime)) })
		senders.Go(func() { p.requireFulfilled(t, p.right, newPrepare("test.left", uint64(500+i), packetLifetime)) })
	}
	senders.Wait()
	unfulfilled := newPrepare("test.right", 5, packetLifetime)
	unfulfilled.Data = nil
	requireReject(t, "F99", "test.right", p.left.send(t, unfulfilled))
	requireReject(t, "F02", "test.middle", p.left.send(t, newPrepare("test.nowhere", 5, packetLifetime)))
	requireReject(t, "T04", "test.middle", p.left.send(t, newPrepare("test.right", 100*dollar-1, packetLifetime)))
	requireReject(t, "R02", "test.middle", p.left.send(t, newPrepare("test.right", 5, 2500*time.Millisecond)))
	requireReject(t, "R02", "test.right", p.left.send(t, newPrepare("test.right", 5, 3500*time.Millisecond)))
	require.Empty(t, p.compare(t, p.left))
	require.Empty(t, p.compare(t, p.right))

	repeat := newPrepare("test.right", 40, packetLifetime)
	for range 3 {
		p.requireFulfilled(t, p.left, repeat)
	}
	require.Empty(t, p.compare(t, p.left), "each repeat was a packet to the middle")
	differences := p.compare(t, p.right)
	require.Len(t, differences, 1)
	require.Equal(t, reasonRepeats, differences[0].Reason)
	require.Equal(t, "-80", differences[0].Amount.String())

	// The statements of the two ends differ by the same two packets.
	compared, err := accounts.Compare(statementOf(t, p.left), statementOf(t, p.right))
	require.NoError(t, err)
	require.Equal(t, 81, compared.Matched)
	require.Len(t, compared.Differences, 1)
	require.Equal(t, accounts.MissingTheirs, compared.Differences[0].Class)
	require.Equal(t, repeat.Condition[:8], compared.Differences[0].ConditionTag[:])
	require.Equal(t, "80", compared.Differences[0].Ours.String())
}

func (p *parties) requireFulfilled(t *testing.T, from *network, prepare ilp.Prepare) {
	t.Helper()
	if answer, is := from.send(t, prepare).(ilp.Fulfill); !is {
		t.Errorf("%+v is answered with %+v", prepare, answer)
	}
}

// waitUnlinked waits until a side has noticed that its link is lost.
func waitUnlinked(t *testing.T, n *network) {
	t.Helper()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for deadline := time.Now().Add(linkTimeout); n.neighbours[1].peer.WaitLinked(ended) == nil; {
		if time.Now().After(deadline) {
			t.Error("the link is not lost")
			return
		}
	}
}

// A link that is lost while the right connector has a packet: the answer goes over the next link, and
// the ilp-connector takes it. An answer that is lost is an R00 to the left, and the ilp-connector
// books nothing. Our comparison names that difference.
func TestIlpConnectorLosesAnswers(t *testing.T) {
	t.Parallel()
	p := startParties(t, "CONNECTOR_MIN_MESSAGE_WINDOW=200")
	linked := func() {
		ctx, cancel := context.WithTimeout(t.Context(), linkTimeout)
		defer cancel()
		require.NoError(t, p.right.waitLinked(ctx))
	}
	p.right.setReceive(func(ctx context.Context, prepare ilp.Prepare) ilp.Packet {
		p.proxy.pause()
		p.proxy.cut()
		waitUnlinked(t, p.right)
		p.proxy.resume()
		linked()
		return receivePacket(ctx, prepare)
	})
	p.requireFulfilled(t, p.left, newPrepare("test.right", 11, packetLifetime))
	require.Empty(t, p.compare(t, p.left))
	require.Empty(t, p.compare(t, p.right))

	p.right.setReceive(func(ctx context.Context, prepare ilp.Prepare) ilp.Packet {
		p.proxy.swallow() // right's answer goes into the proxy, and no further
		return receivePacket(ctx, prepare)
	})
	requireReject(t, "R00", "test.middle", p.left.send(t, newPrepare("test.right", 7, 4*time.Second)))
	p.proxy.cut()
	require.Equal(t, int64(11), p.left.position(t, 1))
	require.Equal(t, int64(-18), p.right.position(t, 1), "right has fulfilled the packet")
	require.Empty(t, p.compare(t, p.left))
	differences := p.compare(t, p.right)
	require.Len(t, differences, 1)
	require.Equal(t, reasonLostToPeer, differences[0].Reason)
	require.Equal(t, "7", differences[0].Amount.String())

	// The next packets pass, and the difference stays.
	p.right.setReceive(receivePacket)
	linked()
	ctx, cancel := context.WithTimeout(t.Context(), linkTimeout)
	defer cancel()
	p.waitReady(ctx, t)
	p.requireFulfilled(t, p.left, newPrepare("test.right", 5, packetLifetime))
	require.Equal(t, differences, p.compare(t, p.right))
}

// When the right connector is gone, the ilp-connector answers T01 and nothing is held.
func TestIlpConnectorWithoutItsPeer(t *testing.T) {
	t.Parallel()
	p := startParties(t)
	p.requireFulfilled(t, p.left, newPrepare("test.right", 9, packetLifetime))
	p.proxy.cut()
	p.right.closeLinks()
	require.Eventually(t, func() bool {
		reject, is := p.left.send(t, newPrepare("test.right", 5, 6*time.Second)).(ilp.Reject)
		return is && reject.Code == "T01" && reject.TriggeredBy == "test.middle"
	}, linkTimeout, 50*time.Millisecond)
	require.Empty(t, p.compare(t, p.left))
}

// proxy passes bytes between connections to it and an address.
type proxy struct {
	listener net.Listener
	target   string
	served   sync.WaitGroup

	mu        sync.Mutex
	pairs     map[[2]net.Conn]bool
	swallowed bool // of the pairs there are, nothing more from the target passes
	closed    bool

	gate sync.RWMutex // held for writing while new connections have to wait
}

func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{listener: listener, target: target, pairs: map[[2]net.Conn]bool{}}
	p.served.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			p.served.Go(func() { p.pass(client) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		p.cut()
		p.served.Wait()
	})
	return p
}

func (p *proxy) pass(client net.Conn) {
	p.gate.RLock()
	server, err := net.Dial("tcp", p.target)
	p.gate.RUnlock()
	if err != nil {
		_ = client.Close()
		return
	}
	pair := [2]net.Conn{client, server}
	p.mu.Lock()
	if p.pairs[pair], p.swallowed = true, false; p.closed {
		_, _ = client.Close(), server.Close()
	}
	p.mu.Unlock()
	var back sync.WaitGroup
	back.Go(func() {
		defer func() { _ = client.Close() }()
		_, _ = io.Copy(proxyWriter{p, client}, server)
	})
	_, _ = io.Copy(server, client)
	_ = server.Close()
	back.Wait()
	p.mu.Lock()
	delete(p.pairs, pair)
	p.mu.Unlock()
}

// proxyWriter passes the target's bytes on until the proxy swallows them.
type proxyWriter struct {
	p  *proxy
	to net.Conn
}

func (w proxyWriter) Write(b []byte) (int, error) {
	w.p.mu.Lock()
	swallowed := w.p.swallowed
	w.p.mu.Unlock()
	if swallowed {
		return len(b), nil
	}
	return w.to.Write(b)
}

// cut ends all connections; new ones are taken.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for pair := range p.pairs {
		for _, end := range pair {
			_ = end.Close()
		}
	}
}

// pause lets new connections wait for resume.
func (p *proxy) pause()  { p.gate.Lock() }
func (p *proxy) resume() { p.gate.Unlock() }

// swallow passes nothing more from the target over the connections there are.
func (p *proxy) swallow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.swallowed = true
}

// docs/btp.md shows the files of testdata.
func TestGuideShowsTheFiles(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile(filepath.Join("..", "..", "docs", "btp.md"))
	require.NoError(t, err)
	for _, name := range []string{"middle.env", "left.json", "right.json"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(t, err)
		require.Contains(t, string(guide), fmt.Sprintf("`%s`", name))
		require.Contains(t, string(guide), "\n"+string(text)+"```\n")
	}
	require.Contains(t, string(guide), "    "+middleCommand+"\n")
}
