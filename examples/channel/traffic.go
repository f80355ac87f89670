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
	hold        = time.Hour // of a packet: longer than any restart takes
	callTimeout = 10 * time.Second
	retryAfter  = 10 * time.Millisecond
	retryAtMost = 250 * time.Millisecond

	insufficientLiquidity = "T04" // the ILP error of a packet that no credit line covers
)

type packetMessage struct {
	ID     ledger.ID `json:"id"`
	Amount uint64    `json:"amount"`
}

type packetAnswer struct {
	Code string `json:"code"` // the ILP error, "" if the packet is fulfilled
}

// sendAll sends all packets, one after the other. What was done before a crash is done
// again, under the same ids, and found done.
func (c *connector) sendAll(ctx context.Context) error {
	random := rand.New(rand.NewPCG(c.Seed, uint64(len(c.Name))<<32|uint64(c.Name[0])))
	for n := range c.Packets {
		amount := random.Uint64N(2000) + 1
		if err := c.sendPacket(ctx, uint64(n), amount); err != nil {
			if ctx.Err() != nil {
				return nil // the process is told to end
			}
			return fmt.Errorf("packet %d: %w", n, err)
		}
		c.sent.Add(1)
	}
	return nil
}

// sendPacket sends a packet until the other one takes it. One that is refused is another packet
// the next time, since what is refused stays so.
func (c *connector) sendPacket(ctx context.Context, n, amount uint64) error {
	for attempt := uint64(0); ; attempt++ {
		p := transfers.Packet{
			ID: ledger.NewID(attempt<<16|c.packetDirection()<<8, n+1), From: c.own, To: c.peer, In: amount, Out: amount, Hold: hold,
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
		c.client.Settlement.NotifyRefused(c.peer) // it wants to be paid first
		select {
		case <-time.After(retryAfter):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// packetDirection tells packets of the two connectors apart: both book all of them.
func (c *connector) packetDirection() uint64 {
	if c.Name < c.Peer {
		return 0
	}
	return 1
}

// askPeer sends a packet to the other one until there is an answer: it may be down.
func (c *connector) askPeer(ctx context.Context, m packetMessage) (packetAnswer, error) {
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.MaxInterval = retryAfter, retryAtMost
	return backoff.Retry(ctx, func() (answer packetAnswer, err error) {
		err = c.callPeer(ctx, "/packet", m, &answer)
		return answer, err
	}, backoff.WithBackOff(waits), backoff.WithMaxElapsedTime(0))
}

// postJSON asks one question of a connector.
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
