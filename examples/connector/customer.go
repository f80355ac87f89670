package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"github.com/peerledger/peerledger/internal/ilp"
)

// preimageSize is the size of a fulfillment.
const preimageSize = 32

// receivePacket fulfills a packet whose data is the fulfillment, and rejects all others. This is for
// trials: a connector on the way could fulfill such a packet and keep the money. Real receivers
// derive the fulfillment from a secret that only sender and receiver have.
func receivePacket(_ context.Context, p ilp.Prepare) ilp.Packet {
	var fulfill ilp.Fulfill
	if copy(fulfill.Fulfillment[:], p.Data) == preimageSize && fulfill.Fulfills(p.Condition) {
		return fulfill
	}
	return ilp.Reject{Code: "F99", Message: "the data is not the fulfillment"}
}

// newPrepare makes a packet that receivePacket fulfills.
func newPrepare(destination string, amount uint64, lifetime time.Duration) ilp.Prepare {
	preimage := make([]byte, preimageSize)
	_, _ = rand.Read(preimage) // never fails
	return ilp.Prepare{
		Amount: amount, ExpiresAt: time.Now().Add(lifetime), Condition: sha256.Sum256(preimage), Destination: destination, Data: preimage,
	}
}

const (
	packetLifetime = 30 * time.Second
	// maxTries bounds how often a packet is sent whose answer allows another try.
	maxTries   = 3
	retryAfter = 200 * time.Millisecond
)

// sendPacket sends a packet of the customer, and again while the code's class allows it. Each try
// expires later than the one before: a connector that remembers answers repeats them for a packet
// that expires at the same time or earlier.
func (n *network) sendPacket(ctx context.Context, p ilp.Prepare) (fulfilled bool, err error) {
	for try := 1; ; try++ {
		p.ExpiresAt = time.Now().Add(packetLifetime)
		switch answer := n.forwardPrepare(ctx, n.neighbours[0], p).(type) {
		case ilp.Fulfill:
			return true, nil
		case ilp.Reject:
			n.log.Warn("rejected", "code", answer.Code, "by", answer.TriggeredBy, "message", answer.Message)
			if try == maxTries || ilp.ClassOfCode(answer.Code) == ilp.ClassFinal {
				return false, nil
			}
		default:
			return false, fmt.Errorf("the outcome of a packet is unknown: %w", context.Cause(ctx))
		}
		select {
		case <-ctx.Done():
			return false, nil
		case <-time.After(retryAfter):
		}
	}
}

// sendPackets sends packets to a destination until all are sent or ctx ends.
func (n *network) sendPackets(ctx context.Context, opts options) (fulfilled, rejected int, err error) {
	rng := mathrand.New(mathrand.NewPCG(opts.seed, 0))
	pause := time.Duration(0)
	if opts.rate > 0 {
		pause = time.Duration(float64(time.Second) / opts.rate)
	}
	for sent := 0; opts.packets == 0 || sent < opts.packets; sent++ {
		select {
		case <-ctx.Done():
			return fulfilled, rejected, nil
		case <-time.After(pause):
		}
		done, err := n.sendPacket(ctx, newPrepare(opts.to, 1+rng.Uint64N(dollar/1000), packetLifetime))
		switch {
		case err != nil && ctx.Err() != nil: // interrupted: neither fulfilled nor rejected
			return fulfilled, rejected, nil
		case err != nil:
			return fulfilled, rejected, err
		case done:
			fulfilled++
		default:
			rejected++
		}
	}
	return fulfilled, rejected, nil
}
