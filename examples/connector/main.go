// Connector is a small connector: a program that sends packets between three peers, settles with
// the peers, and serves health checks and metrics. deploy/ starts the program beside TigerBeetle.
// Real connectors can copy the wiring.
//
//	go run ./examples/connector                                # 500 packets on the embedded ledger
//	go run ./examples/connector -rounds                        # the same, recorded in rounds
//	go run ./examples/connector -ledger cluster -packets 0 -rate 20 -listen 127.0.0.1:9464
//
// With -btp FILE the connector forwards packets between peers, with which it speaks BTP, the protocol
// of Interledger connectors: docs/btp.md shows this beside an ilp-connector. The peers of the file take
// the place of the three, and their money is not settled.
//
// With -rounds the connector records in rounds (package transfers/aggregate): the wiring is the same but for
// one field of the configuration. -journal FOLDER keeps promised fulfills on disk, with either recorder.
//
// With -ledger cluster the books are on the cluster of TIGERBEETLE_CLUSTER_ID and
// TIGERBEETLE_ADDRESSES. With -packets 0 the connector runs until an interrupt (SIGINT, SIGTERM).
// At the end the program reads the books: the amounts received must equal the amounts sent out and
// the fees.
//
// The HTTP paths are /livez (the process runs), /readyz (the ledger answers a look-up, over an open
// session of the connector: a probe with its own session would take one of few) and /metrics.
// -check URL requests a path and ends with status 0 or 1, for health checks in images without curl.
//
// Exit status: 1 if the books do not add up or an operation fails, 2 for a wrong command line.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	err := runConnector(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "connector:", err)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "connector:", err)
		os.Exit(1)
	}
}

// errUsage is matched by every error of a wrong command line.
var errUsage = errors.New("usage")

// options holds the flags.
type options struct {
	ledger   string
	packets  int           // 0: until an interrupt
	rate     float64       // packets per second; 0: no limit
	seed     uint64        // of the traffic
	listen   string        // "": not served
	grace    time.Duration // for all work after an interrupt
	checkURL string
	json     bool
	rounds   bool
	journal  string // folder; "": none
	btp      string // network file; "": none
	to       string // ILP address; "": no packets of the customer
	network  *networkConfig
}

func parseFlags(args []string, stderr io.Writer) (opts options, err error) {
	flags := flag.NewFlagSet("connector", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&opts.ledger, "ledger", "embedded", "`name` of the ledger: embedded, or cluster (set TIGERBEETLE_CLUSTER_ID and TIGERBEETLE_ADDRESSES)")
	flags.IntVar(&opts.packets, "packets", 500, "number of `packets` to send; 0 sends until an interrupt")
	flags.Float64Var(&opts.rate, "rate", 0, "`packets` per second; 0 is no limit")
	flags.Uint64Var(&opts.seed, "seed", 1, "`seed` of the random traffic")
	flags.StringVar(&opts.listen, "listen", "", "serve /livez, /readyz and /metrics on this `address`")
	flags.DurationVar(&opts.grace, "grace", 15*time.Second, "`time` for all remaining work after an interrupt")
	flags.StringVar(&opts.checkURL, "check", "", "request this `URL` and end with status 0 if the answer is 200")
	flags.BoolVar(&opts.rounds, "rounds", false, "record in rounds, the sums of many packets; on a cluster with -journal")
	flags.StringVar(&opts.journal, "journal", "", "`folder` for fulfills that the ledger does not have yet; with -ledger cluster")
	flags.StringVar(&opts.btp, "btp", "", "forward packets between the peers of this network `file`, with which the connector speaks BTP")
	flags.StringVar(&opts.to, "to", "", "with -btp, send packets to this ILP `address`; otherwise only forward, until an interrupt")
	flags.BoolVar(&opts.json, "json", false, "print the summary as JSON")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return opts, err
		}
		return opts, fmt.Errorf("%w: %w", errUsage, err)
	}
	switch {
	case flags.NArg() > 0:
		err = fmt.Errorf("%w: unexpected arguments after the flags: %q", errUsage, flags.Args())
	case opts.ledger != "embedded" && opts.ledger != "cluster":
		err = fmt.Errorf("%w: -ledger is embedded or cluster, not %q", errUsage, opts.ledger)
	case opts.journal != "" && opts.ledger != "cluster":
		err = fmt.Errorf("%w: -journal needs -ledger cluster: the embedded ledger ends with the process", errUsage)
	case opts.rounds && opts.journal == "" && opts.ledger == "cluster":
		err = fmt.Errorf("%w: -rounds on a cluster needs -journal: a fulfill is in the journal before its round is in the ledger", errUsage)
	case opts.packets < 0 || opts.rate < 0 || opts.grace <= 0:
		err = fmt.Errorf("%w: -packets and -rate must not be negative, and -grace must be above 0", errUsage)
	case opts.to != "" && opts.btp == "":
		err = fmt.Errorf("%w: -to needs -btp", errUsage)
	case opts.btp != "":
		opts.network, err = readNetwork(opts.btp)
	}
	return opts, err
}

func runConnector(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	opts, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	if opts.checkURL != "" {
		return checkHealth(ctx, opts.checkURL)
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	c, err := openConnector(ctx, opts, log)
	if err != nil {
		return err
	}
	if err := c.serveOn(opts.listen); err != nil {
		return errors.Join(err, c.closeConnector(opts.grace))
	}
	var sum fmt.Stringer
	if opts.network != nil {
		sum, err = c.runNetwork(ctx, opts)
	} else {
		sum, err = c.runTraffic(ctx, opts)
	}
	if err != nil {
		return err
	}
	if opts.json {
		return json.NewEncoder(stdout).Encode(sum)
	}
	_, err = fmt.Fprint(stdout, sum)
	return err
}

// checkHealth requests a health check of another process.
func checkHealth(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("%w: -check: %w", errUsage, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // the body is not read
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}
