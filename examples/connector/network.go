package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/examples/internal/btp"
	"github.com/peerledger/peerledger/internal/ilp"
	"github.com/peerledger/peerledger/settlement/rfc0038"
)

var ten = big.NewInt(10)

// network is a connector among others: it forwards packets between peers, with which it speaks BTP.
type network struct {
	c          *connector
	log        *slog.Logger
	address    string
	neighbours []*neighbour // the customer first
	routes     []route      // the longest prefix first
	server     *btp.Server
	clients    []*btp.Client
	http       *http.Server
	listens    string        // address of http; "": none
	ended      chan struct{} // closed when http has ended

	mu sync.Mutex
	// receive answers packets for the customer; no answer (nil) is an unknown outcome.
	receive func(ctx context.Context, p ilp.Prepare) ilp.Packet
	closing bool
	busy    sync.WaitGroup // packets that are forwarded; none is added after closing
}

// neighbour is a peer of the network.
type neighbour struct {
	cfg     networkPeer
	asset   accounts.Asset
	account accounts.PeerAccount
	peer    *btp.Peer // nil for the customer
	tally   tally

	engine        *rfc0038.Client // nil: no settlement engine
	engineAccount string          // the peer's account there
}

// route leads the packets below a prefix of addresses to a neighbour.
type route struct {
	prefix string
	to     *neighbour
}

// openNetwork starts to speak BTP with the peers of a network file. The connector's accounts are
// provisioned.
func (c *connector) openNetwork(ctx context.Context, cfg *networkConfig) (*network, error) {
	n := &network{c: c, log: c.log, address: cfg.Address, receive: receivePacket}
	n.addNeighbour(networkPeer{ID: customer, Routes: []string{cfg.Address}}, c.peers[0])
	for i, p := range cfg.Peers {
		n.addNeighbour(p, c.peers[i+1])
	}
	slices.SortStableFunc(n.routes, func(a, b route) int { return len(b.prefix) - len(a.prefix) })
	if err := errors.Join(n.openEngines(), n.startTallies(ctx), n.listen(cfg.Listen), n.logIn()); err != nil {
		n.closeLinks()
		return nil, err
	}
	return n, nil
}

// logIn starts to log in at the peers that have a server.
func (n *network) logIn() error {
	for _, to := range n.neighbours {
		if to.cfg.Server == "" {
			continue
		}
		client, err := btp.NewClient(btp.ClientConfig{URL: to.cfg.Server, Handler: n.handlerFor(to), Busy: n.busyAnswer(), Failed: func(err error) {
			n.log.Warn("link", "peer", to.cfg.ID, "err", err)
		}})
		if err != nil {
			return fmt.Errorf("%w: -btp: peer %s: %w", errUsage, to.cfg.ID, err)
		}
		n.clients, to.peer = append(n.clients, client), client.Peer
	}
	return nil
}

func (n *network) addNeighbour(p networkPeer, account accounts.PeerAccount) {
	to := &neighbour{cfg: p, asset: assetOf(p.Scale), account: account}
	n.neighbours = append(n.neighbours, to)
	for _, prefix := range p.Routes {
		n.routes = append(n.routes, route{prefix, to})
	}
}

// listen serves the peers that log in here.
func (n *network) listen(address string) error {
	var logins []btp.Login
	for _, to := range n.neighbours {
		if to.cfg.Token != "" {
			logins = append(logins, btp.Login{Account: to.cfg.ID, Token: to.cfg.Token, Handler: n.handlerFor(to), Busy: n.busyAnswer()})
		}
	}
	if address == "" {
		return nil
	}
	var err error
	if n.server, err = btp.NewServer(logins...); err != nil {
		return fmt.Errorf("%w: -btp: %w", errUsage, err)
	}
	for _, to := range n.neighbours {
		if to.cfg.Token != "" {
			to.peer = n.server.Peer(to.cfg.ID)
		}
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	n.http, n.ended = &http.Server{Handler: n.server, ReadHeaderTimeout: 5 * time.Second}, make(chan struct{})
	n.listens = listener.Addr().String()
	go func() {
		defer close(n.ended)
		_ = n.http.Serve(listener) // ends with closeLinks
	}()
	n.log.Info("peers may log in", "address", n.listens)
	return nil
}

// findRoute returns the neighbour of the longest prefix of an address, nil if there is none.
func (n *network) findRoute(destination string) *neighbour {
	for _, r := range n.routes {
		if destination == r.prefix || strings.HasPrefix(destination, r.prefix+".") {
			return r.to
		}
	}
	return nil
}

// newConverter converts between the scales of two neighbours.
func newConverter(from, to *neighbour) (*accounts.Converter, error) {
	return accounts.NewConverter(from.asset, to.asset, decimal.NewFromInt(1))
}

// begin notes a packet that is forwarded, unless the network is closing.
func (n *network) begin() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.closing {
		n.busy.Add(1)
	}
	return !n.closing
}

// closeNetwork takes no more packets, and waits for the answers of those under way until ctx ends.
// A packet without an answer then stays held: its sender gets no answer, and the ledger gives the
// hold back after the expiry.
func (n *network) closeNetwork(ctx context.Context) {
	n.mu.Lock()
	n.closing = true
	n.mu.Unlock()
	idle := make(chan struct{})
	go func() { // ends when the handlers have, for which closeLinks waits
		n.busy.Wait()
		close(idle)
	}()
	select {
	case <-idle:
	case <-ctx.Done():
	}
	n.closeLinks()
	<-idle
}

// closeLinks ends all links and waits for the handlers.
func (n *network) closeLinks() {
	if n.http != nil {
		_ = n.http.Close() // closes the listener; the links are the server's
		<-n.ended
	}
	if n.server != nil {
		n.server.Close()
	}
	for _, client := range n.clients {
		client.Close()
	}
	for _, to := range n.neighbours {
		if to.engine != nil {
			to.engine.Close()
		}
	}
}

// waitLinked waits until all links are there.
func (n *network) waitLinked(ctx context.Context) error {
	var errs []error
	for _, to := range n.neighbours {
		if to.peer != nil {
			errs = append(errs, to.peer.WaitLinked(ctx))
		}
	}
	return errors.Join(errs...)
}
