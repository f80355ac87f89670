//go:build unix

package realtest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// relayMessage sends a message of our engine to the peer's engine, in an ILP packet to the peer.
func (c *connector) relayMessage(ctx context.Context, account accounts.PeerAccount, message []byte) ([]byte, error) {
	prepare, err := rfc0038.NewMessagePacket(message, time.Now())
	if err != nil {
		return nil, err
	}
	answer, err := c.deliver(ctx, account, prepare)
	if err != nil {
		return nil, err
	}
	return rfc0038.ReadMessageAnswer(answer)
}

// postMessage brings the PREPARE with a message to a peer that is a connector of ours, and returns the answer.
func (c *connector) postMessage(ctx context.Context, account accounts.PeerAccount, prepare []byte) ([]byte, error) {
	url := fmt.Sprintf("http://peer/message/%d", account.Ledger())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(prepare))
	if err != nil {
		return nil, err
	}
	response, err := c.calls.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the peer answers %s", response.Status)
	}
	return answer, nil
}

// takeMessage gives our engine the message in the peer's PREPARE, and returns the FULFILL or the REJECT.
func (c *connector) takeMessage(ctx context.Context, asset accounts.Asset, packet []byte) ([]byte, error) {
	message, isMessage, err := rfc0038.ReadMessagePacket(packet)
	if err != nil {
		return rfc0038.NewMessageReject(err), nil
	}
	if !isMessage {
		return nil, fmt.Errorf("the packet is no message")
	}
	id, err := c.ids.WireID(c.peer[asset])
	if err != nil {
		return nil, err
	}
	answer, err := c.client.SendMessage(ctx, id, message)
	if err != nil {
		return rfc0038.NewMessageReject(err), nil
	}
	return rfc0038.NewMessageAnswer(answer)
}

// handleMessages serves the peer's messages. The path has the number of the asset's ledger.
func handleMessages(c *connector) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		number, err := strconv.ParseUint(r.PathValue("ledger"), 10, 32)
		var packet, answer []byte
		if err == nil {
			packet, err = io.ReadAll(r.Body)
		}
		if err == nil {
			answer, err = c.takeMessage(r.Context(), assetOf(uint32(number)), packet)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write(answer)
	}
}
