package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/console"
	"github.com/peerledger/peerledger/settlement"
)

// consoleFlags are the own flags of console.
type consoleFlags struct {
	address     string
	socket      string
	allowRemote bool
	publicURL   string
	hosts       []string
	every       time.Duration
	stuck       time.Duration

	allow      string // view or act
	userHeader string
	roleHeader string
	proxies    []string // networks
}

// consoleTokenEnv names the variable with the reusable log-in token. A flag would show it to every
// user of the machine, in the list of processes.
const consoleTokenEnv = "PEERLEDGER_CONSOLE_TOKEN"

func (a *app) newConsoleCommand() *cobra.Command {
	var flags consoleFlags
	cmd := &cobra.Command{
		Use:   "console",
		Short: "Serve the operator's pages: peers, positions, orders, live",
		Long: `Serve pages for a browser: totals, alerts and trial balance, peers against their lines and over
time, arrears, open and closed orders, holds and statements, live; what a packet, an order or a key
is; a comparison with a peer's statement; and what doctor finds. Every table can also be had as CSV
and JSON.

The pages only show, unless you give --allow=act. Then their forms change lines, suspend and close
peers, book corrections, capital and payments, and pay, resolve and cancel orders: each after a
second page with the same words as the commands, and after a line in the operator's journal
(operator_journal in the configuration). Each user gives a name at the log-in, unless
PEERLEDGER_OPERATOR or a proxy (--user-header) names the user. Payments go through the engines of
the configuration.

The command prints a link that logs one browser in, once, within 15 minutes, and a new link when
the last one was used or has expired. If its output goes to a log, set PEERLEDGER_CONSOLE_TOKEN,
a secret of 24 characters or more: that token logs in any number of times, and no secret is
printed.

By default the console listens on loopback, without encryption. For other machines, put a proxy
with TLS in front (--public-url), or give --allow-remote with PEERLEDGER_CONSOLE_TOKEN or
--public-url. --unix-socket listens on a socket file that only this user can open.

One process at a time uses an embedded ledger. For the books of a running connector with a
folder, mount the pages in the connector (docs/console.md).`,
		Example: "  peerledger console\n  peerledger console --address 127.0.0.1:0 --json\n  peerledger console --public-url https://ops.example/books/",
		Args:    exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if flags.socket != "" && cmd.Flags().Changed("address") {
				return fmt.Errorf("%w: --address and --unix-socket are two places to listen: give one of the two", errUsage)
			}
			rails, closeRails, err := a.chooseConsoleRails(flags)
			if err != nil {
				return err
			}
			defer closeRails()
			return a.withEngine(cmd.Context(), rails, func(s *session, engine *settlement.Engine) error {
				return s.serveConsole(cmd.Context(), engine, flags)
			})
		},
	}
	cmd.Flags().StringVar(&flags.address, "address", "127.0.0.1:3080", "`address` to listen on; port 0 takes a free port")
	cmd.Flags().StringVar(&flags.socket, "unix-socket", "", "listen on this Unix socket `file` instead")
	cmd.Flags().BoolVar(&flags.allowRemote, "allow-remote", false, "allow an address beyond loopback; needs "+consoleTokenEnv+" or --public-url")
	cmd.Flags().StringVar(&flags.publicURL, "public-url", "", "the `address` of the console at a proxy, as in https://ops.example/books/")
	cmd.Flags().StringArrayVar(&flags.hosts, "host", nil, "a host `name` by which browsers reach the console, besides localhost and IP addresses; may be given several times")
	cmd.Flags().DurationVar(&flags.every, "every", 2*time.Second, "least `time` between two looks at the ledger")
	cmd.Flags().DurationVar(&flags.stuck, "stuck", 10*time.Minute, "an order older than this `time` is stuck")
	addActingFlags(cmd.Flags(), &flags)
	return cmd
}

// consoleReady is the ready line with --json.
type consoleReady struct {
	Address string `json:"address"`
	Login   string `json:"login"` // logs in once; with a token in the environment, the page that asks for it
}

// serveConsole serves the pages until ctx ends.
func (s *session) serveConsole(ctx context.Context, engine *settlement.Engine, flags consoleFlags) (err error) {
	if flags.every < 100*time.Millisecond {
		return fmt.Errorf("%w: --every must be at least 100ms, not %v", errUsage, flags.every)
	}
	names := make(map[accounts.Asset][]string)
	for _, asset := range s.book.Assets() {
		names[asset] = s.listConfigured(asset)
	}
	health, err := s.newHealth()
	if err != nil {
		return err
	}
	cfg := console.Config{
		Book: s.book, Settlement: engine, Peers: func(asset accounts.Asset) []string { return names[asset] },
		Instances: []string{operatorInstance, defaultEnginesInstance}, Reasons: s.cfg.Reasons, Health: health,
		Interval: flags.every, Timeout: s.timeout, StuckAfter: flags.stuck,
		Hosts: flags.hosts, PublicURL: flags.publicURL, Token: s.getenv(consoleTokenEnv),
	}
	if err := s.allowActing(&cfg, flags); err != nil {
		return err
	}
	pages, err := console.New(cfg)
	if err != nil {
		return err
	}
	defer pages.Close()
	listener, err := listenForConsole(ctx, flags, s.getenv(consoleTokenEnv) != "")
	if err != nil {
		return err
	}
	base := flags.publicURL
	if base == "" {
		base = "http://" + listener.Addr().String() + "/"
	}
	if flags.socket != "" && flags.publicURL == "" {
		base = "http://localhost/" // for curl --unix-socket
	}
	base = strings.TrimSuffix(base, "/") + "/"
	links := &linkPrinter{used: make(chan struct{}, 1), show: func() error { return s.printLogin(listener, base+pages.NewLogin()) }}
	if s.getenv(consoleTokenEnv) != "" { // no link is needed, and the output may be a log
		links.show, links.once = func() error { return s.printLogin(listener, base+"login") }, true
	}
	return links.printDuring(ctx, func(ctx context.Context) error {
		return serveHTTP(ctx, listener, links.notice(pages), pages.Close)
	})
}

// printLogin prints the ready line, or a further link.
func (s *session) printLogin(listener net.Listener, link string) error {
	if s.json {
		return s.printJSON(consoleReady{listener.Addr().String(), link})
	}
	_, err := fmt.Fprintf(s.stdout, "The console listens on %s. Log in: %s\n", listener.Addr(), link)
	return err
}

// listenForConsole listens on the socket or the address, and refuses an address beyond loopback
// unless the operator has said how it is protected.
func listenForConsole(ctx context.Context, flags consoleFlags, hasToken bool) (net.Listener, error) {
	if flags.socket != "" {
		return listenOnSocket(ctx, flags.socket)
	}
	address, err := net.ResolveTCPAddr("tcp", flags.address)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: --address %s: %w", errUsage, flags.address, err)
	case address.IP.IsLoopback():
	case !flags.allowRemote:
		return nil, fmt.Errorf("%w: --address %s is beyond loopback: give an address such as 127.0.0.1:%d, or --allow-remote", errUsage, flags.address, address.Port)
	case !hasToken && flags.publicURL == "":
		return nil, fmt.Errorf("%w: --allow-remote needs %s, or --public-url of a proxy with TLS", errUsage, consoleTokenEnv)
	}
	return listenAt(ctx, address)
}

// serveHTTP serves until ctx ends, and then ends the streams and waits for running requests. The console
// sets the deadlines of bodies and answers: one for all requests would fit neither a log-in nor a stream.
func serveHTTP(ctx context.Context, listener net.Listener, pages http.Handler, endStreams func()) error {
	server := &http.Server{Handler: pages, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	endStreams()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, server.Close())
	}
	if end := <-ended; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, end)
	}
	return err
}
