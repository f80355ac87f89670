package peerledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// Client combines the accounts, the recorder and the settlement engine of a connector over one
// ledger. Make a Client with [OpenEmbedded] or [New], and do not change its fields. All fields are
// safe for concurrent use.
type Client struct {
	Ledger ledger.Ledger
	Book   *accounts.Book
	// Recorder is a [*transfers.Recorder], or an [*aggregate.Recorder] with Config.Rounds.
	Recorder   transfers.PacketRecorder
	Settlement *settlement.Engine
}

// OpenEmbedded opens a Client over a new embedded ledger in memory. The books are lost at
// [Client.Close] or at the end of the process: use OpenEmbedded for tests and first steps. For a
// ledger in a folder, give [embedded.Open] to [New].
//
// The JournalFolder of Config.Recorder or Config.Rounds must be empty ([accounts.ErrInvalid]): the
// ledger does not outlive the process, so neither may the journal. Config.Rounds then needs
// LoseFulfillsWithProcess. Other errors are the errors of New.
func OpenEmbedded(cfg Config, opts ...embedded.Option) (*Client, error) {
	switch {
	case cfg.Recorder.JournalFolder != "":
		return nil, refuseJournal("recorder config")
	case cfg.Rounds != nil && cfg.Rounds.JournalFolder != "":
		return nil, refuseJournal("rounds config")
	}
	l := embedded.New(opts...)
	c, err := New(l, cfg)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return c, nil
}

func refuseJournal(subject string) error {
	return fmt.Errorf("peerledger: %w", &accounts.FieldError{
		Subject: subject, Field: "JournalFolder", Reason: "must not be set with a ledger that ends with the process",
	})
}

// New makes a Client over a ledger. The ledger then belongs to the Client: [Client.Close] closes
// it. Without Config.Rounds, New sends nothing to the ledger, except the fulfills that an earlier
// process left in Config.Recorder.JournalFolder. With Config.Rounds, New waits for the ledger, as
// [aggregate.NewRecorder] does, for at most 30 s.
//
// Errors are the errors of [Config.Validate], match [transfers.ErrJournal], or are of
// aggregate.NewRecorder, [context.DeadlineExceeded] among them. After an error nothing is left
// running, and the ledger stays the caller's.
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
	recorder, err := newRecorder(l, book, cfg, engine.NotifyBalances)
	if err != nil {
		return nil, errors.Join(err, engine.Close(newEndedContext()))
	}
	if rounds, ok := recorder.(settlement.Reservations); ok {
		engine.UseReservations(rounds)
	}
	return &Client{Ledger: l, Book: book, Recorder: recorder, Settlement: engine}, nil
}

// startTimeout bounds the requests of a new recorder of rounds. An answer takes milliseconds; a
// cluster without a leader elects one in seconds.
const startTimeout = 30 * time.Second

// newRecorder returns the recorder that the configuration asks for. notify is called after the
// user's BalancesChanged. After an error the recorder must not be used.
func newRecorder(l ledger.Ledger, book *accounts.Book, cfg Config, notify func([]accounts.PeerAccount)) (transfers.PacketRecorder, error) {
	if cfg.Rounds == nil {
		events := &cfg.Recorder.Events
		events.BalancesChanged = joinCallbacks(events.BalancesChanged, notify)
		return transfers.NewRecorder(l, book, cfg.Recorder)
	}
	rounds := *cfg.Rounds // the caller's stays as it is
	rounds.Events.BalancesChanged = joinCallbacks(rounds.Events.BalancesChanged, notify)
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout) //nolint:forbidigo // New has no context
	defer cancel()
	return aggregate.NewRecorder(ctx, l, book, rounds)
}

// newEndedContext returns a context that has ended, so that Close does not wait.
func newEndedContext() context.Context {
	ctx, cancel := context.WithCancel(context.Background()) //nolint:forbidigo // New has no context, and this one waits for nothing
	cancel()
	return ctx
}

// joinCallbacks returns a function that calls first, unless it is nil, and then second.
func joinCallbacks(first, second func([]accounts.PeerAccount)) func([]accounts.PeerAccount) {
	if first == nil {
		return second
	}
	return func(peers []accounts.PeerAccount) {
		first(peers)
		second(peers)
	}
}

// Provision creates the accounts and credit lines of peers that the ledger lacks, and notifies the
// settlement engine of all of them: the engine resumes orders left open by a crash, and pays due
// amounts. For results and errors, see [accounts.Book.Provision].
func (c *Client) Provision(ctx context.Context, peers ...accounts.PeerConfig) ([]accounts.PeerAccount, error) {
	handles, err := c.Book.Provision(ctx, peers...)
	c.Settlement.Enqueue(handles)
	return handles, err
}

// Close ends the Client in order. The recorder refuses new packets and drains; the settlement
// engine finishes its payments; the ledger is closed. When ctx ends, Close abandons running
// requests and hooks; it leaves a hook that ignores ctx running after 5 s more. The error then
// contains a [*transfers.CloseError] and a [*settlement.OpenOrdersError] for unfinished work; with
// Config.Rounds it matches the context's error in place of the CloseError. It matches
// [transfers.ErrJournal] if the journal could not be left in order. Close waits for the journal's
// disk regardless of ctx. Close may be called twice.
func (c *Client) Close(ctx context.Context) error {
	return errors.Join(c.Recorder.Close(ctx), c.Settlement.Close(ctx), c.Ledger.Close())
}
