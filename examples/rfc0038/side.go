package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/settlement/rfc0038"
	"github.com/peerledger/peerledger/settlement/rfc0038/enginetest"
	"github.com/peerledger/peerledger/transfers"
)

// side is a connector with one peer, and its settlement engine.
type side struct {
	name      string
	client    *peerledger.Client
	own, peer accounts.PeerAccount
	ids       *rfc0038.AccountIDs
	calls     *rfc0038.Client // to the engine
	engine    *enginetest.Engine
	booked    chan rfc0038.Report
	other     *side // the peer's connector; set before the first packet

	stopServer context.CancelFunc
	served     chan error
}

// openSide opens a connector with an engine on a rail.
func openSide(ctx context.Context, name, peer string, rail *enginetest.Rail) (s *side, err error) {
	s = &side{name: name, booked: make(chan rfc0038.Report, 1), served: make(chan error, 1), stopServer: func() {}}
	s.engine, err = enginetest.NewEngine(enginetest.Config{Name: name, Scale: engineScale, Rail: rail, Token: "the engine's token"})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err == nil {
			return
		}
		err = errors.Join(err, s.engine.Close())
		if s.client != nil {
			err = errors.Join(err, s.client.Close(ctx))
		}
	}()
	url, err := s.engine.Start("127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	if err := s.openClient(ctx, url, peer); err != nil {
		return nil, err
	}
	return s, s.startServer(ctx)
}

// openClient opens the books, and an engine that pays the peer in full as soon as we owe it a dollar.
func (s *side) openClient(ctx context.Context, url, peer string) (err error) {
	s.calls, err = rfc0038.NewClient(rfc0038.ClientConfig{URL: url, BearerToken: "the engine's token"})
	if err != nil {
		return err
	}
	books := accounts.Config{Assets: []accounts.Asset{usd}}
	l := embedded.New()
	book, err := accounts.NewBook(l, books)
	if err != nil {
		return err
	}
	if s.ids, err = rfc0038.NewAccountIDs(book, nil); err != nil {
		return err
	}
	settler, err := rfc0038.NewSettler(rfc0038.SettlerConfig{
		Client: s.calls, IDs: s.ids, EngineScales: accounts.Rules[*uint8]{Default: new(uint8(engineScale))},
	})
	if err != nil {
		return err
	}
	s.client, err = peerledger.New(l, peerledger.Config{
		Accounts: books,
		Settlement: settlement.Config{
			Rails: settlement.Rails{Default: settler.Rail("engine")},
			Policies: settlement.Policies{Default: settlement.AtLeast{
				Amount: settler.UnitOf(peer, usd), Of: settlement.Threshold{SettleThreshold: ledger.NewAmount(1_000_000_000)},
			}},
			Events: settler.Watch(settlement.Events{}),
			Manual: true, // pay when this program calls Settle, not in the background
		},
	})
	if err != nil {
		return err
	}
	peers, err := s.client.Provision(ctx, accounts.PeerConfig{ID: peer, Asset: usd, CreditLine: ledger.NewAmount(5_000_000_000)})
	if err != nil {
		return err
	}
	s.peer = peers[0]
	if s.own, err = s.client.Book.OwnAccount(usd); err != nil {
		return err
	}
	return settler.CreateAccount(ctx, s.peer)
}

// startServer takes the reports and messages of the engine.
func (s *side) startServer(ctx context.Context) error {
	server, err := rfc0038.NewServer(rfc0038.ServerConfig{
		Engine: s.client.Settlement, Accounts: s.ids.Account, Relay: s.relayMessage,
		Events: rfc0038.ServerEvents{Booked: func(r rfc0038.Report, _ settlement.PaymentBooking) { s.booked <- r }},
	})
	if err != nil {
		return err
	}
	listener, err := server.Listen(ctx, rfc0038.ListenConfig{Address: "127.0.0.1:0"})
	if err != nil {
		return err
	}
	ctx, s.stopServer = context.WithCancel(ctx)
	go func() { s.served <- server.Serve(ctx, listener) }()
	s.engine.SetConnector("http://" + listener.Addr().String())
	return nil
}

// relayMessage passes a message of our engine to the peer's engine: here it asks for the peer's address on the rail.
// Between two processes the message travels in the packet of [rfc0038.NewMessagePacket].
func (s *side) relayMessage(ctx context.Context, _ accounts.PeerAccount, message []byte) ([]byte, error) {
	wire, err := s.other.ids.WireID(s.other.peer)
	if err != nil {
		return nil, err
	}
	return s.other.calls.SendMessage(ctx, wire, message)
}

// recordPacket books a delivered packet.
func (s *side) recordPacket(ctx context.Context, packet transfers.Packet) error {
	if _, err := s.client.Recorder.Forward(ctx, packet); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	return nil
}

// closeAll ends the engine first: it reports nothing afterwards.
func (s *side) closeAll(ctx context.Context) error {
	err := s.engine.Close()
	s.stopServer()
	err = errors.Join(err, <-s.served, s.client.Close(ctx))
	s.calls.Close()
	return err
}
