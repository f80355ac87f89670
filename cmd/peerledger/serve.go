package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/cluster"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/server"
)

// serveFlags are the own flags of serve.
type serveFlags struct {
	address     string
	development bool
	allowRemote bool
}

func (a *app) newServeCommand() *cobra.Command {
	var flags serveFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve an embedded ledger to TigerBeetle's clients, for tests",
		Long: `Serve the embedded ledger to TigerBeetle's clients for Node, Python, Go and others, and to
"tigerbeetle repl", as a TigerBeetle cluster of one replica. The ledger is in memory, or in a
folder (--folder), which serve creates if it is missing. The parent folder must exist. A folder is not
bound to a cluster id. serve writes what its clients write.

serve is one process without replication, for tests and development. In production use
TigerBeetle. The protocol has no authentication and no encryption, so serve takes addresses of
loopback alone, unless --allow-remote is given.

When clients may connect, serve prints one line, also with --json. SIGINT or SIGTERM ends serve:
requests under way are answered, the folder is closed, and the exit status is 0. serve reads
neither configuration file nor environment. docs/testing.md has an example for each client.`,
		Example: "  peerledger serve\n  peerledger serve --folder books --cluster-id 7 --address 127.0.0.1:3001\n  peerledger serve --address 127.0.0.1:0 --json",
		Args:    exactArgs(0),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.serveLedger(cmd.Context(), flags) },
	}
	cmd.Flags().StringVar(&flags.address, "address", "127.0.0.1:3000", "`address` to listen on; port 0 takes a free port, named in the ready line; a port alone is one of 127.0.0.1")
	// These two take the places of the global flags, whose defaults in the environment serve ignores.
	cmd.Flags().StringVar(&a.folder, "folder", "", "keep the ledger in this `folder` (default in memory)")
	cmd.Flags().StringVar(&a.clusterID, "cluster-id", "", "the `id` of the cluster, decimal (default 0)")
	cmd.Flags().BoolVar(&flags.development, "development", false, "take requests of 32 KiB (253 events), as tigerbeetle start --development does, not of 1 MiB (8,189 events)")
	cmd.Flags().BoolVar(&flags.allowRemote, "allow-remote", false, "allow an address beyond loopback: every program that reaches it can read and change the books")
	return cmd
}

// serveLedger serves a ledger until ctx ends or the ledger ends.
func (a *app) serveLedger(ctx context.Context, flags serveFlags) (err error) {
	cfg, err := a.newServerConfig(flags)
	if err != nil {
		return err
	}
	listener, err := listen(ctx, flags)
	if err != nil {
		return err
	}
	l, err := a.openServed(ctx, flags.development)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() {
		// The end of a ledger has the same cause as the failure of its Close.
		if closeErr := l.Close(); !errors.Is(err, ledger.ErrClosed) {
			err = errors.Join(err, closeErr)
		}
	}()
	if err := a.printReady(listener, cfg, flags.development); err != nil {
		return errors.Join(err, listener.Close())
	}
	return server.Serve(ctx, listener, l, cfg)
}

// newServerConfig returns the configuration of the server. The default of the cluster id is 0, as
// in TigerBeetle's examples.
func (a *app) newServerConfig(flags serveFlags) (server.Config, error) {
	cfg := server.Config{
		Release: cluster.ClientRelease, RequestMax: server.RequestMaxDefault, AllowRemote: flags.allowRemote,
		Log: slog.New(slog.NewTextHandler(a.stderr, nil)),
	}
	if flags.development {
		cfg.RequestMax = server.RequestMaxDevelopment
	}
	if a.clusterID != "" {
		id, err := parseClusterID(a.clusterID)
		if err != nil {
			return cfg, err
		}
		cfg.Cluster = id
	}
	return cfg, nil
}

// listen listens on the address. It takes a port alone as a port of 127.0.0.1, as TigerBeetle does, and
// refuses an address beyond loopback before any client can connect.
func listen(ctx context.Context, flags serveFlags) (net.Listener, error) {
	if flags.address != "" && strings.Trim(flags.address, "0123456789") == "" {
		flags.address = "127.0.0.1:" + flags.address
	}
	address, err := net.ResolveTCPAddr("tcp", flags.address)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: --address %s: %w", errUsage, flags.address, err)
	case !address.IP.IsLoopback() && !flags.allowRemote:
		return nil, fmt.Errorf("%w: --address %s is beyond loopback, and the protocol has no authentication and no encryption: "+
			"give an address such as 127.0.0.1:%d, or --allow-remote", errUsage, flags.address, address.Port)
	}
	return listenAt(ctx, address)
}

// listenAt listens on the address of --address.
func listenAt(ctx context.Context, address *net.TCPAddr) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address.String())
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("--address %v: %w; for a free port give port 0", address, err)
	case err != nil:
		return nil, fmt.Errorf("--address %v: %w", address, err)
	}
	return listener, nil
}

// developmentBatch is the number of events of a request of [server.RequestMaxDevelopment].
const developmentBatch = 253

// openServed opens the ledger to serve.
func (a *app) openServed(ctx context.Context, development bool) (ledger.Ledger, error) {
	var options []embedded.Option
	if development {
		options = append(options, embedded.WithBatchMax(developmentBatch))
	}
	if a.folder == "" {
		return embedded.New(options...), nil
	}
	a.mayCreateLedger, a.yes = true, true
	l, err := a.openFolder(ctx, a.folder, options...)
	if errors.Is(err, embedded.ErrInUse) {
		return nil, fmt.Errorf("%w: %s", errServedInUse, a.folder)
	}
	return l, err
}

// errServedInUse is returned when another process has the folder open that serve is to serve.
var errServedInUse = errors.New("another process has the folder open")

// ready is the ready line with --json.
type ready struct {
	Address   string `json:"address"`
	ClusterID string `json:"cluster_id"`
	Release   string `json:"release"`
	Folder    string `json:"folder"` // "" in memory
	New       bool   `json:"new"`    // the ledger was created
	BatchMax  int    `json:"batch_max"`
	Replicas  int    `json:"replicas"` // 1: one process without replication
}

// printReady prints the ready line.
func (a *app) printReady(listener net.Listener, cfg server.Config, development bool) error {
	r := ready{
		Address: listener.Addr().String(), ClusterID: cfg.Cluster.String(), Release: cfg.Release,
		Folder: a.folder, New: a.folder == "" || a.createdLedger, BatchMax: ledger.BatchMax, Replicas: 1,
	}
	if development {
		r.BatchMax = developmentBatch
	}
	if a.json {
		return a.printJSON(r)
	}
	place := "in memory"
	switch {
	case r.Folder != "" && r.New:
		place = "new in " + r.Folder
	case r.Folder != "":
		place = "in " + r.Folder
	}
	_, err := fmt.Fprintf(a.stdout, "Ready: cluster %s on %s, TigerBeetle %s's protocol, ledger %s; one process without replication.\n", r.ClusterID, r.Address, r.Release, place)
	return err
}
