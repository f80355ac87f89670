package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/settlement/rfc0038/enginetest"
)

// engineFlags are the flags of engine.
type engineFlags struct {
	address, mode, reports, name, folder, rail, connector string
	tokenFile, connectorTokenFile                         string
	scale                                                 uint8
	peers                                                 map[string]string
	allowRemote                                           bool
}

func (a *app) newEngineCommand() *cobra.Command {
	var flags engineFlags
	cmd := &cobra.Command{
		Use:   "engine",
		Short: "Run a settlement engine that moves numbers, for tests",
		Long: `Run a settlement engine of RFC 0038 for tests of connectors. Its money is numbers in a file
(--rail), which engines of several processes share, or in memory. --mode and --reports choose the
habits of engines in use:

  draft-3    201 with the request's Quantity; the engine keeps the remainder (default)
  draft-2    201 with the Quantity taken over; reads the Quantity in answers to its reports
  text       the words CREATED, EXECUTED and RECEIVED typed as JSON
  conflict   409 to each repeat of a key
  early      the path /settlement, without keys

  by-key     repeats a report under its key until the answer is a 2xx (default)
  put-aside  after an HTTP error adds the amount to the next report, under another key

Faults, restarts and incoming payments are ordered under /test/ on the same port; docs/settlement.md
lists the requests. When the connector may connect, engine prints one line, also with --json.
SIGINT or SIGTERM ends engine with status 0. It reads neither configuration file nor environment.`,
		Example: "  peerledger rfc0038 engine\n  peerledger rfc0038 engine --address 127.0.0.1:3001 --connector http://127.0.0.1:7771 --mode draft-2 --folder engine-a --rail rail --name a",
		Args:    exactArgs(0),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.runEngine(cmd.Context(), flags) },
	}
	cmd.Flags().StringVar(&flags.address, "address", "127.0.0.1:3000", "`address` to listen on; port 0 takes a free port, named in the ready line")
	cmd.Flags().StringVar(&flags.connector, "connector", "", "base `url` of the connector (default none: payments are not reported)")
	var modes []string
	for _, mode := range enginetest.Modes() {
		modes = append(modes, string(mode))
	}
	flags.mode, flags.reports = string(enginetest.Draft3), string(enginetest.ReportsByKey)
	addChoiceFlag(cmd.Flags(), &flags.mode, "mode", "mode", "how the engine answers: a mode of the list", modes...)
	addChoiceFlag(cmd.Flags(), &flags.reports, "reports", "habit", "how the engine reports: by-key or put-aside", string(enginetest.ReportsByKey), string(enginetest.ReportsPutAside))
	cmd.Flags().StringVar(&flags.name, "name", "engine", "the `name` of the engine on the rail")
	cmd.Flags().Uint8Var(&flags.scale, "scale", 6, "the `scale` of the rail's unit")
	cmd.Flags().StringVar(&flags.folder, "folder", "", "keep accounts and keys in this `folder` (default in memory)")
	cmd.Flags().StringVar(&flags.rail, "rail", "", "the `file` of the rail (default in memory)")
	cmd.Flags().StringToStringVar(&flags.peers, "peer", nil, "the peer of an account on the rail, as `account=engine/account` (default: the engine asks through the connector)")
	cmd.Flags().StringVar(&flags.tokenFile, "token-file", "", "the `file` with the bearer token that requests must have (default: none is needed)")
	cmd.Flags().StringVar(&flags.connectorTokenFile, "connector-token-file", "", "the `file` with the bearer token for the connector")
	cmd.Flags().BoolVar(&flags.allowRemote, "allow-remote", false, "allow an address beyond loopback: every program that reaches it can use the engine")
	return cmd
}

// engineReady is the ready line with --json.
type engineReady struct {
	URL     string `json:"url"`
	Mode    string `json:"mode"`
	Reports string `json:"reports"`
	Name    string `json:"name"`
	Scale   uint8  `json:"scale"`
	Folder  string `json:"folder"` // "" in memory
	Rail    string `json:"rail"`   // "" in memory
}

// runEngine serves an engine until ctx ends.
func (a *app) runEngine(ctx context.Context, flags engineFlags) (err error) {
	cfg, err := newEngineConfig(flags)
	if err != nil {
		return err
	}
	listener, err := listen(ctx, serveFlags{address: flags.address, allowRemote: flags.allowRemote})
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }() // the server has closed it already, except after an error
	if flags.rail != "" {
		if cfg.Rail, err = enginetest.OpenRail(flags.rail); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, cfg.Rail.Close()) }()
	}
	engine, err := enginetest.NewEngine(cfg)
	if errors.Is(err, enginetest.ErrInvalidConfig) {
		return fmt.Errorf("%w: %w", errUsage, err)
	} else if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	server := &http.Server{Handler: routeEngine(engine), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute}
	if err := a.printEngineReady(listener.Addr().String(), flags); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// routeEngine returns a handler of the engine and its control. A ServeMux would answer a path with
// a doubled slash with a redirect.
func routeEngine(engine *enginetest.Engine) http.Handler {
	control := engine.Control()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/test/") {
			control.ServeHTTP(w, r)
			return
		}
		engine.ServeHTTP(w, r)
	})
}

// newEngineConfig reads the flags.
func newEngineConfig(flags engineFlags) (cfg enginetest.Config, err error) {
	cfg = enginetest.Config{
		Name: flags.name, Scale: flags.scale, Mode: enginetest.Mode(flags.mode), Reports: enginetest.Reports(flags.reports),
		Folder: flags.folder, Connector: flags.connector, Peers: map[string]enginetest.Address{},
	}
	for account, peer := range flags.peers {
		engine, theirs, ok := strings.Cut(peer, "/")
		if !ok || engine == "" || theirs == "" {
			return cfg, fmt.Errorf("%w: --peer %s=%s: want account=engine/account", errUsage, account, peer)
		}
		cfg.Peers[account] = enginetest.Address{Engine: engine, Account: theirs}
	}
	if cfg.Token, err = readToken(flags.tokenFile); err != nil {
		return cfg, err
	}
	cfg.ConnectorToken, err = readToken(flags.connectorTokenFile)
	return cfg, err
}

func (a *app) printEngineReady(address string, flags engineFlags) error {
	r := engineReady{"http://" + address, flags.mode, flags.reports, flags.name, flags.scale, flags.folder, flags.rail}
	if a.json {
		return a.printJSON(r)
	}
	place := "in memory"
	if r.Folder != "" {
		place = "in " + r.Folder
	}
	_, err := fmt.Fprintf(a.stdout, "Ready: engine %s on %s, mode %s, reports %s, accounts %s.\n", r.Name, r.URL, r.Mode, r.Reports, place)
	return err
}
