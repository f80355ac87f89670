package peerledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

// Client is the accounts, the recorder and the settlement engine of a connector,
// over one ledger. The fields are set by OpenEmbedded and New and must not be
// changed; all of them may be used concurrently.
type Client struct {
	Ledger     ledger.Ledger
	Book       *accounts.Book
	Recorder   *transfers.Recorder
	Settlement *settlement.Engine
}

// OpenEmbedded opens a Client over a new embedded ledger, in memory: with Close,
// or with the process, the books are gone. It is for tests, for first steps, and
// for whoever keeps no books beyond a run.
//
// The errors are those of New. A journal would promise to the next process what this
// ledger does not outlive, so Config.Recorder.Journal is refused as accounts.ErrInvalid.
func OpenEmbedded(cfg Config, opts ...embedded.Option) (*Client, error) {
	if cfg.Recorder.Journal != "" {
		return nil, fmt.Errorf("peerledger: %w", &accounts.FieldError{
			Subject: "recorder config", Field: "Journal", Reason: "must not be set with a ledger that ends with the process",
		})
	}
	l := embedded.New(opts...)
	c, err := New(l, cfg)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return c, nil
}

// New wires a Client over a ledger, which from then on belongs to it: Close closes
// it. It does not touch the ledger, but that fulfills that are left in
// Config.Recorder.Journal are recorded. The errors are those of Config.Validate, or
// match transfers.ErrJournal; then nothing is left running, and the ledger stays the
// caller's.
func New(l ledger.Ledger, cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("peerledger: %w", err)
	}
	book, err := accounts.NewBook(l, cfg.Accounts)
	if err != nil {
		return nil, err
	}
	engine, err := settlement.NewEngine(l, book, cfg.Settlement)
	if err != nil {
		return nil, err
	}
	events := &cfg.Recorder.Events
	events.BalancesChanged = callBoth(events.BalancesChanged, engine.NotifyBalances)
	recorder, err := transfers.NewRecorder(l, book, cfg.Recorder)
	if err != nil { // the journal's
		return nil, errors.Join(err, engine.Close(ended()))
	}
	return &Client{Ledger: l, Book: book, Recorder: recorder, Settlement: engine}, nil
}

// ended is a context that has ended: nothing is worth waiting for.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background()) //nolint:forbidigo // New has no context, and this one waits for nothing
	cancel()
	return ctx
}

// callBoth returns a function that calls first, unless it is nil, and then second.
func callBoth(first, second func([]accounts.PeerAccount)) func([]accounts.PeerAccount) {
	if first == nil {
		return second
	}
	return func(peers []accounts.PeerAccount) {
		first(peers)
		second(peers)
	}
}

// Provision makes sure that the ledger holds the accounts and credit lines of
// these peers, and has the settlement engine look at them: an order left open by
// a crash is resumed, and what is due is paid. See accounts.Book.Provision, whose
// results and errors these are.
func (c *Client) Provision(ctx context.Context, peers ...accounts.PeerConfig) ([]accounts.PeerAccount, error) {
	handles, err := c.Book.Provision(ctx, peers...)
	c.Settlement.Enqueue(handles)
	return handles, err
}

// Close ends the Client in order: the recorder refuses new packets and drains,
// the settlement engine finishes what it is paying, the ledger is closed. When
// ctx ends, requests and hooks under way are given up (a hook that does not heed
// it is left behind after 5 s more); what could not be finished by then is in the
// error, as a *transfers.CloseError and a *settlement.OpenOrdersError, beside one
// that matches transfers.ErrJournal if the journal could not be left in order, whose
// disk is waited for whatever ctx says. Close is safe to call twice.
func (c *Client) Close(ctx context.Context) error {
	return errors.Join(c.Recorder.Close(ctx), c.Settlement.Close(ctx), c.Ledger.Close())
}
