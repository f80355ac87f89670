package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

const (
	packetHold  = time.Hour // longer than any restart
	callTimeout = 10 * time.Second
	retryAfter  = 10 * time.Millisecond
	retryAtMost = 250 * time.Millisecond

	insufficientLiquidity = "T04" // the ILP error of a packet beyond the credit line
)

type packetMessage struct {
	ID     ledger.ID `json:"id"`
	Amount uint64    `json:"amount"`
}

type packetAnswer struct {
	Code string `json:"code"` // the ILP error; "": fulfilled
}

// sendAll sends all packets, one after the other. After a crash it sends them again under the same
// ids, and the ledger applies each once.
func (c *connector) sendAll(ctx context.Context) error {
	random := rand.New(rand.NewPCG(c.Seed, uint64(len(c.Name))<<32|uint64(c.Name[0])))
	for n := range c.Packets {
		amount := random.Uint64N(2000) + 1
		if err := c.sendPacket(ctx, uint64(n), amount); err != nil {
			if ctx.Err() != nil {
				return nil // the process is being stopped
			}
			return fmt.Errorf("packet %d: %w", n, err)
		}
		c.sent.Add(1)
	}
	return nil
}

// sendPacket sends a packet until the peer takes it. A refused packet gets a new id for the next
// attempt, because a refusal is final.
func (c *connector) sendPacket(ctx context.Context, n, amount uint64) error {
	for attempt := uint64(0); ; attempt++ {
		p := transfers.Packet{
			ID: ledger.NewID(attempt<<16|c.packetDirection()<<8, n+1), From: c.own, To: c.peer, In: amount, Out: amount, Hold: packetHold,
		}
		if _, err := c.client.Recorder.Prepare(ctx, p); err != nil {
			return err
		}
		answer, err := c.askPeer(ctx, packetMessage{p.ID, amount})
		if err != nil {
			return err
		}
		if answer.Code == "" {
			_, err := c.client.Recorder.Fulfill(ctx, p)
			return err
		}
		if _, err := c.client.Recorder.Reject(ctx, p); err != nil {
			return err
		}
		c.refused.Add(1)
		c.client.Settlement.NotifyRefused(c.peer) // the peer wants to be paid first
		select {
		case <-time.After(retryAfter):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// packetDirection keeps the ids of the two connectors' packets apart: both connectors book all
// packets.
func (c *connector) packetDirection() uint64 {
	if c.Name < c.Peer {
		return 0
	}
	return 1
}

// askPeer sends a packet to the peer until there is an answer. The peer may be down.
func (c *connector) askPeer(ctx context.Context, m packetMessage) (packetAnswer, error) {
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.MaxInterval = retryAfter, retryAtMost
	return backoff.Retry(ctx, func() (answer packetAnswer, err error) {
		err = c.callPeer(ctx, "/packet", m, &answer)
		return answer, err
	}, backoff.WithBackOff(waits), backoff.WithMaxElapsedTime(0))
}

// postJSON sends one request to a connector.
func postJSON(ctx context.Context, client *http.Client, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://connector"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxMessage))
	if closing := response.Body.Close(); err == nil {
		err = closing
	}
	switch {
	case err != nil:
		return err
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("%s: %s", response.Status, strings.TrimSpace(string(answer)))
	case out == nil:
		return nil
	default:
		return json.Unmarshal(answer, out)
	}
}
