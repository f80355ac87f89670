package main

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

var usd = accounts.Asset{Code: "USD", Scale: 6, Ledger: 1}

// setup configures a connector process. After a crash the process reads the setup again.
type setup struct {
	Name            string             `json:"name"`
	Peer            string             `json:"peer"`
	Folder          string             `json:"folder"` // of the sockets; each connector has a folder in it
	Packets         int                `json:"packets"`
	Seed            uint64             `json:"seed"`
	Key             ed25519.PrivateKey `json:"key"`
	PeerKey         ed25519.PublicKey  `json:"peer_key"`
	Line            ledger.Amount      `json:"line"`    // credit line of the peer
	SettleThreshold ledger.Amount      `json:"at"`      // payable at which the peer is paid
	Deposit         ledger.Amount      `json:"deposit"` // of each channel
}

func (s setup) socketPath(name string) string { return filepath.Join(s.Folder, name+".sock") }

// formatChannelName returns the name of the channel on which payer pays payee.
func formatChannelName(payer, payee string) string { return payer + " to " + payee }

// connector is the state of a connector process: the client on a ledger in a folder, the payer of
// the channel to the peer, and the connection to the peer.
type connector struct {
	setup

	client     *peerledger.Client
	own        accounts.PeerAccount
	peer       accounts.PeerAccount
	payer      *payer
	peerClient *http.Client
	sent       atomic.Int64 // packets fulfilled
	refused    atomic.Int64 // refusals by the peer
}

// openConnector opens the ledger and the claims in the folder.
func openConnector(ctx context.Context, s setup) (*connector, error) {
	folder := filepath.Join(s.Folder, s.Name)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	c := &connector{setup: s, peerClient: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", s.socketPath(s.Peer))
		},
	}}}
	c.payer = &payer{key: s.Key, channel: formatChannelName(s.Name, s.Peer), deposit: s.Deposit, send: func(ctx context.Context, claim claim) error {
		return c.callPeer(ctx, "/claim", claim, nil)
	}}
	if err := openPayer(filepath.Join(folder, "claims"), c.payer); err != nil {
		return nil, err
	}
	l, err := embedded.Open(filepath.Join(folder, "ledger"))
	if err != nil {
		return nil, errors.Join(err, c.payer.closePayer())
	}
	c.client, err = peerledger.New(l, peerledger.Config{
		Accounts: accounts.Config{Namespace: s.Name, Assets: []accounts.Asset{usd}},
		Settlement: settlement.Config{
			Rails:    settlement.Rails{Default: &settlement.Rail{Name: c.payer.channel, Settler: c.payer}},
			Policies: settlement.Policies{Default: settlement.Threshold{SettleThreshold: s.SettleThreshold}},
			Instance: s.Name, RetryInitialInterval: retryAfter, RetryMaxInterval: retryAtMost, OrderCooldown: retryAtMost,
		},
	})
	if err != nil {
		return nil, errors.Join(err, l.Close(), c.payer.closePayer())
	}
	if c.own, err = c.client.Book.OwnAccount(usd); err == nil {
		var peers []accounts.PeerAccount
		peers, err = c.client.Provision(ctx, accounts.PeerConfig{ID: s.Peer, Asset: usd, CreditLine: s.Line})
		if err == nil {
			c.peer = peers[0]
		}
	}
	if err != nil {
		return nil, errors.Join(err, c.closeConnector(ctx))
	}
	return c, nil
}

func (c *connector) closeConnector(ctx context.Context) error {
	c.peerClient.CloseIdleConnections()
	return errors.Join(c.client.Close(ctx), c.payer.closePayer())
}

// runConnector serves the peer, and sends packets to the peer, until ctx ends.
func (c *connector) runConnector(ctx context.Context) error {
	socket := c.socketPath(c.Name)
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) { // a killed process leaves its socket
		return err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	server := http.Server{Handler: c.newHandler(), ReadHeaderTimeout: callTimeout}
	var work sync.WaitGroup
	served, sent := make(chan error, 1), make(chan error, 1)
	work.Go(func() { served <- server.Serve(listener) })
	work.Go(func() { sent <- c.sendAll(ctx) })
	select {
	case err = <-served:
	case <-ctx.Done():
	}
	err = errors.Join(err, server.Close(), <-sent)
	work.Wait()
	return err
}

func (c *connector) newHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /packet", handleJSON(c.takePacket))
	mux.HandleFunc("POST /claim", handleJSON(c.takeClaim))
	mux.HandleFunc("POST /books", handleJSON(c.readBooks))
	mux.HandleFunc("POST /settle", handleJSON(c.settleWithPeer))
	mux.HandleFunc("POST /redeem", handleJSON(c.redeemVouchers))
	return mux
}

// takePacket books a packet of the peer once: after a lost answer the packet comes again. A packet
// beyond the credit line is refused for ever.
func (c *connector) takePacket(ctx context.Context, m packetMessage) (packetAnswer, error) {
	p := transfers.Packet{ID: m.ID, From: c.peer, To: c.own, In: m.Amount, Out: m.Amount, Hold: packetHold}
	if _, err := c.client.Recorder.Prepare(ctx, p); err != nil {
		if errors.Is(err, transfers.ErrCreditLine) || errors.Is(err, ledger.ErrIDBurnt) { // refused now, or refused before
			err = nil
		}
		return packetAnswer{Code: insufficientLiquidity}, err
	}
	_, err := c.client.Recorder.Fulfill(ctx, p)
	return packetAnswer{}, err
}

// takeClaim books a claim of the peer. A claim booked before is accepted again. A lower claim is
// accepted too, because the booked one includes it.
func (c *connector) takeClaim(ctx context.Context, m claim) (struct{}, error) {
	if err := m.verifyClaim(c.PeerKey, formatChannelName(c.Peer, c.Name), c.Deposit); err != nil {
		return struct{}{}, err
	}
	_, err := c.client.Settlement.RecordVoucher(ctx, settlement.Voucher{
		Account: c.peer, Channel: m.Channel, Cumulative: m.Cumulative,
	})
	if errors.Is(err, settlement.ErrVoucherLower) {
		err = nil
	}
	return struct{}{}, err
}

func (c *connector) settleWithPeer(ctx context.Context, _ struct{}) (books, error) {
	if _, err := c.client.Settlement.SettleNow(ctx, c.peer); err != nil {
		return books{}, err
	}
	return c.readBooks(ctx, struct{}{})
}

// redeemVouchers takes the received payments out of the peer's channel. A real channel would be
// closed on a blockchain.
func (c *connector) redeemVouchers(ctx context.Context, _ struct{}) (books, error) {
	exposure, err := c.client.Settlement.Exposure(ctx, c.peer, formatChannelName(c.Peer, c.Name))
	if err != nil {
		return books{}, err
	}
	for _, ch := range exposure.Channels {
		_, err := c.client.Settlement.RecordRedemption(ctx, settlement.Voucher{Account: c.peer, Channel: ch.Channel, Cumulative: ch.Claimed})
		if err != nil {
			return books{}, err
		}
	}
	return c.readBooks(ctx, struct{}{})
}

// books are a connector's books of its peer.
type books struct {
	Name     string        `json:"name"`
	Sent     int64         `json:"sent"`      // packets fulfilled
	Refused  int64         `json:"refused"`   // refusals by the peer since the last start
	Position string        `json:"position"`  // units; above 0: the connector owes the peer
	Paid     ledger.Amount `json:"paid"`      // to the peer
	Received ledger.Amount `json:"received"`  // from the peer
	Claims   ledger.Amount `json:"claims"`    // sum of the signed claims
	Open     ledger.Amount `json:"open"`      // orders not yet paid
	Held     ledger.Amount `json:"held"`      // by packets under way
	NotFinal ledger.Amount `json:"not_final"` // received and not yet redeemed
}

func (c *connector) readBooks(ctx context.Context, _ struct{}) (books, error) {
	b, err := c.client.Book.Balance(ctx, c.peer)
	if err != nil {
		return books{}, err
	}
	exposure, err := c.client.Settlement.Exposure(ctx, c.peer)
	if err != nil {
		return books{}, err
	}
	c.payer.mu.Lock()
	claims := c.payer.total
	c.payer.mu.Unlock()
	held, _ := b.HeldIn.Add(b.HeldOut)
	return books{
		Name: c.Name, Sent: c.sent.Load(), Refused: c.refused.Load(), Position: b.Position().String(),
		Paid: b.SettledOut, Received: b.SettledIn, Claims: claims, Open: b.Settling, Held: held, NotFinal: exposure.Unredeemed,
	}, nil
}

// maxMessage is the largest size of a message in bytes.
const maxMessage = 1 << 20

// handleJSON returns an HTTP handler for f. After an error the caller tries again.
func handleJSON[In, Out any](f func(context.Context, In) (Out, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in In
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxMessage)).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		out, err := f(r.Context(), in)
		switch {
		case errors.Is(err, errClaim):
			http.Error(w, err.Error(), http.StatusForbidden)
		case err != nil:
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		default:
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(out) // an error means that the caller has gone; it will ask again
		}
	}
}

// callPeer sends a request to the peer.
func (c *connector) callPeer(ctx context.Context, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := postJSON(ctx, c.peerClient, path, in, out); err != nil {
		return fmt.Errorf("%s asks %s: %w", c.Name, c.Peer, err)
	}
	return nil
}
