package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// runFlags are the flags of "engines run".
type runFlags struct {
	instance   string
	every      time.Duration
	statusEach time.Duration
}

func (a *app) newRunEnginesCommand() *cobra.Command {
	var flags runFlags
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Pay peers through the engines, and book the payments that the engines report",
		Long: `Pay the configured peers through the engines of the configuration: by settle_at and settle_to,
within the limits, each order once under its key. At the same time take the payments that the
engines report, on the address of engine_reports (default 127.0.0.1:7771), and book each one once.
Messages between engines are not relayed, since this process has no connection to the peers'
connectors: engines that need messages belong behind a connector that uses the library.

Give this work to one process for each ledger. A connector that settles itself, or a second
"engines run", needs another --instance. With an embedded ledger this process has the folder open,
and other commands wait for its end; "peerledger engines" needs no ledger.

When engines may report, run prints one line, also with --json, and then logs to standard error.
SIGINT or SIGTERM ends run: payments under way are finished, and the exit status is 0.`,
		Example: "  peerledger engines run\n  peerledger engines run --every 5s --json",
		Args:    exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if flags.every < time.Second {
				return fmt.Errorf("%w: --every must be at least 1s, not %v", errUsage, flags.every)
			}
			if flags.statusEach <= 0 {
				return fmt.Errorf("%w: --status-every must be above 0, not %v", errUsage, flags.statusEach)
			}
			return a.withSession(cmd.Context(), func(s *session) error { return s.runEngines(cmd.Context(), flags) })
		},
	}
	cmd.Flags().StringVar(&flags.instance, "instance", defaultEnginesInstance, "the `name` of this process among the engines of the ledger; it must survive restarts")
	cmd.Flags().DurationVar(&flags.every, "every", 10*time.Second, "`time` between two looks at all balances, at least 1s")
	cmd.Flags().DurationVar(&flags.statusEach, "status-every", 5*time.Second, "`time` between two states in the file engines_status")
	return cmd
}

// engineRunner is one "engines run".
type engineRunner struct {
	*session
	log     *slog.Logger
	engines []*openEngine
	payer   *settlement.Engine
	server  *rfc0038.Server
	changed chan struct{} // a settlement began or ended to wait for an operator
}

// runEngines pays and takes reports until ctx ends.
func (s *session) runEngines(ctx context.Context, flags runFlags) (err error) {
	if len(s.cfg.Engines) == 0 {
		return fmt.Errorf("%w: no engines are configured: list them under engines: in %s", errUsage, s.cfg.fileName())
	}
	r := &engineRunner{session: s, log: slog.New(slog.NewTextHandler(s.stderr, nil)), changed: make(chan struct{}, 1)}
	engines, ids, err := s.openEngines(s.cfg, r.logSettlers())
	if err != nil {
		return err
	}
	r.engines = engines
	defer closeEngines(engines)
	peers, err := s.parseAccounts(ctx, nil, "")
	if err != nil {
		return err
	}
	if _, err := s.book.Balances(ctx, peers...); err != nil { // each peer must be in the ledger
		return err
	}
	if err := writeStatus(s.cfg.statusFile(), newStatus(engines, time.Now())); err != nil {
		return fmt.Errorf("%w: engines_status: %w", errUsage, err)
	}
	if err := r.startPayer(flags); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.closePayer(ctx)) }()
	listener, err := r.openListener(ctx, ids)
	if err != nil {
		return err
	}
	r.payer.Enqueue(peers)
	if err := r.printReady(listener); err != nil {
		return errors.Join(err, listener.Close())
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.server.Serve(ctx, listener) })
	group.Go(func() error { r.createAccounts(ctx); return nil })
	for _, e := range engines {
		if e.cfg.WakeEvery > 0 {
			group.Go(func() error { return r.keepAwake(ctx, e) })
		}
	}
	group.Go(func() error { return r.keepStatus(ctx, flags.statusEach) })
	return group.Wait()
}

// startPayer makes the engine that places and pays orders.
func (r *engineRunner) startPayer(flags runFlags) error {
	cfg := settlement.Config{Instance: flags.instance, SweepInterval: flags.every, Rails: newEngineRails(r.cfg, r.engines), Events: r.logPayer()}
	var err error
	if cfg.Policies, err = r.enginePolicies(); err != nil {
		return err
	}
	limits, err := r.cfg.parseLimits()
	if err != nil {
		return err
	}
	cfg.PeerPayoutLimits, cfg.AssetPayoutLimits = limits.peers, limits.assets
	for _, e := range r.engines {
		cfg.Events = e.settler.Watch(cfg.Events)
	}
	r.payer, err = settlement.NewEngine(r.ledger, r.book, cfg)
	return err
}

// enginePolicies returns the policies of the peers that an engine pays.
func (s *session) enginePolicies() (settlement.Policies, error) {
	policies, err := s.policies()
	for key := range policies.PeerAsset {
		if _, found := s.cfg.findEngine(s.findEntry(key), key.Asset); !found {
			delete(policies.PeerAsset, key)
		}
	}
	return policies, err
}

// closePayer waits for payments under way, and writes the last state.
func (r *engineRunner) closePayer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.timeout)
	defer cancel()
	err := r.payer.Close(ctx)
	if errors.Is(err, settlement.ErrOrdersOpen) { // the next process resumes them
		r.log.Info("orders stay open", "reason", err)
		err = nil
	}
	return errors.Join(err, writeStatus(r.cfg.statusFile(), newStatus(r.engines, time.Now())))
}

// openListener makes the server for the engines' reports.
func (r *engineRunner) openListener(ctx context.Context, ids *rfc0038.AccountIDs) (net.Listener, error) {
	cfg := rfc0038.ServerConfig{Engine: r.payer, Accounts: ids.Account, Events: r.logServer()}
	token, err := r.readSecret(r.cfg.EngineReports.Token)
	if err != nil {
		return nil, fmt.Errorf("%w: engine_reports: token: %w", errUsage, err)
	}
	if token != "" {
		cfg.Tokens = []string{token}
	}
	if r.server, err = rfc0038.NewServer(cfg); err != nil {
		return nil, fmt.Errorf("%w: engine_reports: %w", errUsage, err)
	}
	listener, err := r.server.Listen(ctx, rfc0038.ListenConfig{Address: r.cfg.EngineReports.Address})
	if errors.Is(err, rfc0038.ErrOpenToEverybody) {
		err = fmt.Errorf("%w: engine_reports: address: %w; give a token, or an address of loopback", errUsage, err)
	}
	return listener, err
}

// createAccounts creates the accounts of all peers. A settlement creates its account again if it is missing, so
// after an error the next engine has its turn.
func (r *engineRunner) createAccounts(ctx context.Context) {
	for _, e := range r.engines {
		list, err := r.cfg.listAccountsOf(e)
		for _, account := range list {
			if err == nil {
				err = e.settler.EnsureAccount(ctx, account)
			}
		}
		if err != nil && ctx.Err() == nil {
			r.log.Warn("accounts are missing at the engine", "engine", e.cfg.Name, "error", err)
		}
	}
}

// keepStatus writes the state of the engines until ctx ends. A failed write is logged: payments go on.
func (r *engineRunner) keepStatus(ctx context.Context, every time.Duration) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		if err := r.forgetClosed(ctx); err != nil && ctx.Err() == nil {
			r.log.Warn("it is unknown whether other processes have closed orders", "error", err)
		}
		if err := writeStatus(r.cfg.statusFile(), newStatus(r.engines, time.Now())); err != nil {
			r.log.Error("the state of the engines is not written", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-r.changed:
		}
	}
}

// forgetClosed forgets the settlements whose orders another process has paid, or an operator has closed there.
func (r *engineRunner) forgetClosed(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	for _, e := range r.engines {
		if err := e.settler.ForgetClosed(ctx, r.payer); err != nil {
			return err
		}
	}
	return nil
}

// enginesReady is the ready line with --json.
type enginesReady struct {
	Reports string   `json:"reports"` // the base URL for the engines' reports
	Engines []string `json:"engines"`
	Status  string   `json:"status"` // the file of the state
}

func (r *engineRunner) printReady(listener net.Listener) error {
	ready := enginesReady{Reports: "http://" + listener.Addr().String(), Status: r.cfg.statusFile()}
	for _, e := range r.engines {
		ready.Engines = append(ready.Engines, e.cfg.Name)
	}
	if r.json {
		return r.printJSON(ready)
	}
	_, err := fmt.Fprintf(r.stdout, "Ready: engines %s; payments are reported to %s.\n", strings.Join(ready.Engines, ", "), ready.Reports)
	return err
}

// listAccountsOf returns the accounts of the peers that an engine pays.
func (c config) listAccountsOf(e *openEngine) ([]accounts.PeerAccount, error) {
	book, err := c.newOfflineBook()
	if err != nil {
		return nil, err
	}
	var list []accounts.PeerAccount
	for _, key := range e.peers {
		account, err := book.PeerAccount(key.Peer, key.Asset)
		if err != nil {
			return nil, err
		}
		list = append(list, account)
	}
	return list, nil
}
