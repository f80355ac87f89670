package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/ilp"
	"github.com/peerledger/peerledger/ledger"
)

// linkTimeout bounds the waits for links.
const linkTimeout = 20 * time.Second

// startNetwork starts a connector with a network, and stops it at the end of the test. Nothing is
// held then.
func startNetwork(t *testing.T, cfg networkConfig, rounds bool) *network {
	t.Helper()
	require.NoError(t, cfg.checkFields())
	opts := options{ledger: "embedded", grace: time.Minute, network: &cfg, rounds: rounds}
	c, err := openConnector(t.Context(), opts, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	n, err := c.openNetwork(t.Context(), &cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), linkTimeout)
		defer cancel()
		n.closeNetwork(ctx)
		require.NoError(t, c.client.Recorder.Flush(ctx))
		if !rounds { // those hold reservations
			n.waitForHolds(t)
		}
		_, err := n.summarizePositions(ctx)
		require.NoError(t, err)
		require.NoError(t, c.closeConnector(time.Minute))
	})
	return n
}

// waitForHolds waits until the holds of packets without an answer have expired.
func (n *network) waitForHolds(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		for _, to := range n.neighbours {
			b, err := n.c.client.Book.Balance(context.Background(), to.account)
			if err != nil || !b.HeldOut.IsZero() || !b.HeldIn.IsZero() {
				return false
			}
		}
		return true
	}, 2*linkTimeout, 50*time.Millisecond)
}

// startPair starts a right connector at which a left one logs in.
func startPair(t *testing.T, rounds bool) (left, right *network) {
	t.Helper()
	right = startNetwork(t, networkConfig{Address: "test.right", Listen: "127.0.0.1:0", Peers: []networkPeer{{ID: "left", Token: "secret", Routes: []string{"test.left"}}}}, rounds)
	left = startNetwork(t, networkConfig{Address: "test.left", Peers: []networkPeer{{ID: "right", Server: "btp+ws://left:secret@" + right.listens, Routes: []string{"test"}}}}, rounds)
	ctx, cancel := context.WithTimeout(t.Context(), linkTimeout)
	defer cancel()
	require.NoError(t, left.waitLinked(ctx))
	require.NoError(t, right.waitLinked(ctx))
	return left, right
}

// setReceive changes how packets for the customer are answered.
func (n *network) setReceive(receive func(context.Context, ilp.Prepare) ilp.Packet) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.receive = receive
}

// position returns what a network owes a peer, in units.
func (n *network) position(t *testing.T, peer int) int64 {
	t.Helper()
	require.NoError(t, n.c.client.Recorder.Flush(t.Context()))
	b, err := n.c.client.Book.Balance(t.Context(), n.neighbours[peer].account)
	require.NoError(t, err)
	return b.Position().Int64()
}

// send sends a packet of the customer.
func (n *network) send(t *testing.T, p ilp.Prepare) ilp.Packet {
	t.Helper()
	return n.forwardPrepare(t.Context(), n.neighbours[0], p)
}

func requireReject(t *testing.T, code, by string, answer ilp.Packet) {
	t.Helper()
	reject, is := answer.(ilp.Reject)
	require.True(t, is, "%T", answer)
	require.Equal(t, [2]string{code, by}, [2]string{reject.Code, reject.TriggeredBy}, reject.Message)
}

// Packets both ways leave opposite positions on both sides, with either recorder.
func TestTwoConnectors(t *testing.T) {
	t.Parallel()
	for name, rounds := range recorders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			left, right := startPair(t, rounds)
			var senders sync.WaitGroup
			for i := range 50 {
				senders.Go(func() {
					answer := left.send(t, newPrepare("test.right.shop", uint64(100+i), packetLifetime))
					if _, is := answer.(ilp.Fulfill); !is {
						t.Errorf("packet %d: %+v", i, answer)
					}
				})
				senders.Go(func() {
					answer := right.send(t, newPrepare("test.left", 10, packetLifetime))
					if _, is := answer.(ilp.Fulfill); !is {
						t.Errorf("packet back %d: %+v", i, answer)
					}
				})
			}
			senders.Wait()
			want := int64(50*100 + 50*49/2 - 50*10)
			require.Equal(t, []int64{-want, want}, []int64{left.position(t, 0), left.position(t, 1)})
			require.Equal(t, []int64{want, -want}, []int64{right.position(t, 0), right.position(t, 1)})
			figuresOfLeft, err := left.ownFigures(t.Context(), left.neighbours[1])
			require.NoError(t, err)
			require.Equal(t, []int64{50, 50}, []int64{figuresOfLeft.PacketsToPeer.Int64(), figuresOfLeft.PacketsFromPeer.Int64()})
			require.Equal(t, want, figuresOfLeft.Debt.Int64())
		})
	}
}

// The answers to the sender, and nothing booked for any of them.
func TestRejectedPackets(t *testing.T) {
	t.Parallel()
	left, right := startPair(t, false)
	right.setReceive(func(_ context.Context, p ilp.Prepare) ilp.Packet {
		switch p.Destination {
		case "test.right.wrong":
			return ilp.Fulfill{Fulfillment: [32]byte{1}}
		default:
			return ilp.Reject{Code: "T04", TriggeredBy: "test.right.far", Message: "far", Data: []byte("data")}
		}
	})
	answer := left.send(t, newPrepare("test.right.far", 5, packetLifetime))
	require.Equal(t, ilp.Reject{Code: "T04", TriggeredBy: "test.right.far", Message: "far", Data: []byte("data")}, answer)
	requireReject(t, "F05", "test.right", left.send(t, newPrepare("test.right.wrong", 5, packetLifetime)))
	requireReject(t, "F02", "test.left", left.send(t, newPrepare("private.nobody", 5, packetLifetime)))
	requireReject(t, "R02", "test.left", left.send(t, newPrepare("test.right", 5, 1900*time.Millisecond)))
	requireReject(t, "R02", "test.right", left.send(t, newPrepare("test.right", 5, 2900*time.Millisecond)))
	requireReject(t, "R02", "test.left", left.send(t, newPrepare("test.right", 5, -time.Second)))
	requireReject(t, "T04", "test.right", left.send(t, newPrepare("test.right", 100*dollar+1, packetLifetime)))
	for _, n := range []*network{left, right} {
		require.Zero(t, n.position(t, 1))
	}

	handle := left.handlerFor(left.neighbours[0])
	for _, b := range [][]byte{nil, []byte("noise"), {13, 0}} {
		packet, err := ilp.Decode(handle(t.Context(), b))
		require.NoError(t, err)
		requireReject(t, "F01", "test.left", packet)
	}
	fulfill, err := ilp.Fulfill{}.AppendBinary(nil)
	require.NoError(t, err)
	packet, err := ilp.Decode(handle(t.Context(), fulfill))
	require.NoError(t, err)
	requireReject(t, "F01", "test.left", packet)

	right.closeLinks()
	waitUnlinked(t, left)
	requireReject(t, "T01", "test.left", left.send(t, newPrepare("test.right", 5, packetLifetime)))
}

// A packet without an answer stays held until it expires. Then its sender gets R00, and the peer is
// owed nothing.
func TestUnansweredPacket(t *testing.T) {
	t.Parallel()
	left, right := startPair(t, false)
	received := make(chan struct{})
	right.setReceive(func(ctx context.Context, _ ilp.Prepare) ilp.Packet {
		close(received)
		<-ctx.Done()
		return nil
	})
	p := newPrepare("test.right", 7, 3500*time.Millisecond)
	answer := make(chan ilp.Packet, 1)
	go func() { answer <- left.send(t, p) }()
	<-received
	b, err := left.c.client.Book.Balance(t.Context(), left.neighbours[1].account)
	require.NoError(t, err)
	require.Equal(t, ledger.NewAmount(7), b.HeldOut)
	requireReject(t, "R00", "test.right", <-answer) // the nearer expiry is right's
	require.Zero(t, left.position(t, 1))
	require.Zero(t, right.position(t, 1))
}

// When links are cut after a packet left, the packet is held until its expiry, and the code is R00.
func TestLinkLostAfterSending(t *testing.T) {
	t.Parallel()
	left, right := startPair(t, false)
	right.setReceive(func(ctx context.Context, _ ilp.Prepare) ilp.Packet {
		_ = right.http.Close()
		go right.server.Close() // it waits for this handler
		<-ctx.Done()
		return nil
	})
	p := newPrepare("test.right", 7, 3500*time.Millisecond)
	start := time.Now()
	requireReject(t, "R00", "test.left", left.send(t, p))
	require.GreaterOrEqual(t, time.Since(start), time.Second)
	require.True(t, time.Now().Before(p.ExpiresAt), "while the sender still waits")
	require.Zero(t, left.position(t, 1))
	unknown, err := left.ownFigures(t.Context(), left.neighbours[1])
	require.NoError(t, err)
	require.Equal(t, int64(7), unknown.FailedToPeer.Int64())
}

// A packet sent twice is two packets: each is booked as often as it left.
func TestPacketSentTwice(t *testing.T) {
	t.Parallel()
	left, right := startPair(t, false)
	p := newPrepare("test.right", 40, packetLifetime)
	for range 3 {
		require.IsType(t, ilp.Fulfill{}, left.send(t, p))
	}
	require.Equal(t, int64(120), left.position(t, 1))
	require.Equal(t, int64(-120), right.position(t, 1))
}

// An amount that grows beyond 64 bits on the way is refused before a packet is made of it. Smaller
// amounts are converted, with the remainder booked.
func TestAmountsBetweenScales(t *testing.T) {
	t.Parallel()
	right := startNetwork(t, networkConfig{Address: "test.right", Listen: "127.0.0.1:0", Peers: []networkPeer{{ID: "left", Token: "secret", Scale: 18, Routes: []string{"test.left"}}}}, false)
	left := startNetwork(t, networkConfig{Address: "test.left", Peers: []networkPeer{{ID: "right", Server: "btp+ws://left:secret@" + right.listens, Scale: 18, Routes: []string{"test"}}}}, false)
	ctx, cancel := context.WithTimeout(t.Context(), linkTimeout)
	defer cancel()
	require.NoError(t, left.waitLinked(ctx))
	answer := left.send(t, newPrepare("test.right", 18_446_744_074, packetLifetime))
	requireReject(t, "F08", "test.left", answer)
	reject, _ := answer.(ilp.Reject)
	data, err := ilp.DecodeAmountTooLarge(reject.Data)
	require.NoError(t, err)
	require.Equal(t, ilp.AmountTooLarge{Received: 18_446_744_074, Maximum: 18_446_744_073}, data)
	require.IsType(t, ilp.Fulfill{}, left.send(t, newPrepare("test.right", 3, packetLifetime)))
	require.Equal(t, []int64{-3, 3_000_000_000}, []int64{left.position(t, 0), left.position(t, 1)})
	require.Equal(t, []int64{3, -3_000_000_000}, []int64{right.position(t, 0), right.position(t, 1)})
}

// A connector that closes while a packet has no answer gives none: its sender must not take the
// packet for rejected.
func TestClosedBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	left, right := startPair(t, false)
	received := make(chan struct{})
	right.setReceive(func(ctx context.Context, _ ilp.Prepare) ilp.Packet {
		close(received)
		<-ctx.Done()
		return nil
	})
	handled := make(chan []byte, 1)
	ctx, cancel := context.WithCancel(t.Context())
	p := newPrepare("test.right", 7, 4*time.Second)
	b, err := p.AppendBinary(nil)
	require.NoError(t, err)
	go func() { handled <- left.handlerFor(left.neighbours[0])(ctx, b) }()
	<-received
	cancel()
	left.closeNetwork(ctx)
	require.Nil(t, <-handled)
	requireReject(t, "T00", "test.left", left.send(t, newPrepare("test.right", 5, packetLifetime)))
	list, err := left.c.client.Book.Holds(t.Context(), left.neighbours[1].account)
	require.NoError(t, err)
	require.Len(t, list, 1, "held until its expiry")
	left.waitForHolds(t)
}

func TestNetworkFilesThatCannotBe(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for i, text := range []string{
		"", "{}", `{"address":"test.a"}`, `{"address":"test.a","peers":[{"id":"b"}]}`, `{"address":"test.a","peers":[{"id":"customer","server":"x"}]}`,
		`{"address":"test.a","peers":[{"id":"b","token":"x"}]}`, `{"address":"test.a","peers":[{"id":"b","server":"x","token":"x"}]}`,
		`{"address":"test.a","peers":[{"id":"b","server":"x","admin":"http://x"}]}`, `{"address":"test.a","peers":[{"id":"b","server":"x","more":1}]}`,
		`{"address":"test.a","peers":[{"id":"b","server":"http://x"}]}`, `{"address":"test.a","peers":[{"id":"b","server":"btp+ws://a:b@c"},{"id":"b","server":"btp+ws://a:b@c"}]}`,
	} {
		path := filepath.Join(folder, fmt.Sprint(i))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		require.ErrorIs(t, runConnector(t.Context(), []string{"-btp", path, "-to", "test.b"}, io.Discard, io.Discard), errUsage, text)
	}
	require.ErrorIs(t, runConnector(t.Context(), []string{"-btp", filepath.Join(folder, "none")}, io.Discard, io.Discard), errUsage)
	require.ErrorIs(t, runConnector(t.Context(), []string{"-to", "test.b"}, io.Discard, io.Discard), errUsage)
}

// The program sends packets to another one, and prints the positions.
func TestNetworkProgram(t *testing.T) {
	t.Parallel()
	right := startNetwork(t, networkConfig{Address: "test.right", Listen: "127.0.0.1:0", Peers: []networkPeer{{ID: "left", Token: "secret", Routes: []string{"test.left"}}}}, false)
	cfg := networkConfig{Address: "test.left", Peers: []networkPeer{{ID: "right", Server: "btp+ws://left:secret@" + right.listens, Routes: []string{"test"}}}}
	text, err := json.Marshal(cfg)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "left.json")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	var out bytes.Buffer
	require.NoError(t, runConnector(t.Context(), []string{"-btp", path, "-to", "test.right", "-packets", "20"}, &out, io.Discard))
	position := formatUnits(big.NewInt(-right.position(t, 1)), usd)
	require.Equal(t, fmt.Sprintf("20 packets fulfilled, 0 rejected\ncustomer position -%s USD\nright    position %s USD\n", position, position), out.String())
}
