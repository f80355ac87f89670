package main

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/settlement/rfc0038"
	"github.com/peerledger/peerledger/settlement/rfc0038/enginetest"
)

// The message of a peer's settlement engine is answered by ours, over BTP, and is never forwarded.
func TestMessagesBetweenEngines(t *testing.T) {
	t.Parallel()
	engine, err := enginetest.NewEngine(enginetest.Config{Message: func(_ context.Context, account string, message []byte) ([]byte, error) {
		return []byte(account + " says " + string(message)), nil
	}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	url, err := engine.Start("127.0.0.1:0")
	require.NoError(t, err)
	created, err := http.Post(url+"/accounts", "application/json", strings.NewReader(`{"id":"1-left"}`)) //nolint:noctx // a test
	require.NoError(t, err)
	require.NoError(t, created.Body.Close())

	right := startNetwork(t, networkConfig{Address: "test.right", Listen: "127.0.0.1:0", Peers: []networkPeer{
		{ID: "left", Token: "secret", Engine: url}, {ID: "other", Token: "other-secret", Engine: url, Routes: []string{"peer"}}, {ID: "bare", Token: "bare-secret"},
	}}, false)
	send := func(id, token string, packet []byte) ([]byte, error) {
		from := startNetwork(t, networkConfig{Address: "test.from", Peers: []networkPeer{{ID: "right", Server: "btp+ws://" + id + ":" + token + "@" + right.listens}}}, false)
		ctx, cancel := context.WithTimeout(t.Context(), linkTimeout)
		defer cancel()
		require.NoError(t, from.waitLinked(ctx))
		answer, err := from.neighbours[1].peer.Send(ctx, packet)
		require.NoError(t, err)
		return rfc0038.ReadMessageAnswer(answer)
	}
	packet, err := rfc0038.NewMessagePacket([]byte("hello"), time.Now())
	require.NoError(t, err)
	answer, err := send("left", "secret", packet)
	require.NoError(t, err)
	require.Equal(t, "1-left says hello", string(answer))
	paid, err := newPrepare(settleAddress, 1, packetLifetime).AppendBinary(nil)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		id, token string
		packet    []byte
		code      string
	}{
		"an account that the engine does not know": {"other", "other-secret", packet, "F00"},
		"no engine":      {"bare", "bare-secret", packet, "F02"},
		"with an amount": {"left", "secret", paid, "F01"},
	} {
		_, err = send(c.id, c.token, c.packet)
		var reject *rfc0038.RejectError
		require.ErrorAs(t, err, &reject, name)
		require.Equal(t, c.code, reject.Code, name)
	}
}
