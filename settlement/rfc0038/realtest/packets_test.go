//go:build unix

package realtest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

const (
	packetHold  = time.Hour // longer than any restart
	callTimeout = 10 * time.Second
)

// packet is a packet from one connector to the other. Both derive it from nothing but the number and the seed, so a
// packet that is sent again after a crash is the same packet.
type packet struct {
	ID     ledger.ID `json:"id"`
	Ledger uint32    `json:"ledger"` // of the asset
	Amount uint64    `json:"amount"` // units
	Reject bool      `json:"reject"`
}

// makePacket draws the packet with a number. Three of four packets are in the connector's main asset.
func (s setup) makePacket(number uint64) packet {
	direction := uint64(0)
	if s.First {
		direction = 1
	}
	random := rand.New(rand.NewPCG(s.Seed, number<<1|direction))
	asset := eur
	if s.First == (random.IntN(4) > 0) {
		asset = usd
	}
	amount := random.Uint64N(200) + 1
	if asset == usd {
		amount = random.Uint64N(2_000_000_000) + 1
	}
	return packet{ledger.NewID(direction<<8, number+1), asset.Ledger, amount, random.IntN(8) == 0}
}

func assetOf(ledgerNumber uint32) accounts.Asset {
	if ledgerNumber == usd.Ledger {
		return usd
	}
	return eur
}

// sendPackets sends one packet after the other until stop is closed. The first packet is sent in any case: an earlier
// life of the process may have been killed in the middle of it.
func (c *connector) sendPackets(ctx context.Context, stop <-chan struct{}) error {
	// An engine drops payments for accounts that it does not have.
	for _, asset := range assets {
		_, err := retryForever(ctx, func() (struct{}, error) { return struct{}{}, c.settler.CreateAccount(ctx, c.peer[asset]) })
		if err != nil {
			return err
		}
	}
	number, err := c.readProgress()
	for err == nil {
		if err = c.sendPacket(ctx, c.makePacket(number)); err != nil {
			break
		}
		number++
		err = c.writeProgress(number)
		select {
		case <-stop:
			return err
		default:
		}
	}
	return err
}

// sendPacket books a packet to the peer, and asks the peer until there is an answer.
func (c *connector) sendPacket(ctx context.Context, m packet) error {
	asset := assetOf(m.Ledger)
	p := transfers.Packet{ID: m.ID, From: c.own[asset], To: c.peer[asset], In: m.Amount, Out: m.Amount, Hold: packetHold}
	if _, err := c.recorder.Prepare(ctx, p); err != nil {
		return err
	}
	if _, err := retryForever(ctx, func() (struct{}, error) { return struct{}{}, c.callPeer(ctx, m) }); err != nil {
		return err
	}
	return c.resolvePacket(ctx, p, m.Reject)
}

// takePacket books a packet of the peer, once: after a lost answer the packet comes again.
func (c *connector) takePacket(ctx context.Context, m packet) error {
	asset := assetOf(m.Ledger)
	p := transfers.Packet{ID: m.ID, From: c.peer[asset], To: c.own[asset], In: m.Amount, Out: m.Amount, Hold: packetHold}
	if _, err := c.recorder.Prepare(ctx, p); err != nil {
		return err
	}
	return c.resolvePacket(ctx, p, m.Reject)
}

func (c *connector) resolvePacket(ctx context.Context, p transfers.Packet, reject bool) (err error) {
	if reject {
		_, err = c.recorder.Reject(ctx, p)
	} else {
		_, err = c.recorder.Fulfill(ctx, p)
	}
	return err
}

func (c *connector) callPeer(ctx context.Context, m packet) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://peer/packet", bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := c.calls.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusNoContent {
		return fmt.Errorf("the peer answers %s", response.Status)
	}
	return nil
}

// listenForPackets listens on the connector's socket, which a killed process leaves behind.
func (c *connector) listenForPackets(ctx context.Context) (net.Listener, error) {
	socket := c.socketPath(c.Name)
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var l net.ListenConfig
	return l.Listen(ctx, "unix", socket)
}

func handlePackets(c *connector) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var m packet
		err := json.NewDecoder(r.Body).Decode(&m)
		if err == nil {
			err = c.takePacket(context.WithoutCancel(r.Context()), m)
		}
		if err != nil {
			c.logLine("packet", m.ID, err)
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}
