package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/internal/ilp"
	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// settleAddress is the destination of packets that carry messages between the settlement engines of
// two peers. Such a packet ends at the next connector.
const settleAddress = "peer.settle"

// openEngines makes clients of the peers' settlement engines. An engine has a peer's account under
// the id of rfc0038.AccountIDs.
func (n *network) openEngines() error {
	ids, err := rfc0038.NewAccountIDs(n.c.client.Book, nil)
	if err != nil {
		return err
	}
	for _, to := range n.neighbours {
		if to.cfg.Engine == "" {
			continue
		}
		if to.engineAccount, err = ids.WireID(to.account); err != nil {
			return err
		}
		if to.engine, err = rfc0038.NewClient(rfc0038.ClientConfig{URL: to.cfg.Engine}); err != nil {
			return fmt.Errorf("%w: -btp: peer %s: %w", errUsage, to.cfg.ID, err)
		}
	}
	return nil
}

// answerMessage gives the message in a peer's PREPARE to our settlement engine for the peer, and
// returns the packet with the engine's answer. Messages move no money, and are not booked.
func (n *network) answerMessage(ctx context.Context, from *neighbour, p ilp.Prepare, packet []byte) []byte {
	if !n.begin() {
		return rfc0038.NewMessageReject(errors.New("the connector is closing"))
	}
	defer n.busy.Done()
	ctx, cancel := context.WithDeadline(ctx, p.ExpiresAt)
	defer cancel()
	answer, err := from.sendMessage(ctx, packet)
	if err == nil {
		answer, err = rfc0038.NewMessageAnswer(answer)
	}
	if err != nil {
		n.log.Warn("message", "peer", from.cfg.ID, "err", err)
		return rfc0038.NewMessageReject(err)
	}
	return answer
}

// sendMessage gives the message in a packet to settleAddress to the peer's engine.
func (to *neighbour) sendMessage(ctx context.Context, packet []byte) ([]byte, error) {
	message, _, err := rfc0038.ReadMessagePacket(packet)
	if err != nil {
		return nil, err
	}
	return to.engine.SendMessage(ctx, to.engineAccount, message)
}
